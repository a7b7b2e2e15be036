// Models in memory for the tests of the weights: a folder of files, its tensors, and what a reader
// makes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "weights/model_layout.h"
#include "weights/model_reader.h"

namespace clipglot::testing {

using Bytes = std::vector<std::byte>;
using Files = std::map<std::string, Bytes>;

Bytes ToBytes(std::string_view text);
std::string ToText(const Bytes& bytes);

// One tensor of a safetensors file, as it lies there.
struct RawTensor {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  Bytes bytes;
};
// In the order of the file. `file` must be valid.
std::vector<RawTensor> SplitTensors(const Bytes& file);
// A safetensors file with the tensors in this order.
Bytes JoinTensors(const std::vector<RawTensor>& tensors);
// The tensor of that name; a failed expectation when there is none.
RawTensor& Named(std::vector<RawTensor>& tensors, const std::string& name);
// F32 to "F16" or "BF16", cut off rather than rounded (the tests compare with what was stored).
RawTensor Narrowed(const RawTensor& tensor, const std::string& dtype);
// Numbers of an F32, F16 or BF16 tensor, computed by arithmetic alone.
std::vector<float> Numbers(const RawTensor& tensor);
RawTensor FloatTensor(std::string name, std::vector<uint64_t> shape,
                      const std::vector<float>& numbers);

// tests/data/golden-a without images and expectations.
const Files& GoldenModel();
// The same with its adapters folded into plain weights, config.json changed accordingly.
Files WithoutAdapters(const Files& model);
// A checkpoint with the given configuration and random numbers in all expected tensors; a
// tokenizer.json that only has to be there.
Files RandomModel(const nlohmann::json& config, const nlohmann::json& preprocessor);
nlohmann::json JsonOf(const Bytes& bytes);

// Every part that a reader delivered, in order.
struct ReadModel : ModelSink {
  Status OnModel(const ModelConfig& value) override;
  Status OnTokenizer(std::string_view name, std::span<const std::byte> file) override;
  Status OnPart(PartId id, PartData part) override;

  ModelConfig config;
  std::string tokenizer_name;
  Bytes tokenizer;
  TextEmbeddings embeddings;
  std::vector<TextLayer> text_layers;
  VisionStem stem;
  std::vector<VisionLayer> vision_layers;
  NormWeights vision_norm;
  std::vector<std::string> order;  // names of the calls
  std::vector<ByteRange> ranges;   // what was wanted
  std::vector<FileEntry> files;    // as listed
  uint64_t total_bytes = 0, read_bytes = 0;
};

// Answers the reader's wishes from `files`.
Status Read(const Files& files, const ReadOptions& options, ReadModel& model);

// All numbers of a delivered model by pack name, for comparison.
std::map<std::string, Bytes> AllNumbers(ReadModel& model);

// A pack with what `model` holds (q8 or f32), shards of at most `shard_bytes` of data.
Files MakePack(const Files& checkpoint, WeightFormat format, uint64_t shard_bytes);
// The manifest with its own hash at its end.
Bytes SignManifest(nlohmann::json manifest);
// A file as the manifest lists it: path, bytes, sha256.
nlohmann::json SignedFile(const std::string& path, const Bytes& bytes);

}  // namespace clipglot::testing
