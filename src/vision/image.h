// Image bytes to the model's pixels, bit for bit as upstream's PIL and torchvision pipeline gives
// them.
//
// Takes: an encoded file (JPEG, PNG, BMP, GIF first frame) or raw pixels. Gives: RGB, then a square
// crop, then normalised planes. Allocations are bounded by the pixel limit. Thread-safe: no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/call_observer.h"
#include "base/status.h"
#include "weights/model_config.h"

namespace clipglot {

// 8-bit RGB, row-major, [height, width, 3].
struct RgbImage {
  size_t width = 0, height = 0;
  AlignedBuffer pixels;
  // What was wrong with the file and could be passed over, a sentence each: a part that is missing,
  // for instance.
  std::vector<std::string> warnings;
};

enum class Orientation : uint8_t {
  kApply,   // turn and mirror as the EXIF orientation says (default: users' photos are meant
            // upright)
  kIgnore,  // as stored: what upstream does
};

enum class Gray16 : uint8_t {
  kClip,   // values above 255 become white: what PIL's convert("RGB") does
  kScale,  // the high byte: what a viewer shows
};

struct DecodeOptions {
  uint64_t max_pixels = 0;  // width · height above it is refused before the pixels are decoded
  Orientation orientation = Orientation::kApply;
  Gray16 gray16 = Gray16::kClip;
  // Asked every few milliseconds whether to continue (vision/stop_check.h); may be null.
  CallObserver* observer = nullptr;
};

// Decodes `file` to RGB as PIL's convert("RGB") does: alpha dropped, gray replicated, palette
// resolved, CMYK by the plain formula. Errors: kInvalidImage (unknown format, damaged, zero-sized,
// too large; names the reason), kOutOfMemory, kCancelled.
Result<RgbImage> DecodeImage(std::span<const std::byte> file, const DecodeOptions& options);

// Raw RGBA, 4 bytes a pixel, row-major without gaps (ImageData); alpha is dropped.
// `observer` as in DecodeOptions.
// Errors: kInvalidImage (zero-sized, over the limit), kInvalidArgument (length is not width ·
// height · 4), kOutOfMemory, kCancelled.
Result<RgbImage> ImageFromRgba(std::span<const uint8_t> rgba, size_t width, size_t height,
                               uint64_t max_pixels, CallObserver* observer = nullptr);

// Shorter side to `size` with PIL's 8-bit bicubic (long side truncated), then centre crop with
// banker's rounding: [size, size, 3]. Only the part that the crop keeps is computed. `observer` as
// in DecodeOptions. Errors: kOutOfMemory, kInvalidImage, kCancelled.
Result<RgbImage> ResizeAndCrop(const RgbImage& image, size_t size,
                               CallObserver* observer = nullptr);

// (x / 255 - mean) / std in float32, planes [3, size, size]. `out` has 3 · width · height elements.
void NormalizePixels(const RgbImage& image, const PreprocessConfig& config, std::span<float> out);

}  // namespace clipglot
