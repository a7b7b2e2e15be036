// Other models than the golden one: sizes, grids, rotary bases, adapters and number formats, each
// against plain loops in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/trace.h"
#include "engine/load.h"
#include "engine/reference_model.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;

// Random numbers of a sane size for each tensor of a checkpoint, and golden-a's tokenizer.
Files MakeCheckpoint(const json& config, const json& preprocessor, const std::string& dtype,
                     unsigned seed) {
  Files files = RandomModel(config, preprocessor);
  files["tokenizer.json"] = GoldenModel().at("tokenizer.json");
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<RawTensor> tensors;
  for (const RawTensor& shape : SplitTensors(files["model.safetensors"])) {
    std::vector<float> numbers = Numbers(shape);
    const bool norm =
        shape.name.find("norm") != std::string::npos || shape.name.find("_ln") != std::string::npos;
    const bool gain = norm && shape.name.ends_with(".weight");
    const bool matrix = shape.shape.size() >= 2 && shape.name.find("lora") == std::string::npos &&
                        shape.name.find("embeddings") == std::string::npos &&
                        !shape.name.ends_with("pos_embed");
    const float scale = gain ? 0.2f
                        : matrix
                            ? 1.2f / std::sqrt(static_cast<float>(numbers.size()) / shape.shape[0])
                            : 0.3f;
    for (float& number : numbers) number = (gain ? 1.0f : 0.0f) + scale * normal(random);
    RawTensor tensor = FloatTensor(shape.name, shape.shape, numbers);
    tensors.push_back(dtype == "F32" ? tensor : Narrowed(tensor, dtype));
  }
  files["model.safetensors"] = JoinTensors(tensors);
  return files;
}

struct Shape {
  const char* name;
  int hidden, heads, layers, inner, image, patch, head_width, vision_layers;
  double mlp_ratio, rotary_base;
  int rank, alpha, adapters;  // rank 0: no adapter
  const char* dtype;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

const Shape kShapes[] = {
    {"whole_grid", 64, 4, 2, 200, 42, 14, 32, 2, 2.6667, 20000, 4, 4, 1, "F32"},
    {"broken_grid_other_base_and_scale", 96, 3, 2, 131, 61, 14, 32, 2, 2.6667, 777, 3, 7, 2, "F32"},
    {"bf16", 48, 2, 3, 64, 40, 16, 24, 1, 1.7, 10000, 2, 1, 3, "BF16"},
    {"f16_without_adapter", 40, 5, 1, 96, 33, 8, 8, 3, 2.6667, 20000, 0, 0, 0, "F16"},
    {"wide_heads", 256, 1, 1, 300, 28, 14, 128, 1, 2.0, 500000, 4, 4, 1, "F32"},
    {"one_patch", 32, 2, 1, 32, 13, 8, 16, 1, 3.0, 20000, 1, 2, 1, "BF16"},
};

class Shapes : public ::testing::TestWithParam<Shape> {};

TEST_P(Shapes, AgreesWithTheReference) {
  const Shape& shape = GetParam();
  json config = JsonOf(GoldenModel().at("config.json")),
       preprocessor = JsonOf(GoldenModel().at("preprocessor_config.json"));
  json& kwargs = config["text_config"]["hf_model_config_kwargs"];
  kwargs["hidden_size"] = shape.hidden;
  kwargs["num_attention_heads"] = shape.heads;
  kwargs["num_hidden_layers"] = shape.layers;
  kwargs["intermediate_size"] = shape.inner;
  kwargs["rotary_emb_base"] = shape.rotary_base;
  kwargs["lora_rank"] = std::max(shape.rank, 1);
  kwargs["lora_alpha"] = shape.alpha;
  json adapters = json::array();
  for (int i = 0; i < shape.adapters; ++i)
    adapters.push_back(i + 1 == shape.adapters ? "retrieval.query" : "other." + std::to_string(i));
  kwargs["lora_adaptations"] = shape.rank == 0 ? json() : adapters;
  if (shape.rank == 0) config["text_config"]["default_lora_task"] = nullptr;
  config["text_config"]["embed_dim"] = config["projection_dim"] = shape.hidden;
  config["matryoshka_dimensions"] = {8, 16, shape.hidden};
  json& vision = config["vision_config"];
  vision["embed_dim"] = vision["width"] = shape.hidden;
  vision["head_width"] = shape.head_width;
  vision["layers"] = shape.vision_layers;
  vision["mlp_ratio"] = shape.mlp_ratio;
  vision["image_size"] = preprocessor["size"] = shape.image;
  vision["patch_size"] = shape.patch;
  const Files files = MakeCheckpoint(config, preprocessor, shape.dtype, 11);
  const ReferenceModel reference(files);

  std::mt19937 random(3);
  for (const size_t threads : {size_t{1}, size_t{2}}) {
    EngineOptions options;
    options.format = WeightFormat::kF32;
    options.threads = threads;
    const auto engine = MakeEngine(files, options);
    ASSERT_NE(engine, nullptr);
    struct Stages final : TraceSink {
      void OnStage(std::string_view name, DType, std::span<const size_t>,
                   std::span<const std::byte> data) override {
        if (name == "ids")
          ids.assign(reinterpret_cast<const int32_t*>(data.data()),
                     reinterpret_cast<const int32_t*>(data.data() + data.size()));
        if (name == "pixels")
          pixels.assign(reinterpret_cast<const float*>(data.data()),
                        reinterpret_cast<const float*>(data.data() + data.size()));
      }
      std::vector<int32_t> ids;
      std::vector<float> pixels;
    };
    // A literal <pad> is left out as a key and of the mean.
    for (const char* text :
         {"", "cat", "The quiet harbour <pad> wakes before the fishermen <pad> do."}) {
      Stages stages;
      TextOptions raw;
      raw.normalized = false;
      const auto view = engine->EmbedText(text, raw, {.trace = &stages});
      ASSERT_TRUE(view.ok()) << view.status().detail();
      const Doubles expected = reference.EmbedIds(stages.ids);
      ASSERT_EQ(view->vector.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_NEAR(view->vector[i], expected[i], 1e-4) << text << " " << i;
    }
    std::vector<uint8_t> rgba(4 * 50 * 37);
    for (uint8_t& value : rgba) value = static_cast<uint8_t>(random());
    Stages stages;
    ImageOptions raw;
    raw.normalized = false;
    const auto view = engine->EmbedPixels({rgba, 50, 37}, raw, {.trace = &stages});
    ASSERT_TRUE(view.ok()) << view.status().detail();
    const Doubles expected = reference.EmbedPixels(stages.pixels);
    ASSERT_EQ(view->vector.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(view->vector[i], expected[i], 1e-4) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Shapes, ::testing::ValuesIn(kShapes),
                         [](const auto& run) { return std::string(run.param.name); });

TEST(Reference, AgreesWithUpstream) {
  const ReferenceModel reference(GoldenModel());
  const json expected = ReadJson(TestData("golden-a/expected.json"));
  const GoldenTensors tensors = GoldenTensors::Load(TestData("golden-a/expected.safetensors"));
  const std::vector<float> texts = tensors.F32("text.document.raw"),
                           images = tensors.F32("image.raw");
  for (const size_t row : {size_t{0}, size_t{4}, size_t{29}}) {  // 29: special tokens in the text
    const Doubles got =
        reference.EmbedIds(expected["texts"][row]["ids"].get<std::vector<int32_t>>());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], texts[row * got.size() + i], 1e-5);
  }
  const std::string file = expected["images"][7]["file"];
  const Doubles got = reference.EmbedPixels(tensors.F32("image.pixels." + file));
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], images[7 * got.size() + i], 1e-5);
}

}  // namespace
}  // namespace clipglot::testing
