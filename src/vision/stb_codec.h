// The parts of stb_image that we use: its JPEG entropy decoder and its inflate. stb_codec.cc is the
// one file that compiles stb_image.
//
// The rest of the decoders around them is ours (vision/jpeg, png, gif, bmp), because the pixels
// must equal PIL's and the memory must be bounded: stb_image holds every plane, all coefficients
// and the result at once, recurses as deep as a GIF says, and differs from PIL in 16-bit, palette,
// transparency and CMYK pictures. stb_image allocates nothing here: its allocation hooks always
// refuse, every buffer is an AlignedBuffer of checked size. Thread-safe: no state but stb_image's
// thread-local failure text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "base/status.h"

namespace clipglot {

// How the planes of a JPEG are to be read.
enum class JpegColor : uint8_t { kGray, kRgb, kYcc, kCmyk, kYcck };

// One decoded component before upsampling, 8 bits a sample, row-major.
struct JpegPlane {
  size_t width = 0, height = 0;     // samples that belong to the picture
  size_t stride = 0;                // samples a row in memory
  size_t scale_x = 1, scale_y = 1;  // image pixels per sample along each axis
  AlignedBuffer samples;
};

struct JpegPlanes {
  size_t width = 0, height = 0;
  JpegColor color = JpegColor::kGray;
  size_t count = 0;  // planes in use: 1, 3 or 4
  std::array<JpegPlane, 4> planes;
};

// Baseline and progressive, Huffman, 8 bits. The inverse DCT is libjpeg's "islow", exact to the
// bit. `max_pixels`: width · height above it is refused before anything is allocated. Peak of
// memory: the planes, or for progressive files their coefficients (2 bytes a sample) and one plane.
// Errors: kInvalidImage (damaged, truncated, zero-sized, too large, unsupported kind),
// kOutOfMemory.
Result<JpegPlanes> ReadJpegPlanes(std::span<const std::byte> file, uint64_t max_pixels);

// Inflates a zlib stream (RFC 1950; the checksum is not looked at) until `out` is full or the
// stream ends; a stream with more data than fits is not an error.
// `out`: kInflateSlack bytes longer than `needed`, since one step is written whole or not at all.
// Errors: kInvalidImage (damaged, or ends before `needed` bytes were written).
inline constexpr size_t kInflateSlack = 65536;
Status InflateZlib(std::span<const std::byte> in, std::span<uint8_t> out, size_t needed);

}  // namespace clipglot
