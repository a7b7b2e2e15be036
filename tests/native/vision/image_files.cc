#include "vision/image_files.h"

#include <gtest/gtest.h>

#include <cstring>

namespace clipglot::testing {

const GoldenTensors& ExpectedImages() {
  static const GoldenTensors tensors = GoldenTensors::Load(TestData("images/expected.safetensors"));
  return tensors;
}

std::vector<std::string> ImageNames(const std::string& suffix) {
  std::vector<std::string> out;
  for (const std::string& name : ExpectedImages().Names()) {
    if (name.starts_with("rgb.") && name.ends_with(suffix)) out.push_back(name.substr(4));
  }
  return out;
}

std::vector<std::byte> ReadImage(const std::string& name) {
  return ReadFile(TestData("images/" + name));
}

std::vector<uint8_t> Pixels(const RgbImage& image) {
  const auto bytes = image.pixels.as<uint8_t>();
  return {bytes.begin(), bytes.end()};
}

RgbImage MakeImage(size_t width, size_t height, std::span<const uint8_t> rgb) {
  RgbImage out;
  out.width = width;
  out.height = height;
  auto buffer = AlignedBuffer::TryAllocate(width * height * 3, "test image");
  EXPECT_TRUE(buffer.ok());
  EXPECT_EQ(rgb.size(), width * height * 3);
  out.pixels = std::move(buffer).value();
  if (!rgb.empty()) std::memcpy(out.pixels.data(), rgb.data(), rgb.size());
  return out;
}

std::vector<std::byte> FromHex(const std::string& hex) {
  std::vector<std::byte> out;
  for (size_t i = 0; i < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

std::vector<std::byte> Tiff(int orientation, bool big_endian, int type) {
  std::vector<std::byte> out;
  const auto put = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      const int shift = 8 * (big_endian ? bytes - 1 - i : i);
      out.push_back(static_cast<std::byte>(value >> shift));
    }
  };
  const std::byte order{static_cast<uint8_t>(big_endian ? 'M' : 'I')};
  out = {order, order};
  put(42, 2);
  put(8, 4);       // first directory
  put(2, 2);       // its entries
  put(0x010f, 2);  // another tag first
  put(2, 2);
  put(4, 4);
  put(0, 4);
  put(0x0112, 2);
  put(static_cast<uint32_t>(type), 2);
  put(1, 4);
  if (type == 4 || type == 9 || type == 13) {
    put(static_cast<uint32_t>(orientation), 4);
  } else {
    put(static_cast<uint32_t>(orientation), 2);
    put(0, 2);
  }
  put(0, 4);  // no second directory
  return out;
}

std::vector<std::byte> WithExif(const std::vector<std::byte>& jpeg,
                                const std::vector<std::byte>& tiff) {
  const size_t length = 2 + 6 + tiff.size();
  std::vector<std::byte> out = {jpeg[0],
                                jpeg[1],
                                std::byte{0xff},
                                std::byte{0xe1},
                                static_cast<std::byte>(length >> 8),
                                static_cast<std::byte>(length)};
  for (const char c : {'E', 'x', 'i', 'f', '\0', '\0'}) out.push_back(static_cast<std::byte>(c));
  out.insert(out.end(), tiff.begin(), tiff.end());
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

}  // namespace clipglot::testing
