// What a PNG's text and EXIF chunks say about the orientation, read as PIL reads them.
//
// Takes: the chunks' contents, in the order of the file. Gives: an orientation. Text that is
// damaged is passed over, but text that unpacks to more than PIL allows is an error, as for PIL.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "vision/inflate.h"
#include "vision/stop_check.h"

namespace clipglot {

class PngText {
 public:
  using Bytes = std::span<const std::byte>;

  // The contents must outlive this. Errors: kInvalidImage, kOutOfMemory, kCancelled.
  Status Exif(Bytes body);                            // eXIf
  Status Plain(Bytes body);                           // tEXt
  Status Packed(Bytes body, StopCheck* stop);         // zTXt
  Status International(Bytes body, StopCheck* stop);  // iTXt
  Status ColorProfile(Bytes body, StopCheck* stop);   // iCCP: only its size matters

  // 1…8, from the best source: an EXIF chunk, a raw profile of ImageMagick's, XMP.
  int orientation() const;

 private:
  // Bytes in the file, or unpacked ones with their owner.
  struct Text {
    Bytes bytes;
    std::shared_ptr<const UnpackedText> owner;
  };
  Status Keep(Bytes key, Text text);

  Text exif_, raw_exif_, xmp_;
  bool has_exif_ = false;
  uint64_t total_ = 0;  // bytes of text so far
};

}  // namespace clipglot
