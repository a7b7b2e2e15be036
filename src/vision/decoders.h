// One decoder per file format, each from the whole file to upright RGB as PIL's convert("RGB")
// gives it.
//
// All of them: `file` is the whole file; `options` as in vision/image.h. Memory: three bytes a
// pixel for the result, plus what each says. Errors: kInvalidImage (damaged, truncated, zero-sized,
// too large, unsupported kind; names the reason), kOutOfMemory. Thread-safe: no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "vision/image.h"

namespace clipglot {

// The bytes that each format starts with; shorter input is no match.
bool IsJpeg(std::span<const std::byte> file);
bool IsPng(std::span<const std::byte> file);
bool IsGif(std::span<const std::byte> file);
bool IsBmp(std::span<const std::byte> file);

// JPEG as PIL opens it, on libjpeg-turbo: baseline and progressive, Huffman and arithmetic coding,
// damaged files too; what is missing stands in the image's warnings. CMYK and YCCK through PIL's
// plain formula, always taken as inverted (Adobe's way), as PIL does. Also takes two bytes a sample
// if there is more than one scan. Errors also: kCancelled.
Result<RgbImage> DecodeJpeg(std::span<const std::byte> file, const DecodeOptions& options);

// PNG of every kind. Alpha and transparency are dropped; 16-bit gray is clipped to 255 or, with
// Gray16::kScale, keeps its high byte as other 16-bit kinds do. Also takes two uncompressed rows
// (1…8 bytes a pixel).
Result<RgbImage> DecodePng(std::span<const std::byte> file, const DecodeOptions& options);

// First frame of a GIF; transparent pixels take the colour of their palette entry. No EXIF.
Result<RgbImage> DecodeGif(std::span<const std::byte> file, const DecodeOptions& options);

// BMP with 1, 4, 8, 16, 24 or 32 bits, plain, with bit fields or run lengths (which take a byte a
// pixel more). No EXIF.
Result<RgbImage> DecodeBmp(std::span<const std::byte> file, const DecodeOptions& options);

// PIL fills what a palette does not define with this: entry i is the gray i.
struct Palette {
  uint8_t rgb[256][3];
  Palette() {
    for (int i = 0; i < 256; ++i) rgb[i][0] = rgb[i][1] = rgb[i][2] = static_cast<uint8_t>(i);
  }
};

}  // namespace clipglot
