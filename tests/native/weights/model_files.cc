#include "weights/model_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "base/overloaded.h"
#include "container/sha256.h"
#include "support/golden.h"

namespace clipglot::testing {

using nlohmann::json;

Bytes ToBytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return Bytes(bytes.begin(), bytes.end());
}
std::string ToText(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
json JsonOf(const Bytes& bytes) { return json::parse(ToText(bytes)); }

std::vector<RawTensor> SplitTensors(const Bytes& file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  const json header = json::parse(ToText(file).substr(8, length));
  std::vector<std::pair<uint64_t, RawTensor>> placed;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const uint64_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    const auto data = file.begin() + static_cast<ptrdiff_t>(8 + length);
    placed.emplace_back(begin, RawTensor{name, entry["dtype"], entry["shape"],
                                         Bytes(data + static_cast<ptrdiff_t>(begin),
                                               data + static_cast<ptrdiff_t>(end))});
  }
  std::sort(placed.begin(), placed.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<RawTensor> tensors;
  for (auto& [begin, tensor] : placed) tensors.push_back(std::move(tensor));
  return tensors;
}

Bytes JoinTensors(const std::vector<RawTensor>& tensors) {
  json header = json::object();
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t offset = 0;
  for (const RawTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  const std::string text = header.dump();
  const uint64_t length = text.size();
  Bytes file(8);
  std::memcpy(file.data(), &length, 8);
  const Bytes head = ToBytes(text);
  file.insert(file.end(), head.begin(), head.end());
  for (const RawTensor& tensor : tensors)
    file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
  return file;
}

RawTensor& Named(std::vector<RawTensor>& tensors, const std::string& name) {
  for (RawTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return tensors.front();
}

RawTensor Narrowed(const RawTensor& tensor, const std::string& dtype) {
  EXPECT_EQ(tensor.dtype, "F32");
  RawTensor out{tensor.name, dtype, tensor.shape, Bytes(tensor.bytes.size() / 2)};
  for (size_t i = 0; i < out.bytes.size() / 2; ++i) {
    uint32_t bits;
    std::memcpy(&bits, tensor.bytes.data() + 4 * i, 4);
    uint16_t word = static_cast<uint16_t>(bits >> 16);
    if (dtype == "F16") {
      float number;
      std::memcpy(&number, &bits, 4);
      int exponent = 0;
      const float fraction =
          std::frexp(std::abs(number), &exponent);    // 0.5 ... 1, number = fraction · 2^exponent
      const int biased = std::max(exponent + 14, 0);  // 0: denormal, in units of 2^-24
      const float units =
          biased == 0 ? std::ldexp(fraction, exponent + 24) : std::ldexp(fraction, 11) - 1024;
      word = static_cast<uint16_t>((bits >> 31) << 15);
      if (number != 0)
        word |= static_cast<uint16_t>(static_cast<unsigned>(biased) << 10 |
                                      static_cast<unsigned>(units));
    }
    std::memcpy(out.bytes.data() + 2 * i, &word, 2);
  }
  return out;
}

std::vector<float> Numbers(const RawTensor& tensor) {
  const size_t size = tensor.dtype == "F32" ? 4 : 2;
  std::vector<float> numbers(tensor.bytes.size() / size);
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (size == 4) {
      std::memcpy(&numbers[i], tensor.bytes.data() + 4 * i, 4);
      continue;
    }
    uint16_t word;
    std::memcpy(&word, tensor.bytes.data() + 2 * i, 2);
    const int fraction_bits = tensor.dtype == "F16" ? 10 : 7,
              bias = tensor.dtype == "F16" ? 15 : 127;
    const int fraction = word & ((1 << fraction_bits) - 1),
              exponent = (word & 0x7FFF) >> fraction_bits;
    const int units = exponent == 0 ? fraction : fraction + (1 << fraction_bits);
    const float magnitude =
        std::ldexp(static_cast<float>(units), std::max(exponent, 1) - bias - fraction_bits);
    numbers[i] = (word & 0x8000) != 0 ? -magnitude : magnitude;
  }
  return numbers;
}

RawTensor FloatTensor(std::string name, std::vector<uint64_t> shape,
                      const std::vector<float>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {std::move(name), "F32", std::move(shape), Bytes(bytes.begin(), bytes.end())};
}

const Files& GoldenModel() {
  static const Files kFiles = [] {
    Files files;
    for (const char* name : {"config.json", "preprocessor_config.json", "tokenizer.json",
                             "sentencepiece.bpe.model", "model.safetensors"}) {
      files[name] = ReadFile(TestData(std::string("golden-a/") + name));
    }
    return files;
  }();
  return kFiles;
}

Files WithoutAdapters(const Files& model) {
  Files out = model;
  json config = JsonOf(model.at("config.json"));
  json& text = config["text_config"];
  text["default_lora_task"] = nullptr;
  text["hf_model_config_kwargs"]["lora_adaptations"] = nullptr;
  out["config.json"] = ToBytes(config.dump());
  std::vector<RawTensor> tensors = SplitTensors(model.at("model.safetensors")), plain;
  const std::string original = ".parametrizations.weight.original";
  for (const RawTensor& tensor : tensors) {
    if (tensor.name.find(".lora_") != std::string::npos) continue;
    const size_t at = tensor.name.find(original);
    if (at == std::string::npos) {
      plain.push_back(tensor);
      continue;
    }
    const std::string stem = tensor.name.substr(0, at),
                      factor = stem + ".parametrizations.weight.0.";
    const bool embedding = stem.ends_with("_embeddings");
    // W + A B for embeddings, W + B A for linears (alpha / rank is 1 here), in double.
    const RawTensor& left = Named(tensors, factor + (embedding ? "lora_A" : "lora_B"));
    const RawTensor& right = Named(tensors, factor + (embedding ? "lora_B" : "lora_A"));
    const std::vector<float> l = Numbers(left), r = Numbers(right);
    std::vector<float> w = Numbers(tensor);
    const size_t rows = tensor.shape[0], columns = tensor.shape[1], rank = left.shape[2];
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        double sum = w[i * columns + j];
        for (size_t k = 0; k < rank; ++k)
          sum += static_cast<double>(l[i * rank + k]) * r[k * columns + j];
        w[i * columns + j] = static_cast<float>(sum);
      }
    }
    plain.push_back(FloatTensor(stem + ".weight", tensor.shape, w));
  }
  out["model.safetensors"] = JoinTensors(plain);
  return out;
}

Files RandomModel(const json& config, const json& preprocessor) {
  Files files;
  files["config.json"] = ToBytes(config.dump());
  files["preprocessor_config.json"] = ToBytes(preprocessor.dump());
  files["tokenizer.json"] = ToBytes("{\"any\": true}");
  const auto parsed =
      ParseModelConfig(*Json::Parse(config.dump(), "config.json"),
                       *Json::Parse(preprocessor.dump(), "preprocessor_config.json"));
  EXPECT_TRUE(parsed.ok()) << parsed.status().detail();
  if (!parsed.ok()) return files;
  std::minstd_rand random(7);
  std::vector<RawTensor> tensors;
  for (const ExpectedTensor& expected : ListCheckpointTensors(*parsed)) {
    uint64_t count = 1;
    for (const uint64_t size : expected.shape) count *= size;
    std::vector<float> numbers(count);
    for (float& number : numbers) number = static_cast<float>(random() % 20001) / 10000.0f - 1.0f;
    tensors.push_back(FloatTensor(expected.name, expected.shape, numbers));
  }
  files["model.safetensors"] = JoinTensors(tensors);
  return files;
}

Status ReadModel::OnModel(const ModelConfig& value) {
  config = value;
  order.push_back("model");
  return OkStatus();
}
Status ReadModel::OnTokenizer(std::string_view name, std::span<const std::byte> file) {
  tokenizer_name = name;
  tokenizer.assign(file.begin(), file.end());
  order.push_back("tokenizer");
  return OkStatus();
}
Status ReadModel::OnPart(PartId id, PartData part) {
  const std::string index = std::to_string(id.index);
  std::visit(Overloaded{[&](TextEmbeddings& words) {
                          embeddings = std::move(words);
                          order.push_back("embeddings");
                        },
                        [&](TextLayer& layer) {
                          text_layers.push_back(std::move(layer));
                          order.push_back("text " + index);
                        },
                        [&](VisionStem& first) {
                          stem = std::move(first);
                          order.push_back("stem");
                        },
                        [&](VisionLayer& layer) {
                          vision_layers.push_back(std::move(layer));
                          order.push_back("vision " + index);
                        },
                        [&](VisionNorm& last) {
                          vision_norm = std::move(last.norm);
                          order.push_back("norm");
                        }},
             part);
  return OkStatus();
}

Status Read(const Files& files, const ReadOptions& options, ReadModel& model) {
  for (const auto& [name, bytes] : files) model.files.push_back({name, bytes.size()});
  CLIPGLOT_ASSIGN_OR_RETURN(const auto reader, ModelReader::Create(model.files, options, &model));
  while (const auto range = reader->Want()) {
    const Bytes& file = files.at(model.files.at(range->file).path);
    EXPECT_GT(range->length, 0u);
    EXPECT_LE(range->length, uint64_t{64} << 20);
    EXPECT_LE(range->offset + range->length, file.size());
    model.ranges.push_back(*range);
    CLIPGLOT_ASSIGN_OR_RETURN(const std::span<std::byte> to, reader->Reserve());
    EXPECT_EQ(to.size(), range->length);
    std::memcpy(to.data(), file.data() + range->offset, to.size());
    const Status status = reader->Commit();
    model.total_bytes = reader->total_bytes();
    model.read_bytes = reader->read_bytes();
    if (!status.ok()) {
      if (const auto again = reader->Want()) {
        // A damaged chunk may be passed again: the same range, and the same bytes fail as before.
        EXPECT_EQ(again->offset, range->offset);
        EXPECT_EQ(again->length, range->length);
        EXPECT_EQ(status.code(), Code::kCorruptModel);
        EXPECT_EQ(reader->Commit().code(), Code::kInvalidArgument) << "without Reserve";
        CLIPGLOT_ASSIGN_OR_RETURN(const std::span<std::byte> retry, reader->Reserve());
        EXPECT_EQ(reader->Commit().detail(), status.detail()) << retry.size();
        return status;
      }
      EXPECT_EQ(reader->Reserve().status().code(), Code::kInvalidArgument);
      EXPECT_EQ(reader->Commit().code(), Code::kInvalidArgument);
      return status;
    }
  }
  return OkStatus();
}

std::map<std::string, Bytes> AllNumbers(ReadModel& model) {
  std::map<std::string, Bytes> numbers;
  const auto add = [&](PartId id, auto& part) {
    PartData data = std::move(part);
    for (const Slot& slot : ListSlots(model.config, id, data)) {
      for (const PackEntry& entry : ListPackEntries(slot)) {
        numbers[entry.name] = Bytes(entry.bytes.begin(), entry.bytes.end());
      }
    }
  };
  if (!model.text_layers.empty()) {
    add({PartKind::kTextEmbeddings, 0}, model.embeddings);
    for (size_t i = 0; i < model.text_layers.size(); ++i)
      add({PartKind::kTextLayer, i}, model.text_layers[i]);
  }
  if (!model.vision_layers.empty()) {
    add({PartKind::kVisionStem, 0}, model.stem);
    for (size_t i = 0; i < model.vision_layers.size(); ++i)
      add({PartKind::kVisionLayer, i}, model.vision_layers[i]);
    VisionNorm last{std::move(model.vision_norm)};
    add({PartKind::kVisionNorm, 0}, last);
  }
  return numbers;
}

Bytes SignManifest(json manifest) {
  manifest.erase("sha256");
  std::string text = manifest.dump();
  text.back() = ',';  // the closing brace
  text += "\n\"sha256\": \"";
  return ToBytes(text + Sha256Hex(Sha256(std::as_bytes(std::span(text)))) + "\"\n}\n");
}

json SignedFile(const std::string& path, const Bytes& bytes) {
  json hashes = json::array();
  for (size_t at = 0; at < bytes.size(); at += size_t{4} << 20) {
    const size_t length = std::min(size_t{4} << 20, bytes.size() - at);
    hashes.push_back(Sha256Hex(Sha256(std::span(bytes).subspan(at, length))));
  }
  return {{"path", path}, {"bytes", bytes.size()}, {"sha256", hashes}};
}

Files MakePack(const Files& checkpoint, WeightFormat format, uint64_t shard_bytes) {
  ReadModel model;
  const Status status = Read(checkpoint, {true, true, format}, model);
  EXPECT_TRUE(status.ok()) << status.detail();
  const std::map<std::string, Bytes> numbers = AllNumbers(model);

  Files pack;
  pack["tokenizer.json"] = model.tokenizer;
  json manifest = {{"formatVersion", 1},
                   {"modelId", "test"},
                   {"revision", "1"},
                   {"license", "none"},
                   {"dtype", std::string(TraitsOf(format).name)},
                   {"config", JsonOf(checkpoint.at("config.json"))},
                   {"preprocessor", JsonOf(checkpoint.at("preprocessor_config.json"))},
                   {"tokenizer", SignedFile("tokenizer.json", model.tokenizer)},
                   {"shards", json::array()}};
  std::vector<RawTensor> shard;
  uint64_t size = 0;
  std::string tower;
  const auto flush = [&] {
    if (shard.empty()) return;
    const std::string path =
        tower + "-" + std::to_string(manifest["shards"].size()) + ".safetensors";
    pack[path] = JoinTensors(shard);
    json entry = SignedFile(path, pack[path]);
    entry["tower"] = tower;
    manifest["shards"].push_back(entry);
    shard.clear();
    size = 0;
  };
  for (const PartId id : ListParts(model.config, true, true)) {
    PartData part = MakePart(id);
    for (const Slot& slot : ListSlots(model.config, id, part)) {
      EXPECT_TRUE(AllocateSlot(slot, format).ok());
      for (const PackEntry& entry : ListPackEntries(slot)) {
        const Bytes& bytes = numbers.at(entry.name);
        if (tower != PartTower(id) || size + bytes.size() > shard_bytes) flush();
        tower = PartTower(id);
        shard.push_back({entry.name, std::string(DTypeName(entry.dtype)), entry.shape, bytes});
        size += bytes.size();
      }
    }
  }
  flush();
  pack["manifest.json"] = SignManifest(manifest);
  return pack;
}

}  // namespace clipglot::testing
