// Damaged checkpoints: every one ends in a typed error that names the thing, or in a valid reading;
// never in a crash.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "weights/model_files.h"

namespace clipglot {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers

constexpr ReadOptions kBoth{true, true, WeightFormat::kInt8PerRow};

void ExpectError(const Files& files, Code code, const std::string& named,
                 const ReadOptions& options = kBoth) {
  ReadModel model;
  const Status status = Read(files, options, model);
  EXPECT_EQ(status.code(), code) << named << ": " << status.detail();
  EXPECT_NE(status.detail().find(named), std::string::npos) << named << ": " << status.detail();
}

// Calls `change` with the tensors of golden-a and gives the files with the changed ones.
template <typename Change>
Files Changed(Change change) {
  static const std::vector<RawTensor> kTensors =
      SplitTensors(GoldenModel().at("model.safetensors"));
  Files files = GoldenModel();
  std::vector<RawTensor> tensors = kTensors;
  change(tensors);
  files["model.safetensors"] = JoinTensors(tensors);
  return files;
}

TEST(Hostile, EveryMissingTensorIsNamed) {
  const auto all = SplitTensors(GoldenModel().at("model.safetensors"));
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == "logit_scale") continue;
    ExpectError(
        Changed([&](auto& tensors) { tensors.erase(tensors.begin() + static_cast<ptrdiff_t>(i)); }),
        Code::kCorruptModel, "tensor " + all[i].name + ": missing");
  }
}

TEST(Hostile, EveryWrongShapeIsNamed) {
  const auto all = SplitTensors(GoldenModel().at("model.safetensors"));
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == "logit_scale") continue;
    ExpectError(Changed([&](auto& tensors) { tensors[i].shape.push_back(1); }), Code::kCorruptModel,
                "tensor " + all[i].name + ": shape [");
  }
}

TEST(Hostile, EveryNumberThatIsNotFiniteIsNamed) {
  const auto all = SplitTensors(GoldenModel().at("model.safetensors"));
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == "logit_scale") continue;
    ExpectError(Changed([&](auto& tensors) {
                  Bytes& bytes = tensors[i].bytes;
                  std::memcpy(bytes.data() + bytes.size() - 4, &bad[i % 3], 4);
                }),
                Code::kCorruptModel, "tensor " + all[i].name + ": ");
  }
}

TEST(Hostile, OverflowOfHalfPrecisionIsNamed) {
  ExpectError(Changed([](auto& tensors) {
                RawTensor& tensor = Named(tensors, "vision_model.norm.weight");
                tensor = Narrowed(tensor, "F16");
                tensor.bytes[0] = std::byte{0};
                tensor.bytes[1] = std::byte{0x7C};
              }),
              Code::kCorruptModel, "vision_model.norm.weight");
}

TEST(Hostile, UnexpectedTensorsAreNamedAndKnownTablesIgnored) {
  ExpectError(Changed([](auto& tensors) {
                tensors.push_back(FloatTensor("vision_model.head.weight", {1}, {1}));
              }),
              Code::kCorruptModel, "tensor vision_model.head.weight: not expected");
  ExpectError(
      Changed([](auto& tensors) {
        tensors.push_back(FloatTensor("vision_model.blocks.x.attn.rope.freqs_cos", {1}, {1}));
      }),
      Code::kCorruptModel, "not expected");
  ReadModel model;
  const Status status =
      Read(Changed([](auto& tensors) {
             for (const char* name : {"vision_model.rope.freqs_cos", "vision_model.rope.freqs_sin",
                                      "vision_model.blocks.12.attn.rope.freqs_cos"}) {
               tensors.push_back(FloatTensor(name, {2}, {1, 2}));
             }
           }),
           kBoth, model);
  EXPECT_TRUE(status.ok()) << status.detail();
}

TEST(Hostile, LogitScaleIsOptional) {
  ReadModel model;
  EXPECT_TRUE(Read(Changed([](auto& tensors) {
                     std::erase_if(tensors, [](auto& t) { return t.name == "logit_scale"; });
                   }),
                   kBoth, model)
                  .ok());
}

TEST(Hostile, NumberFormatsAreChecked) {
  ExpectError(
      Changed([](auto& tensors) { Named(tensors, "vision_model.norm.weight").dtype = "I32"; }),
      Code::kCorruptModel, "vision_model.norm.weight: number format I32");
  ExpectError(
      Changed([](auto& tensors) { Named(tensors, "vision_model.norm.weight").dtype = "F8_E4M3"; }),
      Code::kUnsupportedModel, "vision_model.norm.weight: unknown number format F8_E4M3");
}

TEST(Hostile, ConfigurationAndTensorsMustAgree) {
  Files files = GoldenModel();
  auto config = JsonOf(files.at("config.json"));
  config["text_config"]["hf_model_config_kwargs"]["num_hidden_layers"] = 4;
  files["config.json"] = ToBytes(config.dump());
  ExpectError(files, Code::kCorruptModel, "encoder.layers.3.");
  config["text_config"]["hf_model_config_kwargs"]["num_hidden_layers"] = 2;
  files["config.json"] = ToBytes(config.dump());
  ExpectError(files, Code::kCorruptModel, "encoder.layers.2.");
  config = JsonOf(GoldenModel().at("config.json"));
  config["text_config"]["hf_model_config_kwargs"]["lora_rank"] = 2;
  files["config.json"] = ToBytes(config.dump());
  ExpectError(files, Code::kCorruptModel, "lora_");
  config["text_config"]["hf_model_config_kwargs"]["lora_rank"] = 4;
  // Absurd but allowed sizes are refused before memory is asked for.
  config["text_config"]["hf_model_config_kwargs"]["vocab_size"] = 4'000'000;
  files["config.json"] = ToBytes(config.dump());
  ExpectError(files, Code::kCorruptModel, "word_embeddings");
}

TEST(Hostile, MissingAndEmptyFilesAreNamed) {
  for (const char* name : {"config.json", "preprocessor_config.json", "model.safetensors"}) {
    Files files = GoldenModel();
    files.erase(name);
    ExpectError(files, Code::kCorruptModel, name);
    files[name] = Bytes();
    ExpectError(files, Code::kCorruptModel, name);
  }
  Files files = GoldenModel();
  files.erase("tokenizer.json");
  files.erase("sentencepiece.bpe.model");
  ExpectError(files, Code::kCorruptModel, "tokenizer.json");
  files["tokenizer.json"] = Bytes();
  ExpectError(files, Code::kCorruptModel, "tokenizer.json");
  ExpectError({}, Code::kCorruptModel, "manifest.json");
  ExpectError(GoldenModel(), Code::kInvalidArgument, "towers", {false, false, WeightFormat::kF32});
}

// Cut at every byte of prefix and header and at both ends of every tensor.
TEST(Hostile, TruncatedFilesAreFound) {
  Files files = GoldenModel();
  const Bytes whole = files.at("model.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  std::vector<uint64_t> cuts = {
      1, 7, 8, 9, 8 + header - 1, 8 + header, 8 + header + 1, whole.size() - 1};
  uint64_t end = 8 + header;
  for (const RawTensor& tensor : SplitTensors(whole)) {
    end += tensor.bytes.size();
    if (end < whole.size()) cuts.push_back(end);
    cuts.push_back(end - 1);
  }
  for (const uint64_t cut : cuts) {
    files["model.safetensors"] = Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(cut));
    ExpectError(files, Code::kCorruptModel, "model.safetensors");
  }
  files["model.safetensors"] = whole;
  files["model.safetensors"].push_back(std::byte{0});
  ExpectError(files, Code::kCorruptModel, "model.safetensors: 1 bytes after the last tensor");
}

TEST(Hostile, CutConfigurationsAreFound) {
  for (const char* name : {"config.json", "preprocessor_config.json"}) {
    const Bytes whole = GoldenModel().at(name);
    for (size_t length = 1; length < whole.size(); length += 29) {
      Files files = GoldenModel();
      files[name].resize(length);
      ExpectError(files, Code::kCorruptModel, name);
    }
  }
}

// An error with a code that fits and a detail, or a model whose parts came in full.
void ExpectTypedOrValid(const Files& files, const std::string& what) {
  ReadModel model;
  const Status status = Read(files, {true, true, WeightFormat::kInt8PerRow}, model);
  if (!status.ok()) {
    EXPECT_TRUE(status.code() == Code::kCorruptModel || status.code() == Code::kUnsupportedModel)
        << what << ": " << CodeName(status.code()) << " " << status.detail();
    EXPECT_FALSE(status.detail().empty()) << what;
  } else {
    EXPECT_EQ(model.order.back(), "norm") << what;
  }
}

// Every bit of prefix and header; of the header one bit a byte, another bit from byte to byte, to
// keep the test short: the container's own test flips all bits of a small header.
TEST(Hostile, FlippedBitsInTheHeader) {
  const Files golden = GoldenModel();
  Files files = golden;
  Bytes& file = files["model.safetensors"];
  uint64_t header = 0;
  std::memcpy(&header, file.data(), 8);
  const auto flip = [&](size_t bit) {
    file[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    ExpectTypedOrValid(files, "bit " + std::to_string(bit));
    file[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  };
  for (size_t bit = 0; bit < 64; ++bit) flip(bit);
  for (size_t byte = 8; byte < 8 + header; byte += 11) flip(byte * 8 + (byte * 5 + byte / 40) % 8);
}

// Every bit of both files through the parser, and one bit of every ninth byte through the whole
// reading.
TEST(Hostile, FlippedBitsInTheConfigurations) {
  for (const std::string name : {"config.json", "preprocessor_config.json"}) {
    Files files = GoldenModel();
    Bytes& file = files[name];
    for (size_t bit = 0; bit < file.size() * 8; ++bit) {
      const auto mask = static_cast<std::byte>(1 << (bit % 8));
      file[bit / 8] ^= mask;
      const auto config = Json::Parse(ToText(files["config.json"]), "config.json");
      const auto preprocessor =
          Json::Parse(ToText(files["preprocessor_config.json"]), "preprocessor_config.json");
      if (config.ok() && preprocessor.ok()) {
        const auto parsed = ParseModelConfig(*config, *preprocessor);
        EXPECT_TRUE(parsed.ok() || parsed.status().code() == Code::kCorruptModel ||
                    parsed.status().code() == Code::kUnsupportedModel);
      }
      if (bit % 72 == bit / 72 % 8) ExpectTypedOrValid(files, name + " bit " + std::to_string(bit));
      file[bit / 8] ^= mask;
    }
  }
}

TEST(Hostile, ErrorsOfTheListenerEndTheReading) {
  struct Refusing : ReadModel {
    Status OnPart(PartId id, PartData part) override {
      if (id.kind == PartKind::kVisionLayer && id.index == 1)
        return Status(Code::kOutOfMemory, "no room");
      return ReadModel::OnPart(id, std::move(part));
    }
  } model;
  const Status status = Read(GoldenModel(), kBoth, model);
  EXPECT_EQ(status.code(), Code::kOutOfMemory);
  EXPECT_EQ(status.detail(), "no room");
  EXPECT_EQ(model.order.back(), "vision 0");
}

}  // namespace
}  // namespace clipglot
