// Shared by the targets of the image decoders.
#pragma once

#include "fuzz.h"
#include "vision/decoders.h"

namespace clipglot::fuzz {

// Small images find as much and are many times faster.
inline constexpr uint64_t kMaxPixels = 1 << 14;

// An image within the limit, or an error with a reason.
inline void Decode(Result<RgbImage> (*decoder)(std::span<const std::byte>, const DecodeOptions&),
                   std::span<const std::byte> file) {
  const DecodeOptions options = {
      .max_pixels = kMaxPixels,
      .orientation = Orientation::kApply,
      .gray16 = file.size() % 2 == 0 ? Gray16::kClip : Gray16::kScale,
  };
  const Result<RgbImage> image = decoder(file, options);
  if (image.ok()) {
    FUZZ_CHECK(image->width > 0 && image->height > 0);
    FUZZ_CHECK(image->width * image->height <= kMaxPixels);
    FUZZ_CHECK(image->pixels.size() == image->width * image->height * 3);
    return;
  }
  FUZZ_CHECK(image.status().code() == Code::kInvalidImage ||
             image.status().code() == Code::kOutOfMemory);
  FUZZ_CHECK(!image.status().detail().empty());
}

}  // namespace clipglot::fuzz
