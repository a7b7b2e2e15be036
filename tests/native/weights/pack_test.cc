// Packs: the same numbers as the checkpoint that they were made from, and no bit of damage
// unnoticed.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <set>

#include "container/sha256.h"
#include "weights/model_files.h"

namespace clipglot {
namespace {

using namespace testing;  // NOLINT: the tests' own helpers
using nlohmann::json;

constexpr uint64_t kOneShard = uint64_t{64} << 20;

json ManifestOf(const Files& pack) { return JsonOf(pack.at("manifest.json")); }

void ExpectError(const Files& pack, Code code, const std::string& named,
                 const ReadOptions& options = {}) {
  ReadModel model;
  const Status status = Read(pack, options, model);
  EXPECT_EQ(status.code(), code) << named << ": " << status.detail();
  EXPECT_NE(status.detail().find(named), std::string::npos) << named << ": " << status.detail();
}

// A pack of golden-a, one shard a tower, with another manifest.
template <typename Change>
Files WithManifest(Change change) {
  Files pack = MakePack(GoldenModel(), WeightFormat::kInt8PerRow, kOneShard);
  json manifest = ManifestOf(pack);
  change(manifest);
  pack["manifest.json"] = SignManifest(manifest);
  return pack;
}

// The same with other tensors in a shard; hashes are made anew.
template <typename Change>
Files WithTensors(size_t shard, Change change, WeightFormat format = WeightFormat::kInt8PerRow) {
  Files pack = MakePack(GoldenModel(), format, kOneShard);
  json manifest = ManifestOf(pack);
  json& entry = manifest["shards"][shard];
  Bytes& file = pack[entry["path"].get<std::string>()];
  auto tensors = SplitTensors(file);
  change(tensors);
  file = JoinTensors(tensors);
  const json resigned = SignedFile(entry["path"], file);
  entry["bytes"] = resigned["bytes"];
  entry["sha256"] = resigned["sha256"];
  pack["manifest.json"] = SignManifest(manifest);
  return pack;
}

TEST(Pack, GivesTheSameNumbersAsTheCheckpoint) {
  for (const WeightFormat format :
       {WeightFormat::kInt8PerRow, WeightFormat::kInt4Block32, WeightFormat::kF32}) {
    ReadModel direct;
    ASSERT_TRUE(Read(GoldenModel(), {true, true, format}, direct).ok());
    const auto expected = AllNumbers(direct);
    for (const uint64_t shard_bytes : {kOneShard, uint64_t{100'000}, uint64_t{1}}) {
      ReadModel packed;
      // The format asked for is that of checkpoints: a pack has its own.
      const Status status = Read(MakePack(GoldenModel(), format, shard_bytes),
                                 {true, true, WeightFormat::kF32}, packed);
      ASSERT_TRUE(status.ok()) << status.detail();
      EXPECT_EQ(packed.config.format, format);
      EXPECT_EQ(packed.config.model_id, "test");
      EXPECT_EQ(packed.config.license, "none");
      EXPECT_EQ(packed.config.text.query_instruction, direct.config.text.query_instruction);
      EXPECT_EQ(packed.order, direct.order);
      EXPECT_EQ(packed.tokenizer, direct.tokenizer);
      EXPECT_EQ(packed.read_bytes, packed.total_bytes);
      EXPECT_EQ(AllNumbers(packed), expected);
    }
  }
}

// Tensors above 16 MiB in row blocks, shards of several chunks, and chunks that end inside tensors.
TEST(Pack, LargeMatricesComeInRowBlocks) {
  auto config = JsonOf(GoldenModel().at("config.json"));
  config["text_config"]["hf_model_config_kwargs"]["vocab_size"] =
      150'000;  // · 64 · 4 bytes = 36.6 MiB
  config["text_config"]["hf_model_config_kwargs"]["num_hidden_layers"] = 1;
  const Files checkpoint =
      RandomModel(config, JsonOf(GoldenModel().at("preprocessor_config.json")));
  const Files pack = MakePack(checkpoint, WeightFormat::kF32, kOneShard - (uint64_t{1} << 20));
  ReadModel direct, packed;
  ASSERT_TRUE(Read(checkpoint, {true, true, WeightFormat::kF32}, direct).ok());
  const Status status = Read(pack, {}, packed);
  ASSERT_TRUE(status.ok()) << status.detail();
  const auto numbers = AllNumbers(packed);
  EXPECT_TRUE(numbers == AllNumbers(direct));
  const std::string words = "text_model.transformer.roberta.embeddings.word_embeddings.weight";
  EXPECT_TRUE(numbers.contains(words + ".rows.0"));
  EXPECT_TRUE(numbers.contains(words + ".rows.65536"));
  EXPECT_TRUE(numbers.contains(words + ".rows.131072"));
  EXPECT_FALSE(numbers.contains(words));
}

// A caller that has a range's hash passes it; a wrong one is refused, and the range may come
// again.
TEST(Pack, TakesTheCallersHash) {
  const Files pack = MakePack(GoldenModel(), WeightFormat::kInt8PerRow, kOneShard);
  ReadModel model;
  for (const auto& [name, bytes] : pack) model.files.push_back({name, bytes.size()});
  const auto reader = ModelReader::Create(model.files, {}, &model);
  ASSERT_TRUE(reader.ok());
  size_t hashed = 0;
  while (const auto range = (*reader)->Want()) {
    const std::string& path = model.files[range->file].path;
    const auto bring = [&] {
      const auto to = (*reader)->Reserve();
      ASSERT_TRUE(to.ok());
      std::memcpy(to->data(), pack.at(path).data() + range->offset, to->size());
    };
    EXPECT_EQ(range->hashed, path != "manifest.json");
    const auto bytes = std::span(pack.at(path)).subspan(range->offset, range->length);
    if (range->hashed) {
      bring();
      std::string wrong = Sha256Hex(Sha256(bytes));
      wrong[63] = wrong[63] == '0' ? '1' : '0';
      for (const std::string& hash : {wrong, wrong.substr(0, 63), std::string("0")}) {
        bring();
        const Status status = (*reader)->Commit(hash);
        EXPECT_EQ(status.code(), Code::kCorruptModel);
        EXPECT_NE(status.detail().find(path), std::string::npos) << status.detail();
        EXPECT_EQ((*reader)->Want()->offset, range->offset);
      }
      ++hashed;
    }
    bring();
    ASSERT_TRUE((*reader)->Commit(range->hashed ? Sha256Hex(Sha256(bytes)) : "").ok());
  }
  EXPECT_GE(hashed, 3u);  // tokenizer and two shards
  EXPECT_EQ(model.order.back(), "norm");
}

TEST(Pack, AsksOnlyForTheTowerThatIsWanted) {
  const Files pack = MakePack(GoldenModel(), WeightFormat::kInt8PerRow, kOneShard);
  for (const bool text : {true, false}) {
    ReadModel model;
    ASSERT_TRUE(Read(pack, {text, !text, WeightFormat::kInt8PerRow}, model).ok());
    std::set<std::string> touched;
    for (const ByteRange& range : model.ranges) touched.insert(model.files[range.file].path);
    EXPECT_EQ(touched, text ? (std::set<std::string>{"manifest.json", "text-0.safetensors",
                                                     "tokenizer.json"})
                            : (std::set<std::string>{"manifest.json", "vision-1.safetensors"}));
    EXPECT_EQ(model.read_bytes, model.total_bytes);
  }
}

// One bit in each byte of small files and in a sample of the shards' bytes: always found, the file
// always named.
TEST(Pack, EveryFlippedBitIsFound) {
  Files pack = MakePack(GoldenModel(), WeightFormat::kInt8PerRow, 200'000);
  ASSERT_GT(pack.size(), 4u);
  size_t flips = 0;
  for (auto& [name, bytes] : pack) {
    const size_t step = bytes.size() / 60 + 1;
    for (size_t byte = 0; byte < bytes.size(); byte += step) {
      const auto bit = static_cast<std::byte>(1 << ((byte / step) % 8));
      bytes[byte] ^= bit;
      ReadModel model;
      const Status status = Read(pack, {}, model);
      ASSERT_EQ(status.code(), Code::kCorruptModel)
          << name << " byte " << byte << ": " << status.detail();
      ASSERT_NE(status.detail().find(name), std::string::npos) << status.detail();
      ASSERT_NE(status.detail().find(name == "manifest.json" ? "sha256" : "at byte 0"),
                std::string::npos);
      bytes[byte] ^= bit;
      ++flips;
    }
  }
  EXPECT_GT(flips, 200u);
}

TEST(Pack, ADamagedChunkIsNamedByItsOffset) {
  auto config = JsonOf(GoldenModel().at("config.json"));
  config["text_config"]["hf_model_config_kwargs"]["vocab_size"] = 40'000;
  config["text_config"]["hf_model_config_kwargs"]["num_hidden_layers"] = 1;
  Files pack = MakePack(RandomModel(config, JsonOf(GoldenModel().at("preprocessor_config.json"))),
                        WeightFormat::kF32, kOneShard);
  Bytes& shard = pack.at("text-0.safetensors");
  ASSERT_GT(shard.size(), size_t{9} << 20);
  shard[(size_t{9} << 20) + 5] ^= std::byte{4};
  ExpectError(pack, Code::kCorruptModel, "text-0.safetensors: sha256 of the 2");
  ExpectError(pack, Code::kCorruptModel, "at byte 8388608");
}

TEST(Pack, MissingAndCutFilesAreNamed) {
  const Files whole = MakePack(GoldenModel(), WeightFormat::kInt8PerRow, kOneShard);
  for (const auto& [name, bytes] : whole) {
    if (name == "manifest.json") continue;
    Files pack = whole;
    pack.erase(name);
    ExpectError(pack, Code::kCorruptModel, name);
    pack[name] = Bytes(bytes.begin(), bytes.end() - 1);
    ExpectError(pack, Code::kCorruptModel, name);
    pack[name] = bytes;
    pack[name].push_back(std::byte{0});
    ExpectError(pack, Code::kCorruptModel, name);
  }
}

TEST(Pack, WrongTensorsAreNamed) {
  const std::string word = "text_model.transformer.roberta.embeddings.word_embeddings.weight";
  ExpectError(WithTensors(0, [](auto& tensors) { tensors.erase(tensors.begin() + 4); }),
              Code::kCorruptModel, "is expected");
  ExpectError(WithTensors(0, [](auto& tensors) { std::swap(tensors[3], tensors[4]); }),
              Code::kCorruptModel, "is expected");
  ExpectError(WithTensors(0, [](auto& tensors) { tensors.pop_back(); }), Code::kCorruptModel,
              "norm2.weight is expected");
  ExpectError(WithTensors(1, [](auto& tensors) { tensors.pop_back(); }), Code::kCorruptModel,
              "tensor vision_model.norm.bias and those with it: 512 bytes expected, but only 256");
  ExpectError(
      WithTensors(1, [](auto& tensors) { tensors.push_back(FloatTensor("more", {1}, {1})); }),
      Code::kCorruptModel, "tensor more: not expected");
  ExpectError(
      WithTensors(1, [](auto& tensors) { tensors.push_back(FloatTensor("nothing", {0}, {})); }),
      Code::kCorruptModel, "tensor nothing");
  ExpectError(WithTensors(0, [&](auto& tensors) { Named(tensors, word + ".q8").dtype = "U8"; }),
              Code::kCorruptModel, word + ".q8");
  ExpectError(WithTensors(0,
                          [&](auto& tensors) {
                            std::swap(Named(tensors, word + ".q8").shape[0],
                                      Named(tensors, word + ".q8").shape[1]);
                          }),
              Code::kCorruptModel, word + ".q8");
}

TEST(Pack, WrongNumbersAreNamed) {
  const std::string word = "text_model.transformer.roberta.embeddings.word_embeddings.weight";
  ExpectError(
      WithTensors(0,
                  [&](auto& tensors) { Named(tensors, word + ".q8").bytes[77] = std::byte{0x80}; }),
      Code::kCorruptModel, "tensor " + word + ".q8: holds -128");
  for (const float bad : {0.0f, -1.0f, 1e-40f, std::numeric_limits<float>::infinity()}) {
    ExpectError(WithTensors(0,
                            [&](auto& tensors) {
                              std::memcpy(Named(tensors, word + ".scale").bytes.data() + 8, &bad,
                                          4);
                            }),
                Code::kCorruptModel, "tensor " + word + ".scale");
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ExpectError(WithTensors(1,
                          [&](auto& tensors) {
                            std::memcpy(Named(tensors, "vision_model.pos_embed").bytes.data(), &nan,
                                        4);
                          }),
              Code::kCorruptModel, "tensor vision_model.pos_embed: holds NaN");
}

TEST(Pack, WrongTensorsOfFourBitsAreNamed) {
  const std::string word = "text_model.transformer.roberta.embeddings.word_embeddings.weight";
  const std::string w3 = "vision_model.blocks.0.mlp.w3.weight";  // 170 columns: 85 bytes, 6 scales
  const auto change = [&](size_t shard, auto&& what) {
    return WithTensors(shard, what, WeightFormat::kInt4Block32);
  };
  EXPECT_EQ(JsonOf(change(0, [](auto&) {}).at("manifest.json"))["dtype"], "q4");
  for (const auto& [suffix, dtype] :
       {std::pair(".q4", "I8"), {".q4", "BOOL"}, {".scale", "F16"}, {".scale", "I16"}}) {
    const std::string name = word + suffix;
    ReadModel model;
    const Status status =
        Read(change(0, [&](auto& tensors) { Named(tensors, name).dtype = dtype; }), {}, model);
    EXPECT_TRUE(status.code() == Code::kCorruptModel || status.code() == Code::kUnsupportedModel);
    EXPECT_NE(status.detail().find(name), std::string::npos) << status.detail();
  }
  for (const std::string& name : {w3 + ".q4", w3 + ".scale"}) {
    ExpectError(change(1,
                       [&](auto& tensors) {
                         std::swap(Named(tensors, name).shape[0], Named(tensors, name).shape[1]);
                       }),
                Code::kCorruptModel, name);
    // One column of bytes, or one block, less in each row.
    ExpectError(change(1,
                       [&](auto& tensors) {
                         RawTensor& tensor = Named(tensors, name);
                         const uint64_t columns = tensor.shape[1]--;
                         tensor.bytes.resize(tensor.bytes.size() / columns * (columns - 1));
                       }),
                Code::kCorruptModel, name);
  }
  // Zero, denormal, infinity, NaN, with either sign.
  for (const uint16_t bad : {0x0000, 0x8000, 0x0001, 0x807F, 0x7F80, 0xFF80, 0x7FC0, 0xFFFF}) {
    ExpectError(change(0,
                       [&](auto& tensors) {
                         Bytes& bytes = Named(tensors, word + ".scale").bytes;
                         std::memcpy(bytes.data() + bytes.size() - 2, &bad, 2);
                       }),
                Code::kCorruptModel, "tensor " + word + ".scale: holds a scale that is not");
  }
  // Another format's tensors.
  Files pack = MakePack(GoldenModel(), WeightFormat::kInt8PerRow, kOneShard);
  json manifest = ManifestOf(pack);
  manifest["dtype"] = "q4";
  pack["manifest.json"] = SignManifest(manifest);
  ExpectError(pack, Code::kCorruptModel, word + ".q4 is expected");
}

TEST(Pack, TheManifestIsChecked) {
  ExpectError(WithManifest([](json& m) { m["formatVersion"] = 2; }), Code::kUnsupportedVersion,
              "formatVersion");
  ExpectError(WithManifest([](json& m) { m["dtype"] = "q3"; }), Code::kUnsupportedModel, "q3");
  ExpectError(WithManifest([](json& m) { m["dtype"] = "f32"; }), Code::kCorruptModel,
              "word_embeddings.weight is expected");
  ExpectError(WithManifest([](json& m) { m.erase("tokenizer"); }), Code::kCorruptModel,
              "tokenizer");
  ExpectError(WithManifest([](json& m) { m.erase("config"); }), Code::kCorruptModel,
              "manifest.json: config");
  ExpectError(WithManifest([](json& m) { m["config"]["vision_config"]["post_norm"] = true; }),
              Code::kUnsupportedModel, "manifest.json: config.vision_config.post_norm");
  ExpectError(WithManifest([](json& m) {
                m["config"]["text_config"]["hf_model_config_kwargs"]["vocab_size"] = 4'000'000;
              }),
              Code::kCorruptModel, "are left in the pack");
  ExpectError(WithManifest([](json& m) { std::swap(m["shards"][0], m["shards"][1]); }),
              Code::kCorruptModel, "is expected");
  ExpectError(WithManifest([](json& m) { m["shards"].erase(1); }), Code::kInvalidArgument,
              "vision");
  // Members that this version does not know are ignored.
  ReadModel model;
  EXPECT_TRUE(
      Read(WithManifest([](json& m) { m["selfTest"] = {{"texts", {"a"}}}; }), {}, model).ok());
}

TEST(Pack, APackWithOneTowerLoadsThatTower) {
  Files pack = WithManifest([](json& m) {
    m["shards"].erase(0);
    m.erase("tokenizer");
  });
  pack.erase("tokenizer.json");
  pack.erase("text-0.safetensors");
  ReadModel model;
  const Status status = Read(pack, {false, true, WeightFormat::kInt8PerRow}, model);
  EXPECT_TRUE(status.ok()) << status.detail();
  ExpectError(pack, Code::kInvalidArgument, "this pack has no text tower");
}

}  // namespace
}  // namespace clipglot
