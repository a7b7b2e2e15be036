// The whole engine on a small golden checkpoint: from bytes to vectors, against what the upstream
// model gives. In 8 bits on every path that the package's builds take.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/int8_paths.h"
#include "engine/load.h"

namespace clipglot::testing {
namespace {

constexpr char kGolden[] = "golden-a";

// Row `i` of a [rows, columns] tensor.
std::span<const float> Row(const std::vector<float>& tensor, size_t rows, size_t i) {
  const size_t columns = tensor.size() / rows;
  return std::span(tensor).subspan(i * columns, columns);
}

double MaxDifference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double max = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i)
    max = std::max(max, std::abs(double{a[i]} - b[i]));
  return max;
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i)
    dot += double{a[i]} * b[i], aa += double{a[i]} * a[i], bb += double{b[i]} * b[i];
  return dot / std::sqrt(aa * bb);
}

struct Run {
  WeightFormat format;
  Int8Isa isa;
  size_t threads;
};

class GoldenRoad : public ::testing::TestWithParam<Run> {
 protected:
  void SetUp() override {
    const ForcedInt8Isa forced(GetParam().isa);
    EngineOptions options;
    options.format = GetParam().format;
    options.threads = GetParam().threads;
    options.max_tokens = 1024;
    engine_ = MakeEngine(ReadFolder(kGolden), options);
    ASSERT_NE(engine_, nullptr);
    json_ = ReadJson(TestData("golden-a/expected.json"));
    tensors_ = GoldenTensors::Load(TestData("golden-a/expected.safetensors"));
  }
  bool f32() const { return GetParam().format == WeightFormat::kF32; }

  // Compares one vector, and gives its cosine so that the caller can average.
  double Check(std::span<const float> got, std::span<const float> expected,
               const std::string& name) const {
    const double cosine = Cosine(got, expected);
    if (f32()) {
      EXPECT_LE(MaxDifference(got, expected), 1e-5) << name;
    } else {
      EXPECT_GE(cosine, 0.996) << name;
    }
    return cosine;
  }

  std::unique_ptr<Engine> engine_;
  nlohmann::json json_;
  GoldenTensors tensors_;
};

TEST_P(GoldenRoad, TextsBecomeUpstreamsVectors) {
  const size_t count = json_["texts"].size();
  const std::pair<const char*, const char*> kinds[] = {
      {"", "text.document.normalized"}, {"retrieval.query", "text.query.normalized"}};
  for (const auto& [task, tensor] : kinds) {
    const std::vector<float> expected = tensors_.F32(tensor);
    double cosines = 0;
    size_t compared = 0;
    for (size_t i = 0; i < count; ++i) {
      const auto& text = json_["texts"][i];
      // The 9,000-token text is the golden command's affair.
      if (text["ids_query"].size() > 1024) continue;
      TextOptions options;
      options.task = task;
      const auto view = engine_->EmbedText(text["text"].get<std::string>(), options);
      ASSERT_TRUE(view.ok()) << view.status().detail();
      cosines += Check(view->vector, Row(expected, count, i), text["name"].get<std::string>());
      ++compared;
    }
    ASSERT_GT(compared, 30u);
    EXPECT_GE(cosines / compared, 0.999);
  }
}

TEST_P(GoldenRoad, TruncationIsCutThenNormalised) {
  for (const int dimensions : json_["truncate_dims"].get<std::vector<int>>()) {
    const std::string suffix = "_" + std::to_string(dimensions);
    const std::vector<float> expected = tensors_.F32("text.document.normalized" + suffix);
    TextOptions options;
    options.dimensions = dimensions;
    const auto view = engine_->EmbedText(json_["texts"][0]["text"].get<std::string>(), options);
    ASSERT_TRUE(view.ok());
    ASSERT_EQ(view->vector.size(), static_cast<size_t>(dimensions));
    if (f32()) {
      EXPECT_LE(MaxDifference(view->vector, Row(expected, json_["texts"].size(), 0)), 1e-5);
    }
    // A shorter vector from the full one is the same.
    const std::vector<float> direct(view->vector.begin(), view->vector.end());
    const auto full =
        engine_->EmbedText(json_["texts"][0]["text"].get<std::string>(), TextOptions());
    const std::vector<float> copy(full->vector.begin(), full->vector.end());
    const auto shorter = engine_->Truncate(copy, options);
    ASSERT_TRUE(shorter.ok());
    EXPECT_LE(MaxDifference(shorter->vector, direct), 1e-6);
  }
}

TEST_P(GoldenRoad, LongTextsAreCutAndReported) {
  const size_t row = json_["max_length_512_rows"][0].get<size_t>();
  TextOptions options;
  options.max_tokens = 512;
  options.normalized = false;
  const std::string text = json_["texts"][row]["text"].get<std::string>();
  const auto view = engine_->EmbedText(text, options);
  ASSERT_TRUE(view.ok());
  EXPECT_TRUE(view->truncated);
  EXPECT_EQ(view->tokens, 512u);
  EXPECT_EQ(view->total_tokens, json_["texts"][row]["ids"].size());
  const std::vector<float> expected = tensors_.F32("text.document_max_length_512.raw");
  if (f32()) {
    EXPECT_LE(MaxDifference(view->vector, Row(expected, json_["max_length_512_rows"].size(), 0)),
              1e-4);
  }
  options.error_when_too_long = true;
  EXPECT_EQ(engine_->EmbedText(text, options).status().code(), Code::kTooLong);
  const auto tokens = engine_->CountTokens(text, TextOptions());
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->tokens, json_["texts"][row]["ids"].size());
  EXPECT_EQ(tokens->max_tokens, 1024u);
}

TEST_P(GoldenRoad, ImagesBecomeUpstreamsVectors) {
  const std::vector<float> expected = tensors_.F32("image.normalized");
  const size_t count = json_["images"].size();
  double cosines = 0;
  for (size_t j = 0; j < count; ++j) {
    const std::string file = json_["images"][j]["file"].get<std::string>();
    const std::string tensor = "image.decoded_rgb." + file;
    const std::vector<uint8_t> rgb = tensors_.U8(tensor);
    const std::vector<size_t> shape = tensors_.Shape(tensor);
    std::vector<uint8_t> rgba;
    for (size_t i = 0; i < rgb.size(); i += 3) {
      for (size_t k = 0; k < 3; ++k) rgba.push_back(rgb[i + k]);
      rgba.push_back(static_cast<uint8_t>(i));
    }
    const auto view = engine_->EmbedPixels({rgba, shape[1], shape[0]}, ImageOptions());
    ASSERT_TRUE(view.ok()) << view.status().detail();
    cosines += Check(view->vector, Row(expected, count, j), file);

    // From the file: a JPEG decoder may differ by a little, a PNG decoder may not.
    ImageOptions stored;
    stored.ignore_orientation = true;
    const auto encoded =
        engine_->EmbedEncodedImage(ReadFile(TestData("golden-a/images/" + file)), stored);
    ASSERT_TRUE(encoded.ok()) << encoded.status().detail();
    EXPECT_GE(Cosine(encoded->vector, Row(expected, count, j)),
              f32() && file.ends_with(".png") ? 0.999999 : 0.99);
  }
  EXPECT_GE(cosines / count, 0.999);
}

std::vector<Run> Runs() {
  std::vector<Run> runs;
  for (const size_t threads : {size_t{1}, size_t{4}}) {
    runs.push_back({WeightFormat::kF32, Int8Isa::kI16Madd, threads});
    for (const Int8Path& path : Int8Paths())
      runs.push_back({WeightFormat::kInt8PerRow, path.isa, threads});
  }
  return runs;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenRoad, ::testing::ValuesIn(Runs()), [](const auto& run) {
  return std::string(TraitsOf(run.param.format).name) + "_" + TestName(run.param.isa) + "_" +
         std::to_string(run.param.threads) + "_threads";
});

}  // namespace
}  // namespace clipglot::testing
