// Resizing, cropping and normalising against golden pixels, Pillow's pixels and a slow, plain
// resampler.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "vision/image.h"
#include "vision/image_files.h"

namespace clipglot {
namespace {

using testing::ExpectedImages;
using testing::GoldenTensors;
using testing::MakeImage;
using testing::Pixels;
using testing::TestData;

RgbImage FromTensor(const GoldenTensors& tensors, const std::string& name) {
  const std::vector<size_t> shape = tensors.Shape(name);
  return MakeImage(shape[1], shape[0], tensors.U8(name));
}

// The resampler as its definition reads: every pixel of one axis, no crop, weights anew for each.
struct Plain {
  size_t width, height;
  std::vector<uint8_t> rgb;
};

double Kernel(double x) {
  x = std::abs(x);
  const double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

Plain AlongX(const Plain& in, size_t out_width) {
  if (in.width == out_width) return in;
  Plain out{out_width, in.height, std::vector<uint8_t>(out_width * in.height * 3)};
  const double scale = static_cast<double>(in.width) / static_cast<double>(out_width);
  const double wide = std::max(scale, 1.0);
  for (size_t i = 0; i < out_width; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const long low = std::max(static_cast<long>(centre - 2 * wide + 0.5), 0L);
    const long high =
        std::min(static_cast<long>(centre + 2 * wide + 0.5), static_cast<long>(in.width));
    std::vector<double> weights;
    double sum = 0;
    for (long x = low; x < high; ++x) {
      weights.push_back(Kernel((static_cast<double>(x) - centre + 0.5) * (1 / wide)));
      sum += weights.back();
    }
    for (size_t y = 0; y < in.height; ++y) {
      for (size_t c = 0; c < 3; ++c) {
        long total = 1 << 21;
        for (long x = low; x < high; ++x) {
          const double exact = weights[static_cast<size_t>(x - low)] / sum * (1 << 22);
          const long weight = static_cast<long>(exact < 0 ? exact - 0.5 : exact + 0.5);
          total += weight * in.rgb[(y * in.width + static_cast<size_t>(x)) * 3 + c];
        }
        out.rgb[(y * out_width + i) * 3 + c] =
            static_cast<uint8_t>(std::min(std::max(total >> 22, 0L), 255L));
      }
    }
  }
  return out;
}

Plain Transposed(const Plain& in) {
  Plain out{in.height, in.width, std::vector<uint8_t>(in.rgb.size())};
  for (size_t y = 0; y < in.height; ++y) {
    for (size_t x = 0; x < in.width; ++x) {
      for (size_t c = 0; c < 3; ++c) {
        out.rgb[(x * in.height + y) * 3 + c] = in.rgb[(y * in.width + x) * 3 + c];
      }
    }
  }
  return out;
}

std::vector<uint8_t> PlainResizeAndCrop(const Plain& in, size_t size) {
  const size_t shorter = std::min(in.width, in.height), longer = std::max(in.width, in.height);
  const size_t long_out = size * longer / shorter;
  const size_t width = in.width == shorter ? size : long_out;
  const size_t height = in.height == shorter ? size : long_out;
  const Plain resized = Transposed(AlongX(Transposed(AlongX(in, width)), height));
  // nearbyint rounds halves to even.
  const auto left = static_cast<size_t>(std::nearbyint(static_cast<double>(width - size) / 2));
  const auto top = static_cast<size_t>(std::nearbyint(static_cast<double>(height - size) / 2));
  std::vector<uint8_t> out;
  for (size_t y = top; y < top + size; ++y) {
    const auto row = resized.rgb.begin() + static_cast<ptrdiff_t>((y * width + left) * 3);
    out.insert(out.end(), row, row + static_cast<ptrdiff_t>(size * 3));
  }
  return out;
}

TEST(Resize, GoldenImages) {
  const auto expected = testing::ReadJson(TestData("golden-a/expected.json"));
  const GoldenTensors tensors = GoldenTensors::Load(TestData("golden-a/expected.safetensors"));
  for (const auto& entry : expected["images"]) {
    const std::string name = entry["file"];
    SCOPED_TRACE(name);
    const auto out = ResizeAndCrop(FromTensor(tensors, "image.decoded_rgb." + name), 56);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(out->width, 56u);
    EXPECT_EQ(out->height, 56u);
    EXPECT_EQ(Pixels(*out), tensors.U8("image.resized_cropped." + name));
  }
}

TEST(Resize, Pillow) {
  size_t count = 0;
  for (const std::string& name : ExpectedImages().Names()) {
    if (!name.starts_with("resized.")) continue;
    SCOPED_TRACE(name);
    ++count;
    const std::string file = name.substr(8, name.rfind('.') - 8);
    const size_t size = ExpectedImages().Shape(name)[0];
    const auto out = ResizeAndCrop(FromTensor(ExpectedImages(), "rgb." + file), size);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(Pixels(*out), ExpectedImages().U8(name));
  }
  EXPECT_GE(count, 7u);
}

TEST(Resize, RandomSizesAgainstPlainResampler) {
  std::mt19937 random(7);
  const auto upto = [&](size_t limit) { return 1 + random() % limit; };
  for (int i = 0; i < 120; ++i) {
    Plain in{upto(90), upto(90), {}};
    if (i % 10 == 0) in.width = upto(3), in.height = 200 + upto(400);
    if (i % 10 == 5) in.height = upto(3), in.width = 200 + upto(400);
    const size_t size = i % 7 == 0 ? std::min(in.width, in.height) : upto(40);
    in.rgb.resize(in.width * in.height * 3);
    // Noise, or only black and white, which makes the filter overshoot.
    for (uint8_t& value : in.rgb)
      value = static_cast<uint8_t>(i % 2 == 0 ? random() : (random() & 1) * 255);
    SCOPED_TRACE(std::to_string(in.width) + "x" + std::to_string(in.height) + " to " +
                 std::to_string(size));
    const auto out = ResizeAndCrop(MakeImage(in.width, in.height, in.rgb), size);
    ASSERT_TRUE(out.ok());
    ASSERT_EQ(Pixels(*out), PlainResizeAndCrop(in, size));
  }
}

// Only the crop is computed: the whole long side would be 30 million pixels and more.
TEST(Resize, ExtremeShapes) {
  for (const auto& [width, height] :
       {std::pair<size_t, size_t>{1, 60000}, {30000, 2}, {100000, 1}}) {
    const std::vector<uint8_t> rgb(width * height * 3, 77);
    const auto out = ResizeAndCrop(MakeImage(width, height, rgb), 512);
    ASSERT_TRUE(out.ok());
    EXPECT_EQ(Pixels(*out), std::vector<uint8_t>(512 * 512 * 3, 77));
  }
}

TEST(Resize, Errors) {
  EXPECT_EQ(ResizeAndCrop(RgbImage(), 8).status().code(), Code::kInvalidImage);
  const std::vector<uint8_t> rgb(3);
  EXPECT_EQ(ResizeAndCrop(MakeImage(1, 1, rgb), 0).status().code(), Code::kInvalidImage);
  EXPECT_EQ(ResizeAndCrop(MakeImage(1, 1, rgb), 100000).status().code(), Code::kInvalidImage);
}

TEST(Normalize, GoldenImages) {
  const auto expected = testing::ReadJson(TestData("golden-a/expected.json"));
  const auto preprocessor = testing::ReadJson(TestData("golden-a/preprocessor_config.json"));
  const GoldenTensors tensors = GoldenTensors::Load(TestData("golden-a/expected.safetensors"));
  PreprocessConfig config;
  config.size = preprocessor["size"];
  for (size_t c = 0; c < 3; ++c) {
    config.mean[c] = preprocessor["mean"][c];
    config.std[c] = preprocessor["std"][c];
  }
  for (const auto& entry : expected["images"]) {
    const std::string name = entry["file"];
    SCOPED_TRACE(name);
    const std::vector<float> golden = tensors.F32("image.pixels." + name);
    std::vector<float> pixels(golden.size());
    NormalizePixels(FromTensor(tensors, "image.resized_cropped." + name), config, pixels);
    float largest = 0;
    for (size_t i = 0; i < golden.size(); ++i)
      largest = std::max(largest, std::abs(pixels[i] - golden[i]));
    EXPECT_LE(largest, 1e-6f);
  }
}

}  // namespace
}  // namespace clipglot
