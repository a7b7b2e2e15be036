// Decoded pixels against Pillow's.
#include <gtest/gtest.h>

#include <cstdlib>

#include "vision/image.h"
#include "vision/image_files.h"

namespace clipglot {
namespace {

using testing::ExpectedImages;
using testing::GoldenTensors;
using testing::kPlenty;
using testing::Pixels;
using testing::TestData;

// Largest difference of two pictures; a failed expectation if they are not of one size.
int LargestDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(int{a[i]} - int{b[i]}));
  }
  return largest;
}

TEST(Decode, EveryKindEqualsPillow) {
  const std::vector<std::string> names = testing::ImageNames();
  ASSERT_GT(names.size(), 80u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const auto image = DecodeImage(testing::ReadImage(name),
                                   {.max_pixels = kPlenty, .orientation = Orientation::kIgnore});
    ASSERT_TRUE(image.ok()) << image.status().detail();
    const std::vector<size_t> shape = ExpectedImages().Shape("rgb." + name);
    EXPECT_EQ(image->height, shape[0]);
    EXPECT_EQ(image->width, shape[1]);
    // JPEG too: the transform, the upsampling and the colours are libjpeg's to the bit.
    EXPECT_EQ(LargestDifference(Pixels(*image), ExpectedImages().U8("rgb." + name)), 0);
  }
}

TEST(Decode, GoldenImages) {
  const auto expected = testing::ReadJson(TestData("golden-a/expected.json"));
  const GoldenTensors tensors = GoldenTensors::Load(TestData("golden-a/expected.safetensors"));
  ASSERT_EQ(expected["images"].size(), 14u);
  for (const auto& entry : expected["images"]) {
    const std::string name = entry["file"];
    SCOPED_TRACE(name);
    const auto image = DecodeImage(testing::ReadFile(TestData("golden-a/images/" + name)),
                                   {.max_pixels = kPlenty, .orientation = Orientation::kIgnore});
    ASSERT_TRUE(image.ok()) << image.status().detail();
    EXPECT_EQ(image->width, entry["size_wh"][0]);
    EXPECT_EQ(image->height, entry["size_wh"][1]);
    const int difference =
        LargestDifference(Pixels(*image), tensors.U8("image.decoded_rgb." + name));
    EXPECT_LE(difference, name.ends_with(".png") ? 0 : 3);
  }
}

TEST(Decode, PixelLimit) {
  for (const std::string& name : {std::string("jpeg_420.jpg"), std::string("png_rgb8.png"),
                                  std::string("gif_palette.gif"), std::string("bmp_rgb.bmp")}) {
    SCOPED_TRACE(name);
    const auto file = testing::ReadImage(name);
    const std::vector<size_t> shape = ExpectedImages().Shape("rgb." + name);
    const uint64_t pixels = shape[0] * shape[1];
    EXPECT_TRUE(DecodeImage(file, {.max_pixels = pixels, .orientation = Orientation::kApply}).ok());
    const auto refused =
        DecodeImage(file, {.max_pixels = pixels - 1, .orientation = Orientation::kApply});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), Code::kInvalidImage);
    EXPECT_NE(refused.status().detail().find(std::to_string(shape[1])), std::string::npos)
        << refused.status().detail();
    // A later call is not harmed.
    EXPECT_TRUE(DecodeImage(file, {.max_pixels = pixels, .orientation = Orientation::kApply}).ok());
  }
}

TEST(Decode, UnknownFormats) {
  const auto detail = [](std::string_view text) {
    const auto image = DecodeImage(std::as_bytes(std::span(text)),
                                   {.max_pixels = kPlenty, .orientation = Orientation::kApply});
    EXPECT_FALSE(image.ok());
    EXPECT_EQ(image.status().code(), Code::kInvalidImage);
    return image.status().detail();
  };
  EXPECT_NE(detail("").find("empty"), std::string::npos);
  EXPECT_NE(detail("RIFFxxxxWEBPVP8 ").find("unknown image format"), std::string::npos);
  EXPECT_NE(detail("<svg/>").find("unknown image format"), std::string::npos);
  detail("\xff\xd8");
  detail("\xff\xd8\xff");
  detail("\x89PNG\r\n\x1a\n");
  detail("GIF89a");
  detail("BM");
}

TEST(ImageFromRgba, DropsAlpha) {
  const std::vector<uint8_t> rgba = {1, 2, 3, 0, 4, 5, 6, 255, 7, 8, 9, 100, 10, 11, 12, 1};
  const auto image = ImageFromRgba(rgba, 2, 2, 4);
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->width, 2u);
  EXPECT_EQ(image->height, 2u);
  EXPECT_EQ(Pixels(*image), (std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
}

TEST(ImageFromRgba, Errors) {
  const std::vector<uint8_t> rgba(16);
  EXPECT_EQ(ImageFromRgba(rgba, 2, 2, 3).status().code(), Code::kInvalidImage);
  EXPECT_EQ(ImageFromRgba(rgba, 0, 2, 9).status().code(), Code::kInvalidImage);
  EXPECT_EQ(ImageFromRgba(rgba, 2, 3, 9).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ImageFromRgba(rgba, SIZE_MAX, SIZE_MAX, UINT64_MAX).status().code(),
            Code::kInvalidImage);
  EXPECT_EQ(ImageFromRgba(rgba, SIZE_MAX / 8, 4, UINT64_MAX).status().code(), Code::kInvalidImage);
}

}  // namespace
}  // namespace clipglot
