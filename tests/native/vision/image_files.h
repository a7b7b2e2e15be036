// Pictures of tests/data/images and what the tests do with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/golden.h"
#include "vision/image.h"

namespace clipglot::testing {

inline constexpr uint64_t kPlenty = uint64_t{64}
                                    << 20;  // a pixel limit that no test picture reaches

// Pillow's pixels, made by tests/data/images/make.py.
const GoldenTensors& ExpectedImages();
// Names of all pictures there, or of those that end in `suffix`.
std::vector<std::string> ImageNames(const std::string& suffix = "");
std::vector<std::byte> ReadImage(const std::string& name);

// The bytes of an image, row-major RGB.
std::vector<uint8_t> Pixels(const RgbImage& image);
RgbImage MakeImage(size_t width, size_t height, std::span<const uint8_t> rgb);

// "0aff" to two bytes.
std::vector<std::byte> FromHex(const std::string& hex);

// A TIFF block with one orientation tag.
std::vector<std::byte> Tiff(int orientation, bool big_endian, int type = 3);
// A JPEG file with an APP1 segment of that TIFF block after its start marker.
std::vector<std::byte> WithExif(const std::vector<std::byte>& jpeg,
                                const std::vector<std::byte>& tiff);

}  // namespace clipglot::testing
