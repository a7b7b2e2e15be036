// 4-bit models: the kernels compute what float32 computes on the same weights, a pack and a
// checkpoint are the same model, and a text is the same alone, in any order, and on any threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/int8_paths.h"
#include "engine/load.h"

namespace clipglot::testing {
namespace {

constexpr uint64_t kOneShard = uint64_t{64} << 20;

double Cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i)
    dot += double{a[i]} * b[i], aa += double{a[i]} * a[i], bb += double{b[i]} * b[i];
  return dot / std::sqrt(aa * bb);
}

// NAME.q4 and NAME.scale as floats, by the words of docs/FORMAT.md.
RawTensor Dequantized(const std::string& name, const RawTensor& values, const RawTensor& scales,
                      uint64_t columns) {
  const uint64_t rows = values.shape[0], row_bytes = (columns + 1) / 2,
                 blocks = (columns + 31) / 32;
  EXPECT_EQ(values.shape[1], row_bytes) << name;
  EXPECT_EQ(scales.shape, (std::vector<uint64_t>{rows, blocks})) << name;
  const std::vector<float> scale = Numbers(scales);  // BF16
  std::vector<float> numbers(rows * columns);
  for (uint64_t r = 0; r < rows; ++r) {
    for (uint64_t c = 0; c < columns; ++c) {
      const auto byte = static_cast<int>(values.bytes[r * row_bytes + c / 2]);
      const int value = (c % 2 == 0 ? byte % 16 : byte / 16) - 8;
      numbers[r * columns + c] = scale[r * blocks + c / 32] * static_cast<float>(value);
    }
  }
  return FloatTensor(name, {rows, columns}, numbers);
}

// The same model in float32: every matrix of the q4 pack as what its values and scales stand for.
Files DequantizedPack(const Files& q4, const Files& f32) {
  Files out = f32;
  nlohmann::json manifest = JsonOf(f32.at("manifest.json"));
  size_t matrices = 0;
  for (nlohmann::json& shard : manifest["shards"]) {
    const std::string path = shard["path"];
    std::vector<RawTensor> tensors = SplitTensors(f32.at(path)), packed = SplitTensors(q4.at(path));
    for (RawTensor& tensor : tensors) {
      const auto found = std::find_if(packed.begin(), packed.end(), [&](const RawTensor& other) {
        return other.name == tensor.name + ".q4";
      });
      if (found == packed.end()) continue;
      tensor =
          Dequantized(tensor.name, *found, Named(packed, tensor.name + ".scale"), tensor.shape[1]);
      ++matrices;
    }
    const Bytes file = JoinTensors(tensors);
    const nlohmann::json signed_again = SignedFile(path, file);
    shard["bytes"] = signed_again["bytes"];
    shard["sha256"] = signed_again["sha256"];
    out[path] = file;
  }
  EXPECT_GE(matrices, 1u + 4 * 3 + 4 * 3);
  out["manifest.json"] = SignManifest(manifest);
  return out;
}

EngineOptions Options(WeightFormat format, size_t threads) {
  EngineOptions options;
  options.format = format;
  options.threads = threads;
  options.max_tokens = 1024;
  return options;
}

std::vector<float> Text(Engine& engine, const std::string& text, const char* task = "") {
  TextOptions options;
  options.task = task;
  const auto view = engine.EmbedText(text, options);
  EXPECT_TRUE(view.ok()) << view.status().detail();
  return view.ok() ? std::vector<float>(view->vector.begin(), view->vector.end())
                   : std::vector<float>();
}

std::vector<float> Image(Engine& engine, const std::string& file) {
  const auto view =
      engine.EmbedEncodedImage(ReadFile(TestData("golden-a/images/" + file)), ImageOptions());
  EXPECT_TRUE(view.ok()) << view.status().detail();
  return view.ok() ? std::vector<float>(view->vector.begin(), view->vector.end())
                   : std::vector<float>();
}

class Q4 : public ::testing::Test {
 protected:
  const Files model_ = ReadFolder("golden-a");
  const nlohmann::json json_ = ReadJson(TestData("golden-a/expected.json"));
};

TEST_F(Q4, EveryGoldenRowIsNearFloatsOnTheSameWeights) {
  const Files q4 = MakePack(model_, WeightFormat::kInt4Block32, kOneShard);
  const auto engine = MakeEngine(q4, Options(WeightFormat::kInt4Block32, 1));
  const auto judge =
      MakeEngine(DequantizedPack(q4, MakePack(model_, WeightFormat::kF32, kOneShard)),
                 Options(WeightFormat::kF32, 1));
  ASSERT_TRUE(engine && judge);
  EXPECT_EQ(engine->Info().format, WeightFormat::kInt4Block32);
  size_t rows = 0;
  for (const auto& text : json_["texts"]) {
    if (text["ids_query"].size() > 1024) continue;
    for (const char* task : {"", "retrieval.query"}) {
      const std::string words = text["text"];
      EXPECT_GE(Cosine(Text(*engine, words, task), Text(*judge, words, task)), 0.996)
          << text["name"] << task;
      ++rows;
    }
  }
  for (const auto& image : json_["images"]) {
    EXPECT_GE(Cosine(Image(*engine, image["file"]), Image(*judge, image["file"])), 0.996)
        << image["file"];
    ++rows;
  }
  EXPECT_GT(rows, 60u);
}

TEST_F(Q4, TheSameBitsOnEveryPath) {
  const Files q4 = MakePack(model_, WeightFormat::kInt4Block32, kOneShard);
  const auto first = MakeEngine(q4, Options(WeightFormat::kInt4Block32, 1));
  ASSERT_NE(first, nullptr);
  for (const Int8Path& path : Int8Paths()) {
    SCOPED_TRACE(path.name);
    const ForcedInt8Isa forced(path.isa);
    const auto engine = MakeEngine(q4, Options(WeightFormat::kInt4Block32, 4));
    ASSERT_NE(engine, nullptr);
    for (const auto& text : json_["texts"]) {
      if (text["ids"].size() > 1024) continue;
      EXPECT_EQ(Text(*engine, text["text"]), Text(*first, text["text"])) << text["name"];
    }
    for (const auto& image : json_["images"])
      EXPECT_EQ(Image(*engine, image["file"]), Image(*first, image["file"])) << image["file"];
  }
}

TEST_F(Q4, ACheckpointAndItsPackAreTheSameModelOnAnyThreads) {
  const auto packed = MakeEngine(MakePack(model_, WeightFormat::kInt4Block32, 100'000),
                                 Options(WeightFormat::kF32, 1));
  const auto direct = MakeEngine(model_, Options(WeightFormat::kInt4Block32, 2));
  ASSERT_TRUE(packed && direct);
  for (const auto* engine : {&packed, &direct})
    EXPECT_EQ((*engine)->Info().format, WeightFormat::kInt4Block32);
  for (size_t i = json_["texts"].size(); i-- > 0;) {
    const auto& text = json_["texts"][i];
    if (text["ids"].size() > 1024) continue;
    EXPECT_EQ(Text(*packed, text["text"]), Text(*direct, text["text"])) << text["name"];
  }
  const std::string file = json_["images"][0]["file"];
  EXPECT_EQ(Image(*packed, file), Image(*direct, file));
}

TEST_F(Q4, IsHalfTheSizeOfQ8) {
  const auto bytes = [&](WeightFormat format) {
    const auto engine =
        MakeEngine(MakePack(model_, format, kOneShard), Options(WeightFormat::kF32, 1));
    return static_cast<double>(engine->Info().resident_bytes);
  };
  // The patch embedding and the positions are float32 in both.
  EXPECT_LT(bytes(WeightFormat::kInt4Block32), 0.75 * bytes(WeightFormat::kInt8PerRow));
}

}  // namespace
}  // namespace clipglot::testing
