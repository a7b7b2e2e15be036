// The self-test of a pack: the converter's vectors are the engine's, and whatever computes
// something else is refused.
#include "engine/self_test.h"

#include <gtest/gtest.h>

#include "base/trace.h"
#include "convert/convert.h"
#include "convert/self_test_content.h"
#include "engine/reference_model.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;

EngineOptions Options(bool text = true, bool vision = true) {
  EngineOptions options;
  options.text = text;
  options.vision = vision;
  return options;
}

// The pack with another manifest, signed again.
Files Changed(Files pack, const std::function<void(json&)>& change) {
  json manifest = JsonOf(pack.at("manifest.json"));
  manifest.erase("sha256");
  change(manifest);
  pack["manifest.json"] = SignManifest(manifest);
  return pack;
}

// The pack with zeros in place of the numbers of all its tensors whose name holds `part`; every
// hash is right again.
Files Tampered(const Files& pack, const std::string& part) {
  Files changed = pack;
  size_t found = 0;
  for (auto& [path, bytes] : changed) {
    if (!path.ends_with(".safetensors")) continue;
    std::vector<RawTensor> tensors = SplitTensors(bytes);
    for (RawTensor& tensor : tensors) {
      if (tensor.name.find(part) == std::string::npos) continue;
      std::fill(tensor.bytes.begin(), tensor.bytes.end(), std::byte{0});
      ++found;
    }
    bytes = JoinTensors(tensors);
  }
  EXPECT_GT(found, 0u) << part;
  return Changed(changed, [&](json& manifest) {
    for (json& shard : manifest["shards"]) {
      const std::string tower = shard["tower"];
      shard = SignedFile(shard["path"], changed.at(shard["path"]));
      shard["tower"] = tower;
    }
  });
}

Status LoadStatus(const Files& files, const EngineOptions& options) {
  auto engine = Engine::Create(options);
  EXPECT_TRUE(engine.ok());
  const Status status = Load(**engine, files);
  EXPECT_EQ((*engine)->ready(), status.ok());
  return status;
}

void ExpectRefused(const Files& files, const std::vector<std::string>& parts,
                   const EngineOptions& options = Options()) {
  const Status status = LoadStatus(files, options);
  EXPECT_EQ(status.code(), Code::kCorruptModel) << status.detail();
  for (const std::string& part : parts)
    EXPECT_NE(status.detail().find(part), std::string::npos) << status.detail();
}

const Files& Pack(WeightFormat format) {
  static std::map<WeightFormat, Files> packs;
  if (!packs.contains(format)) packs[format] = GoldenPack(format);
  return packs.at(format);
}

TEST(SelfTest, SoundPacksPass) {
  for (const WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kInt8PerRow, WeightFormat::kInt4Block32}) {
    for (const auto& [text, vision] :
         {std::pair(true, true), std::pair(true, false), std::pair(false, true)}) {
      const Status status = LoadStatus(Pack(format), Options(text, vision));
      EXPECT_TRUE(status.ok()) << TraitsOf(format).name << ": " << status.detail();
    }
  }
}

// Computed in steps, layer by layer, the vectors have the bits of the engine that holds the whole
// checkpoint.
TEST(SelfTest, TheVectorsAreTheCheckpointsInFloat32) {
  EngineOptions options = Options();
  options.format = WeightFormat::kF32;
  const auto engine = MakeEngine(GoldenModel(), options);
  ASSERT_TRUE(engine);
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kInt8PerRow}) {
    const json manifest = JsonOf(Pack(format).at("manifest.json"));
    const auto test =
        ParseSelfTest(*Json::Parse(manifest["selfTest"].dump(), "manifest.json"), 64, 4);
    ASSERT_TRUE(test.ok()) << test.status().detail();
    EXPECT_EQ(test->texts.size(), 2u);
    EXPECT_EQ(test->texts.back().task, "retrieval.query");
    ASSERT_TRUE(test->image);
    EXPECT_EQ(test->min_cosine, MinCosine(format));
    EXPECT_GE(test->reached, format == WeightFormat::kF32 ? 1 : 0.996);
    for (const SelfTest::Text& item : test->texts) {
      TextOptions text;
      text.task = item.task;
      const auto view = engine->EmbedText(item.text, text);
      ASSERT_TRUE(view.ok());
      EXPECT_TRUE(std::equal(item.vector.begin(), item.vector.end(), view->vector.begin(),
                             view->vector.end()))
          << item.text;
    }
    SelfTest whole = *test;
    whole.min_cosine = 0.999999;
    SelfTestEngine tested;
    tested.text = [&](const SelfTest::Text& item) {
      TextOptions text;
      text.task = item.task;
      return engine->EmbedText(item.text, text);
    };
    tested.image = [&](const SelfTest::Image& item) {
      EXPECT_EQ(item.patches, 0u);
      return engine->EmbedPixels({item.Rgba(), item.width, item.height}, ImageOptions());
    };
    EXPECT_TRUE(RunSelfTest(whole, tested).ok());
  }
}

// A self-test reads some patches of a whole picture, which is not what the option `grid` asks for:
// the engine that ran one gives the bits of the engine that did not.
TEST(SelfTest, LeavesNoTraceInLaterCalls) {
  std::vector<uint8_t> rgba(4 * 50 * 37);
  for (size_t i = 0; i < rgba.size(); ++i) rgba[i] = static_cast<uint8_t>(i * i % 251);
  const auto tested = MakeEngine(Pack(WeightFormat::kInt8PerRow), Options(false, true));
  EngineOptions options = Options(false, true);
  options.self_test = false;
  const auto untested = MakeEngine(Pack(WeightFormat::kInt8PerRow), options);
  ASSERT_NE(tested, nullptr);
  ASSERT_NE(untested, nullptr);
  const auto embed = [&](Engine& engine, size_t grid) {
    ImageOptions image;
    image.grid = grid;
    const auto view = engine.EmbedPixels({rgba, 50, 37}, image);
    EXPECT_TRUE(view.ok()) << view.status().detail();
    return view.ok() ? std::vector<float>(view->vector.begin(), view->vector.end())
                     : std::vector<float>();
  };
  for (const size_t grid : {2, 0, 3, 2, 1, 0})
    EXPECT_EQ(embed(*tested, grid), embed(*untested, grid)) << grid;
}

// Of a model with many patches, the picture's vector is that of 5 x 5, as if the others were
// masked.
TEST(SelfTest, LargeGridsAreReadInPart) {
  json config = JsonOf(GoldenModel().at("config.json")),
       preprocessor = JsonOf(GoldenModel().at("preprocessor_config.json"));
  config["vision_config"]["image_size"] = preprocessor["size"] = 14 * 9 + 3;
  Files model = RandomModel(config, preprocessor);
  model["tokenizer.json"] = GoldenModel().at("tokenizer.json");
  Files pack = MakePack(model, WeightFormat::kF32, 1 << 20);
  const auto writer = PackWriter::Create({true, true, WeightFormat::kF32});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(Convert(**writer, model, [] { return true; }).ok());
  const json test = json::parse(*(*writer)->SelfTestJson());
  EXPECT_FALSE(test.contains("image"));
  EXPECT_EQ(test["imagePatches"]["patches"], 5);
  const auto parsed = ParseSelfTest(*Json::Parse(test.dump(), "manifest.json"), 64, 9);
  ASSERT_TRUE(parsed.ok()) << parsed.status().detail();

  struct Pixels final : TraceSink {
    void OnStage(std::string_view name, DType, std::span<const size_t>,
                 std::span<const std::byte> data) override {
      if (name != "pixels") return;
      values.resize(data.size() / sizeof(float));
      std::memcpy(values.data(), data.data(), data.size());
    }
    std::vector<float> values;
  } pixels;
  EngineOptions options = Options();
  options.format = WeightFormat::kF32;
  const auto engine = MakeEngine(model, options);
  ASSERT_TRUE(engine);
  std::vector<uint8_t> rgba;
  for (size_t i = 0; i < parsed->image->rgb.size(); i += 3) {
    rgba.insert(rgba.end(), parsed->image->rgb.begin() + i, parsed->image->rgb.begin() + i + 3);
    rgba.push_back(255);
  }
  const auto whole = engine->EmbedPixels({rgba, parsed->image->width, parsed->image->height},
                                         ImageOptions(), {.trace = &pixels});
  ASSERT_TRUE(whole.ok());
  EXPECT_LT(Cosine(whole->vector, parsed->image->vector), 0.999999);
  const Doubles expected = ReferenceModel(model).EmbedPixels(pixels.values, {0, 2, 4, 6, 8});
  EXPECT_GT(Cosine(std::vector<float>(expected.begin(), expected.end()), parsed->image->vector),
            0.9999999);

  json manifest = JsonOf(pack.at("manifest.json"));
  manifest["selfTest"] = test;
  pack["manifest.json"] = SignManifest(manifest);
  const auto loaded = MakeEngine(pack, Options());
  ASSERT_TRUE(loaded);
  // Afterwards all patches are read again.
  const std::vector<float> before(whole->vector.begin(), whole->vector.end());
  const auto after =
      loaded->EmbedPixels({rgba, parsed->image->width, parsed->image->height}, ImageOptions());
  ASSERT_TRUE(after.ok());
  EXPECT_GT(Cosine(before, after->vector), 0.999999);

  ExpectRefused(Tampered(pack, "blocks.1.attn.proj.weight"), {"self-test", "image"});
  for (const json& wrong : {json(0), json(10), json("5")}) {
    ExpectRefused(
        Changed(pack, [&](json& all) { all["selfTest"]["imagePatches"]["patches"] = wrong; }),
        {"imagePatches", "patches"});
  }
}

TEST(SelfTest, DamageWithRightHashesIsFound) {
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kInt8PerRow}) {
    const Files text = Tampered(Pack(format), "encoder.layers.1.norm1.weight");
    ExpectRefused(text, {"self-test", "text 0", "cosine",
                         format == WeightFormat::kInt8PerRow ? "0.985" : "0.9999"});
    const Files vision = Tampered(Pack(format), "blocks.0.norm2.weight");
    ExpectRefused(vision, {"self-test", "image"});
    // Only what was asked for is tested.
    EXPECT_TRUE(LoadStatus(vision, Options(true, false)).ok());
    EXPECT_TRUE(LoadStatus(text, Options(false, true)).ok());
    EngineOptions skip = Options();
    skip.self_test = false;
    EXPECT_TRUE(LoadStatus(text, skip).ok());
    EXPECT_TRUE(LoadStatus(vision, skip).ok());
  }
}

TEST(SelfTest, AWrongVectorIsFound) {
  ExpectRefused(Changed(Pack(WeightFormat::kInt8PerRow),
                        [](json& manifest) {
                          json& texts = manifest["selfTest"]["texts"];
                          texts[1]["vector"] = texts[0]["vector"];
                        }),
                {"text 1", "cosine"});
  ExpectRefused(Changed(Pack(WeightFormat::kInt8PerRow),
                        [](json& manifest) {
                          manifest["selfTest"]["image"]["vector"] =
                              manifest["selfTest"]["texts"][0]["vector"];
                        }),
                {"image", "cosine"});
}

TEST(SelfTest, WhatTheEngineCannotReadWholeIsLeftOut) {
  EngineOptions options = Options();
  options.max_tokens = 2;
  options.max_pixels = 1;
  const Files pack = Changed(Pack(WeightFormat::kInt8PerRow),
                             [](json& manifest) { manifest["selfTest"]["minCosine"] = 1; });
  EXPECT_TRUE(LoadStatus(pack, options).ok());
  ExpectRefused(pack, {"text 0"});
}

TEST(SelfTest, APackMayHaveNone) {
  EXPECT_TRUE(
      LoadStatus(MakePack(GoldenModel(), WeightFormat::kInt8PerRow, 1 << 20), Options()).ok());
  EXPECT_TRUE(LoadStatus(Changed(Pack(WeightFormat::kInt8PerRow),
                                 [](json& manifest) { manifest["selfTest"] = nullptr; }),
                         Options())
                  .ok());
  EXPECT_TRUE(LoadStatus(Changed(Pack(WeightFormat::kInt8PerRow),
                                 [](json& manifest) {
                                   manifest["selfTest"].erase("texts");
                                   manifest["selfTest"].erase("image");
                                 }),
                         Options())
                  .ok());
}

TEST(SelfTest, RejectsInvalidSelfTests) {
  const auto refused = [](const std::string& part, const std::function<void(json&)>& change) {
    const Files pack = Changed(Pack(WeightFormat::kInt8PerRow),
                               [&](json& manifest) { change(manifest["selfTest"]); });
    ExpectRefused(pack, {"manifest.json: selfTest", part});
    EngineOptions skip = Options();
    skip.self_test = false;
    EXPECT_TRUE(LoadStatus(pack, skip).ok());
  };
  refused("object", [](json& test) { test = 1; });
  refused("dimensions", [](json& test) { test["dimensions"] = 63; });
  refused("minCosine", [](json& test) { test["minCosine"] = 1.5; });
  refused("minCosine", [](json& test) { test.erase("minCosine"); });
  refused("texts", [](json& test) { test["texts"] = "all"; });
  refused("texts", [](json& test) { test["texts"] = std::vector<json>(65, test["texts"][0]); });
  refused("text", [](json& test) { test["texts"][0]["text"] = std::string(5000, 'a'); });
  refused("vector", [](json& test) { test["texts"][0]["vector"] = "AAAA"; });
  refused("vector", [](json& test) { test["texts"][1]["vector"] = "not base64"; });
  refused("width", [](json& test) { test["image"]["width"] = 100'000; });
  refused("rgb", [](json& test) { test["image"]["rgb"] = "AAAA"; });
  std::string nan;  // 64 numbers of all bits set
  for (int i = 0; i < 85; ++i) nan += "////";
  refused("NaN", [&](json& test) { test["image"]["vector"] = nan + "/w=="; });
}

}  // namespace
}  // namespace clipglot::testing
