#include "convert/pack_writer.h"

#include <gtest/gtest.h>

#include <set>

#include "convert/convert.h"

namespace clipglot {
namespace {

using nlohmann::json;
using testing::Bytes;
using testing::Convert;
using testing::Files;
using testing::GoldenModel;
using testing::JsonOf;
using testing::RandomModel;
using testing::ToBytes;

// What a writer handed out, in its order.
struct Handed {
  std::vector<std::string> names;
  std::map<std::string, Bytes> tensors;
  void Take(const PackWriter& writer) {
    for (const PackTensor& tensor : writer.tensors()) {
      names.push_back(tensor.name);
      EXPECT_TRUE(
          tensors.emplace(tensor.name, Bytes(tensor.bytes.begin(), tensor.bytes.end())).second)
          << tensor.name;
    }
  }
};

std::unique_ptr<PackWriter> Writer(WeightFormat format, bool text = true, bool vision = true) {
  auto writer = PackWriter::Create({text, vision, format});
  EXPECT_TRUE(writer.ok());
  return std::move(*writer);
}

TEST(PackWriter, GivesThePlannedTensorsOnceInTheOrderOfGroups) {
  for (const WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kInt8PerRow, WeightFormat::kInt4Block32}) {
    const auto writer = Writer(format);
    std::vector<std::string> groups;
    size_t at = 0, commits_with_tensors = 0;
    const Status status = Convert(*writer, GoldenModel(), [&] {
      std::set<size_t> units;
      for (const PackTensor& tensor : writer->tensors()) {
        EXPECT_LT(at, writer->plan().size());
        const PackTensor& planned = writer->plan()[at++];
        EXPECT_EQ(tensor.name, planned.name);
        EXPECT_EQ(tensor.dtype, planned.dtype) << tensor.name;
        EXPECT_EQ(tensor.shape, planned.shape) << tensor.name;
        EXPECT_EQ(tensor.group, planned.group) << tensor.name;
        EXPECT_EQ(tensor.unit, planned.unit) << tensor.name;
        EXPECT_TRUE(planned.bytes.empty());
        units.insert(tensor.unit);
        if (groups.empty() || groups.back() != tensor.group) groups.push_back(tensor.group);
        uint64_t size = DTypeSize(tensor.dtype);
        for (const uint64_t side : tensor.shape) size *= side;
        EXPECT_EQ(tensor.bytes.size(), size) << tensor.name;
      }
      EXPECT_LE(units.size(), 1u);
      commits_with_tensors += units.size();
      return true;
    });
    ASSERT_TRUE(status.ok()) << status.detail();
    EXPECT_TRUE(writer->done());
    EXPECT_EQ(at, writer->plan().size());
    EXPECT_EQ(commits_with_tensors, 1u + 1 + 3 + 1 + 3 + 1);
    EXPECT_EQ(writer->read_bytes(), writer->total_bytes());
    EXPECT_EQ(writer->tokenizer_file(), "tokenizer.json");
    EXPECT_EQ(groups, (std::vector<std::string>{"text-embeddings", "text-layers", "vision"}));
  }
}

// The reader's other way: whole parts, quantised while they are read.
TEST(PackWriter, GivesTheBytesOfAWholePart) {
  for (const WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kInt8PerRow, WeightFormat::kInt4Block32}) {
    testing::ReadModel model;
    ASSERT_TRUE(testing::Read(GoldenModel(), {true, true, format}, model).ok());
    const std::map<std::string, Bytes> expected = testing::AllNumbers(model);
    const auto writer = Writer(format);
    Handed handed;
    ASSERT_TRUE(Convert(*writer, GoldenModel(), [&] { return handed.Take(*writer), true; }).ok());
    EXPECT_TRUE(handed.tensors == expected);
  }
}

// A word embedding of more than one block: 70,000 rows of 64 numbers are 17 MiB in float32.
Files LargeVocabulary(bool adapters) {
  json config = JsonOf(GoldenModel().at("config.json"));
  json& kwargs = config["text_config"]["hf_model_config_kwargs"];
  kwargs["vocab_size"] = 70'000;
  if (!adapters) {
    kwargs["lora_adaptations"] = nullptr;
    config["text_config"]["default_lora_task"] = nullptr;
  }
  Files files = RandomModel(config, JsonOf(GoldenModel().at("preprocessor_config.json")));
  json tokenizer = JsonOf(GoldenModel().at("tokenizer.json"));
  json& vocabulary = tokenizer["model"]["vocab"];
  while (vocabulary.size() < 70'000)
    vocabulary.push_back({"filler" + std::to_string(vocabulary.size()), -30.0});
  files["tokenizer.json"] = ToBytes(tokenizer.dump());
  if (!adapters) {  // two blocks would fit into one reading
    std::vector<testing::RawTensor> tensors = testing::SplitTensors(files.at("model.safetensors"));
    testing::RawTensor& words =
        testing::Named(tensors, "text_model.transformer.roberta.embeddings.word_embeddings.weight");
    words = testing::Narrowed(words, "BF16");
    files["model.safetensors"] = testing::JoinTensors(tensors);
  }
  return files;
}

TEST(PackWriter, GivesALargeTableInBlocksAndResumesWithinIt) {
  for (const bool adapters : {true, false}) {
    const Files files = LargeVocabulary(adapters);
    testing::ReadModel model;
    ASSERT_TRUE(testing::Read(files, {true, true, WeightFormat::kF32}, model).ok());
    const std::map<std::string, Bytes> expected = testing::AllNumbers(model);
    const auto writer = Writer(WeightFormat::kF32);
    Handed handed;
    Bytes state;
    ASSERT_TRUE(Convert(*writer, files, [&] {
                  handed.Take(*writer);
                  if (handed.names.size() < 4) return true;
                  const auto saved = writer->SaveState();
                  state.assign(saved.begin(), saved.end());
                  return false;
                }).ok());
    EXPECT_EQ(handed.names.back(),
              "text_model.transformer.roberta.embeddings.word_embeddings.weight.rows.0");
    EXPECT_EQ(handed.tensors.at(handed.names.back()).size(), size_t{16} << 20);
    const auto second = Writer(WeightFormat::kF32);
    ASSERT_TRUE(Convert(*second, files, [&] { return handed.Take(*second), true; }, state).ok());
    EXPECT_EQ(second->read_bytes(), second->total_bytes());
    EXPECT_EQ(handed.names[4],
              "text_model.transformer.roberta.embeddings.word_embeddings.weight.rows.65536");
    EXPECT_TRUE(handed.tensors == expected);
    EXPECT_TRUE(second->SelfTestJson().ok());
  }
}

TEST(PackWriter, ResumesFromEveryState) {
  for (const auto& [text, vision] :
       {std::pair(true, true), std::pair(false, true), std::pair(true, false)}) {
    std::vector<Bytes> states;
    std::vector<size_t> counts;
    Handed whole;
    const auto writer = Writer(WeightFormat::kInt8PerRow, text, vision);
    ASSERT_TRUE(Convert(*writer, GoldenModel(), [&] {
                  whole.Take(*writer);
                  const auto saved = writer->SaveState();
                  states.emplace_back(saved.begin(), saved.end());
                  counts.push_back(whole.names.size());
                  return true;
                }).ok());
    const Result<std::string> expected = writer->SelfTestJson();
    ASSERT_TRUE(expected.ok());
    for (size_t i = 0; i < states.size(); ++i) {
      if (i > 0 && counts[i] == counts[i - 1] && i + 1 < states.size()) continue;
      const auto again = Writer(WeightFormat::kInt8PerRow, text, vision);
      Handed rest;
      const Status status =
          Convert(*again, GoldenModel(), [&] { return rest.Take(*again), true; }, states[i]);
      ASSERT_TRUE(status.ok()) << status.detail();
      EXPECT_TRUE(again->done());
      EXPECT_EQ(again->read_bytes(), again->total_bytes());
      ASSERT_EQ(rest.names.size(), whole.names.size() - counts[i]);
      for (const std::string& name : rest.names)
        EXPECT_TRUE(rest.tensors.at(name) == whole.tensors.at(name)) << name;
      const Result<std::string> found = again->SelfTestJson();
      ASSERT_TRUE(found.ok()) << found.status().detail();
      EXPECT_EQ(*found, *expected);
    }
  }
}

TEST(PackWriter, RejectsStatesOfOtherModels) {
  const auto writer = Writer(WeightFormat::kInt8PerRow);
  Bytes state;
  ASSERT_TRUE(Convert(*writer, GoldenModel(), [&] {
                const auto saved = writer->SaveState();
                state.assign(saved.begin(), saved.end());
                return true;
              }).ok());
  const auto code = [&](const Bytes& bytes, WeightFormat format, bool text, bool vision) {
    const auto other = Writer(format, text, vision);
    return Convert(*other, GoldenModel(), [] { return true; }, bytes).code();
  };
  EXPECT_EQ(code(state, WeightFormat::kInt8PerRow, true, true), Code::kOk);
  EXPECT_EQ(code(state, WeightFormat::kInt8PerRow, false, true), Code::kInvalidArgument);
  EXPECT_EQ(code(Bytes(state.begin(), state.end() - 1), WeightFormat::kInt8PerRow, true, true),
            Code::kInvalidArgument);
  EXPECT_EQ(code(ToBytes("nonsense"), WeightFormat::kInt8PerRow, true, true),
            Code::kInvalidArgument);
  // A list that is said to be longer than all there is.
  Bytes longer = state;
  longer[4 * 8 + 7] = std::byte{0xFF};
  EXPECT_EQ(code(longer, WeightFormat::kInt8PerRow, true, true), Code::kInvalidArgument);
}

TEST(PackWriter, MayRestartAfterAnError) {
  const auto writer = Writer(WeightFormat::kF32, false, true);
  Files files = GoldenModel();
  files["model.safetensors"].resize(1'000'000);
  const Status status = Convert(*writer, files, [] { return true; });
  EXPECT_EQ(status.code(), Code::kCorruptModel);
  EXPECT_NE(status.detail().find("model.safetensors"), std::string::npos);
  EXPECT_FALSE(writer->done());
  EXPECT_TRUE(writer->tensors().empty());
  EXPECT_EQ(writer->SelfTestJson().status().code(), Code::kInvalidArgument);
  size_t tensors = 0;
  EXPECT_TRUE(Convert(*writer, GoldenModel(), [&] {
                return tensors += writer->tensors().size(), true;
              }).ok());
  EXPECT_TRUE(writer->done());
  EXPECT_EQ(writer->tokenizer_file(), "");
  EXPECT_EQ(tensors, 4u + 3 * 16 + 2);  // stem, blocks, norm: fused, unquantised
}

TEST(PackWriter, RejectsUnknownOptionsAndPacks) {
  EXPECT_EQ(PackWriter::Create({false, false, WeightFormat::kInt8PerRow}).status().code(),
            Code::kInvalidArgument);
  EXPECT_EQ(PackWriter::Create({true, true, WeightFormat::kInt8PerRow, 0}).status().code(),
            Code::kInvalidArgument);
  const auto writer = Writer(WeightFormat::kInt8PerRow);
  EXPECT_EQ(writer->Reserve().status().code(), Code::kInvalidArgument);
  EXPECT_EQ(writer->Commit().code(), Code::kInvalidArgument);
  EXPECT_FALSE(writer->Want());
  EXPECT_FALSE(writer->done());
  const Status pack =
      Convert(*writer, testing::MakePack(GoldenModel(), WeightFormat::kInt8PerRow, 1 << 20),
              [] { return true; });
  EXPECT_EQ(pack.code(), Code::kInvalidArgument);
  EXPECT_NE(pack.detail().find("pack"), std::string::npos);
}

}  // namespace
}  // namespace clipglot
