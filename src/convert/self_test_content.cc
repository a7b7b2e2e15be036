#include "convert/self_test_content.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"

namespace clipglot {
namespace {

// The texts: few and short, since every loading pays for each token; several scripts all the same.
constexpr struct {
  const char* text;
  const char* task;
} kTexts[] = {
    {"A red fox, 東京の夜 الشمس", ""},
    {"Где हिमालय? 🌄", "retrieval.query"},
};
constexpr size_t kPictureWidth = 24, kPictureHeight = 16;
constexpr size_t kPatches =
    5;  // a side: with the class token, enough rows for every loop of a kernel

std::string_view AsText(std::span<const float> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
}

}  // namespace

SelfTest SelfTestInputs(bool text, bool vision, size_t grid) {
  SelfTest test;
  if (text) {
    for (const auto& [words, task] : kTexts) test.texts.push_back({words, task, {}});
  }
  if (vision) {
    // A sloping colour ramp with a bright disc and dark stripes: every channel, edges, both
    // directions.
    SelfTest::Image image{kPictureWidth, kPictureHeight, {}, grid > kPatches ? kPatches : 0, {}};
    for (size_t y = 0; y < kPictureHeight; ++y) {
      for (size_t x = 0; x < kPictureWidth; ++x) {
        const int dx = static_cast<int>(x) - 8, dy = static_cast<int>(y) - 7;
        const bool disc = dx * dx + dy * dy < 26, stripe = x > 15 && y % 4 < 2;
        const size_t ramp[] = {x * 10, 40 + y * 12, 230 - x * 6};
        const uint8_t bright[] = {250, 205, 60};
        for (size_t c = 0; c < 3; ++c) {
          image.rgb.push_back(disc ? bright[c]
                                   : static_cast<uint8_t>(stripe ? ramp[c] / 4 : ramp[c]));
        }
      }
    }
    test.image = std::move(image);
  }
  return test;
}

double MinCosine(WeightFormat dtype) {
  switch (dtype) {
    case WeightFormat::kF32:
      return 0.9999;
    case WeightFormat::kInt8PerRow:
      return 0.985;
    case WeightFormat::kInt4Block32:
      return 0.95;
  }
  return 1;
}

std::string SelfTestJson(const SelfTest& test) {
  std::string texts;
  for (const SelfTest::Text& item : test.texts) {
    texts +=
        StrCat(texts.empty() ? "" : ",", "{\"text\":", JsonQuote(item.text),
               item.task.empty() ? "" : ",\"task\":", item.task.empty() ? "" : JsonQuote(item.task),
               ",\"vector\":\"", EncodeBase64(AsText(item.vector)), "\"}");
  }
  std::string json =
      StrCat("{\"dimensions\":", test.dimensions, ",\"minCosine\":", FormatDouble(test.min_cosine),
             ",\"reached\":", FormatDouble(test.reached), ",\"texts\":[", texts, "]");
  if (test.image) {
    const std::string_view rgb(reinterpret_cast<const char*>(test.image->rgb.data()),
                               test.image->rgb.size());
    json += StrCat(test.image->patches > 0
                       ? StrCat(",\"imagePatches\":{\"patches\":", test.image->patches, ",")
                       : ",\"image\":{",
                   "\"width\":", test.image->width, ",\"height\":", test.image->height,
                   ",\"rgb\":\"", EncodeBase64(rgb), "\",\"vector\":\"",
                   EncodeBase64(AsText(test.image->vector)), "\"}");
  }
  return json + "}";
}

}  // namespace clipglot
