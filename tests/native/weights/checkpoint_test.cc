// Reading an upstream checkpoint: golden-a in all its number formats, adapters, towers, row blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "weights/float_conversion.h"
#include "weights/model_files.h"

namespace clipglot {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

const std::string kRoberta = "text_model.transformer.roberta.";

std::vector<float> Floats(const Matrix& matrix) {
  return {matrix.f32().begin(), matrix.f32().end()};
}

ReadModel MustRead(const Files& files, const ReadOptions& options) {
  ReadModel model;
  const Status status = Read(files, options, model);
  EXPECT_TRUE(status.ok()) << status.detail();
  return model;
}

void ExpectNear(const std::vector<float>& found, const std::vector<float>& expected,
                const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << what << " at " << i;
  }
}

TEST(Checkpoint, DeliversThePartsInOrder) {
  const ReadModel model = MustRead(GoldenModel(), {true, true, WeightFormat::kF32});
  EXPECT_EQ(model.order, (std::vector<std::string>{"model", "tokenizer", "embeddings", "text 0",
                                                   "text 1", "text 2", "stem", "vision 0",
                                                   "vision 1", "vision 2", "norm"}));
  EXPECT_EQ(model.tokenizer_name, "tokenizer.json");
  EXPECT_EQ(model.tokenizer, GoldenModel().at("tokenizer.json"));
  EXPECT_EQ(model.read_bytes, model.total_bytes);
  // logit_scale is not read.
  uint64_t bytes = 0;
  for (const RawTensor& tensor : SplitTensors(GoldenModel().at("model.safetensors")))
    bytes += tensor.bytes.size();
  EXPECT_EQ(model.total_bytes, bytes - 4);
}

TEST(Checkpoint, FoldsTheAdapterIntoEveryWeightThatHasOne) {
  const ReadModel model = MustRead(GoldenModel(), {true, true, WeightFormat::kF32});
  auto folded = SplitTensors(WithoutAdapters(GoldenModel()).at("model.safetensors"));
  const auto numbers = [&](const std::string& name) {
    return Numbers(Named(folded, kRoberta + name));
  };
  ExpectNear(Floats(model.embeddings.words), numbers("embeddings.word_embeddings.weight"), "words");
  ExpectNear(model.embeddings.token_type, numbers("embeddings.token_type_embeddings.weight"),
             "token types");
  EXPECT_EQ(model.embeddings.norm.weight, numbers("emb_ln.weight"));
  EXPECT_EQ(model.embeddings.norm.bias, numbers("emb_ln.bias"));
  ASSERT_EQ(model.text_layers.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const TextLayer& layer = model.text_layers[i];
    const std::string prefix = "encoder.layers." + std::to_string(i) + ".";
    const std::pair<const char*, const LinearWeights*> linears[] = {
        {"mixer.Wqkv", &layer.qkv},
        {"mixer.out_proj", &layer.out_proj},
        {"mlp.fc1", &layer.fc1},
        {"mlp.fc2", &layer.fc2}};
    for (const auto& [name, linear] : linears) {
      ExpectNear(Floats(linear->weight), numbers(prefix + name + ".weight"), name);
      EXPECT_EQ(linear->bias, numbers(prefix + name + ".bias")) << name;
    }
    EXPECT_EQ(layer.norm1.weight, numbers(prefix + "norm1.weight"));
    EXPECT_EQ(layer.norm1.bias, numbers(prefix + "norm1.bias"));
    EXPECT_EQ(layer.norm2.weight, numbers(prefix + "norm2.weight"));
    EXPECT_EQ(layer.norm2.bias, numbers(prefix + "norm2.bias"));
  }
}

TEST(Checkpoint, AssemblesTheVisionTower) {
  const ReadModel model = MustRead(GoldenModel(), {true, true, WeightFormat::kF32});
  auto tensors = SplitTensors(GoldenModel().at("model.safetensors"));
  const auto numbers = [&](const std::string& name) {
    return Numbers(Named(tensors, "vision_model." + name));
  };
  const auto joined = [](std::initializer_list<std::vector<float>> lists) {
    std::vector<float> out;
    for (const auto& list : lists) out.insert(out.end(), list.begin(), list.end());
    return out;
  };
  EXPECT_EQ(model.stem.cls_token, numbers("cls_token"));
  EXPECT_EQ(Floats(model.stem.positions), numbers("pos_embed"));
  EXPECT_EQ(Floats(model.stem.patch.weight), numbers("patch_embed.proj.weight"));
  EXPECT_EQ(model.stem.patch.weight.columns, 3u * 14 * 14);
  EXPECT_EQ(model.stem.patch.bias, numbers("patch_embed.proj.bias"));
  EXPECT_EQ(model.vision_norm.weight, numbers("norm.weight"));
  EXPECT_EQ(model.vision_norm.bias, numbers("norm.bias"));
  ASSERT_EQ(model.vision_layers.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const VisionLayer& layer = model.vision_layers[i];
    const std::string block = "blocks." + std::to_string(i) + ".", attn = block + "attn.",
                      mlp = block + "mlp.";
    EXPECT_EQ(Floats(layer.qkv.weight),
              joined({numbers(attn + "q_proj.weight"), numbers(attn + "k_proj.weight"),
                      numbers(attn + "v_proj.weight")}));
    EXPECT_EQ(layer.qkv.bias, joined({numbers(attn + "q_bias"), std::vector<float>(64, 0),
                                      numbers(attn + "v_bias")}));
    EXPECT_EQ(Floats(layer.w12.weight),
              joined({numbers(mlp + "w1.weight"), numbers(mlp + "w2.weight")}));
    EXPECT_EQ(layer.w12.bias, joined({numbers(mlp + "w1.bias"), numbers(mlp + "w2.bias")}));
    EXPECT_EQ(Floats(layer.proj.weight), numbers(attn + "proj.weight"));
    EXPECT_EQ(Floats(layer.w3.weight), numbers(mlp + "w3.weight"));
    EXPECT_EQ(layer.w3.weight.columns, 170u);
    EXPECT_EQ(layer.inner_attn_norm.weight, numbers(attn + "inner_attn_ln.weight"));
    EXPECT_EQ(layer.ffn_norm.bias, numbers(mlp + "ffn_ln.bias"));
    EXPECT_EQ(layer.norm1.weight, numbers(block + "norm1.weight"));
    EXPECT_EQ(layer.norm2.bias, numbers(block + "norm2.bias"));
  }
}

TEST(Checkpoint, ReadsHalfPrecisionExactly) {
  for (const std::string dtype : {"BF16", "F16"}) {
    // The same numbers, once in two bytes and once in four.
    Files narrow = WithoutAdapters(GoldenModel()), wide = narrow;
    auto tensors = SplitTensors(narrow.at("model.safetensors"));
    std::vector<RawTensor> narrowed, widened;
    for (const RawTensor& tensor : tensors) {
      narrowed.push_back(Narrowed(tensor, dtype));
      widened.push_back(FloatTensor(tensor.name, tensor.shape, Numbers(narrowed.back())));
    }
    narrow["model.safetensors"] = JoinTensors(narrowed);
    wide["model.safetensors"] = JoinTensors(widened);
    for (const WeightFormat arithmetic : {WeightFormat::kF32, WeightFormat::kInt8PerRow}) {
      ReadModel a = MustRead(narrow, {true, true, arithmetic}),
                b = MustRead(wide, {true, true, arithmetic});
      EXPECT_EQ(AllNumbers(a), AllNumbers(b)) << dtype;
    }
  }
}

TEST(Checkpoint, FormatsMayDifferByTensorAndAdaptersMayBeNarrow) {
  Files files = GoldenModel();
  auto tensors = SplitTensors(files.at("model.safetensors"));
  size_t i = 0;
  for (RawTensor& tensor : tensors) {
    if (tensor.name != "logit_scale" && ++i % 3 != 0)
      tensor = Narrowed(tensor, i % 3 == 1 ? "BF16" : "F16");
  }
  files["model.safetensors"] = JoinTensors(tensors);
  ReadModel found = MustRead(files, {true, true, WeightFormat::kF32});
  for (RawTensor& tensor : tensors) {
    if (tensor.dtype != "F32") tensor = FloatTensor(tensor.name, tensor.shape, Numbers(tensor));
  }
  files["model.safetensors"] = JoinTensors(tensors);
  ReadModel expected = MustRead(files, {true, true, WeightFormat::kF32});
  EXPECT_EQ(AllNumbers(found), AllNumbers(expected));
}

TEST(Checkpoint, ReadsPlainWeightsWithoutAdapters) {
  ReadModel plain = MustRead(WithoutAdapters(GoldenModel()), {true, true, WeightFormat::kF32});
  const ReadModel adapted = MustRead(GoldenModel(), {true, true, WeightFormat::kF32});
  EXPECT_EQ(plain.config.text.lora_rank, 0u);
  ExpectNear(Floats(plain.text_layers[2].fc2.weight), Floats(adapted.text_layers[2].fc2.weight),
             "fc2");
  ExpectNear(Floats(plain.embeddings.words), Floats(adapted.embeddings.words), "words");
}

// Three adapters of rank 2, the middle one applied with alpha / rank = 2.5: only its slice counts.
TEST(Checkpoint, AppliesTheChosenAdapterWithItsScale) {
  auto config = JsonOf(GoldenModel().at("config.json"));
  config["text_config"]["default_lora_task"] = "b";
  auto& model = config["text_config"]["hf_model_config_kwargs"];
  model["lora_adaptations"] = {"a", "b", "c"};
  model["lora_rank"] = 2;
  model["lora_alpha"] = 5;
  const Files files = RandomModel(config, JsonOf(GoldenModel().at("preprocessor_config.json")));
  const ReadModel read = MustRead(files, {true, false, WeightFormat::kF32});
  auto tensors = SplitTensors(files.at("model.safetensors"));
  const auto check = [&](const std::string& stem, const char* left_name, const char* right_name,
                         const std::vector<float>& found) {
    const std::string prefix = kRoberta + stem + ".parametrizations.weight.";
    const RawTensor& original = Named(tensors, prefix + "original");
    const size_t rows = original.shape[0], columns = original.shape[1], rank = 2;
    const auto left = Numbers(Named(tensors, prefix + "0." + left_name));
    const auto right = Numbers(Named(tensors, prefix + "0." + right_name));
    auto expected = Numbers(original);
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (size_t k = 0; k < rank; ++k) {
          sum += static_cast<double>(left[(rows + i) * rank + k]) * right[(rank + k) * columns + j];
        }
        expected[i * columns + j] += static_cast<float>(2.5 * sum);
      }
    }
    ExpectNear(found, expected, stem);
  };
  check("embeddings.word_embeddings", "lora_A", "lora_B", Floats(read.embeddings.words));
  check("embeddings.token_type_embeddings", "lora_A", "lora_B", read.embeddings.token_type);
  check("encoder.layers.1.mixer.Wqkv", "lora_B", "lora_A", Floats(read.text_layers[1].qkv.weight));
  check("encoder.layers.1.mlp.fc2", "lora_B", "lora_A", Floats(read.text_layers[1].fc2.weight));
}

TEST(Checkpoint, QuantisesLinearsAndVocabularyOnly) {
  const ReadModel model = MustRead(GoldenModel(), {true, true, WeightFormat::kInt8PerRow});
  const ReadModel judge = MustRead(GoldenModel(), {true, true, WeightFormat::kF32});
  EXPECT_EQ(model.config.format, WeightFormat::kInt8PerRow);
  EXPECT_EQ(model.stem.patch.weight.format, WeightFormat::kF32);
  EXPECT_EQ(model.stem.positions.format, WeightFormat::kF32);
  EXPECT_EQ(model.vision_layers[0].qkv.bias, judge.vision_layers[0].qkv.bias);
  const std::pair<const Matrix*, const Matrix*> pairs[] = {
      {&model.embeddings.words, &judge.embeddings.words},
      {&model.text_layers[0].qkv.weight, &judge.text_layers[0].qkv.weight},
      {&model.text_layers[2].fc2.weight, &judge.text_layers[2].fc2.weight},
      {&model.vision_layers[0].qkv.weight, &judge.vision_layers[0].qkv.weight},
      {&model.vision_layers[1].w12.weight, &judge.vision_layers[1].w12.weight},
      {&model.vision_layers[2].w3.weight, &judge.vision_layers[2].w3.weight}};
  for (const auto& [small, exact] : pairs) {
    ASSERT_EQ(small->format, WeightFormat::kInt8PerRow);
    ASSERT_EQ(small->rows, exact->rows);
    ASSERT_EQ(small->scales.size(), small->rows);
    std::vector<int8_t> expected(small->columns);
    for (size_t row = 0; row < small->rows; ++row) {
      const float scale =
          QuantizeWeightRow(exact->f32().subspan(row * exact->columns, exact->columns), expected);
      ASSERT_EQ(small->scales[row], scale);
      const auto found = small->i8().subspan(row * small->columns, small->columns);
      ASSERT_TRUE(std::equal(expected.begin(), expected.end(), found.begin()));
    }
  }
}

TEST(Checkpoint, ReadsOnlyTheTowerThatIsAskedFor) {
  const Files files = GoldenModel();
  for (const bool text : {true, false}) {
    const ReadModel model = MustRead(files, {text, !text, WeightFormat::kInt8PerRow});
    EXPECT_EQ(model.text_layers.size(), text ? 3u : 0u);
    EXPECT_EQ(model.vision_layers.size(), text ? 0u : 3u);
    EXPECT_EQ(model.tokenizer.empty(), !text);
    // No range touches the other tower's tensors (which lie together in this file) or the
    // tokenizer.
    uint64_t read = 0;
    for (const ByteRange& range : model.ranges) {
      const std::string& path = model.files[range.file].path;
      EXPECT_TRUE(text || path != "tokenizer.json");
      if (path == "model.safetensors") read += range.length;
    }
    EXPECT_LT(read, files.at("model.safetensors").size() * 3 / 4);
    EXPECT_EQ(model.read_bytes, model.total_bytes);
  }
}

TEST(Checkpoint, FallsBackToTheSentencePieceModel) {
  Files files = GoldenModel();
  files.erase("tokenizer.json");
  const ReadModel model = MustRead(files, {true, false, WeightFormat::kF32});
  EXPECT_EQ(model.tokenizer_name, "sentencepiece.bpe.model");
  EXPECT_EQ(model.tokenizer, files.at("sentencepiece.bpe.model"));
}

TEST(Checkpoint, ReadsNeighboursAtOnce) {
  const ReadModel model = MustRead(GoldenModel(), {true, true, WeightFormat::kInt8PerRow});
  EXPECT_LE(model.ranges.size(), 30u) << "138 tensors in a handful of ranges";
}

// A vocabulary of more than 16 MiB comes in row blocks, with and without an adapter, and gives the
// same numbers.
TEST(Checkpoint, ReadsLargeMatricesInRowBlocks) {
  auto config = JsonOf(GoldenModel().at("config.json"));
  config["text_config"]["hf_model_config_kwargs"]["vocab_size"] =
      150'000;  // · 64 · 4 bytes = 36.6 MiB
  config["text_config"]["hf_model_config_kwargs"]["num_hidden_layers"] = 1;
  const Files files = RandomModel(config, JsonOf(GoldenModel().at("preprocessor_config.json")));
  const ReadModel model = MustRead(files, {true, false, WeightFormat::kF32});
  for (const ByteRange& range : model.ranges) EXPECT_LE(range.length, uint64_t{16} << 20);
  auto folded = SplitTensors(WithoutAdapters(files).at("model.safetensors"));
  ExpectNear(Floats(model.embeddings.words),
             Numbers(Named(folded, kRoberta + "embeddings.word_embeddings.weight")), "words");
}

TEST(Checkpoint, TensorsMayLieInAnyOrder) {
  Files files = GoldenModel();
  auto tensors = SplitTensors(files.at("model.safetensors"));
  std::reverse(tensors.begin(), tensors.end());
  files["model.safetensors"] = JoinTensors(tensors);
  ReadModel found = MustRead(files, {true, true, WeightFormat::kF32});
  ReadModel expected = MustRead(GoldenModel(), {true, true, WeightFormat::kF32});
  EXPECT_EQ(AllNumbers(found), AllNumbers(expected));
}

}  // namespace
}  // namespace clipglot
