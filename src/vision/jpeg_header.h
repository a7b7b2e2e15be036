// The segments of a JPEG before its first scan, read as PIL's JpegImagePlugin reads them. PIL walks
// over them once before libjpeg does, and refuses what it cannot make sense of; this finds the
// size, the EXIF block and the XMP packet on the way. Thread-safe: no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"

namespace clipglot {

struct JpegHeader {
  uint32_t width = 0, height = 0;  // never 0
  uint32_t components = 0;         // 1, 3 or 4
  // These point into the file and are often empty.
  std::span<const std::byte>
      exif;              // the first EXIF segment with its name, even if there is nothing after it
  std::string_view xmp;  // the last XMP packet
};

// `file`: a whole JPEG file. Errors: kInvalidImage (a segment is damaged or cut, no frame header,
// no scan, other than 8 bits, an odd number of components).
Result<JpegHeader> ReadJpegHeader(std::span<const std::byte> file);

// The orientation that the header's EXIF and XMP ask for, 1…8 (vision/exif.h); 1 for a damaged
// file.
int JpegOrientation(std::span<const std::byte> file);

}  // namespace clipglot
