// libjpeg-turbo behind an interface of values: jpeg_codec.cc is the one file that includes it, and
// the one that uses setjmp, since libjpeg leaves by longjmp where it cannot go on.
//
// The data is given to it as PIL gives it: where the file ends before libjpeg has what it wants,
// the step ends with kCut. Nothing is printed. Memory comes from malloc and is bounded by the size
// of the picture: for progressive files two bytes a sample, else a few rows. One object decodes one
// file. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/call_observer.h"
#include "base/status.h"

namespace clipglot {

class JpegCodec {
 public:
  enum class Step : uint8_t {
    kDone,
    kCut,      // the file ends too early
    kRefused,  // see Refusal()
  };

  // `file` and `observer` outlive this; `observer` as in DecodeOptions. Errors: kOutOfMemory.
  static Result<JpegCodec> Create(std::span<const std::byte> file, CallObserver* observer);

  // The steps, in this order, each only after the one before was kDone.
  Step
  ReadHeader();  // up to the first scan; then width(), height(), components() and blocks() hold
  Step Start();  // reads all scans, if there is more than one
  Step ReadRow(uint8_t* out);  // the next row: width() · 1, 3 (RGB) or 4 (CMYK as stored) bytes;
                               // height() times
  Step Finish();               // what follows up to the end marker

  uint32_t width() const;
  uint32_t height() const;
  uint32_t components() const;
  bool arithmetic() const;  // coded with fractions of bits
  uint64_t blocks() const;  // of 8 x 8 samples in the whole picture, without padding

  // Why the last step was refused: kInvalidImage, kOutOfMemory or kCancelled.
  Status Refusal() const;
  // What was wrong but could be passed over and changes the picture, a sentence each. After
  // Finish().
  std::vector<std::string> Warnings() const;

  // Everything that libjpeg points to.
  struct Session;

 private:
  struct Free {
    void operator()(Session* session) const;
  };
  explicit JpegCodec(std::unique_ptr<Session, Free> session) : session_(std::move(session)) {}

  std::unique_ptr<Session, Free> session_;
};

}  // namespace clipglot
