// What a model is made of, after reading: parts in the order in which the towers are built. A part
// owns its values, lives until the tower has packed it, and is the same whether it came from an
// upstream checkpoint (adapter folded in, converted, quantised) or from a pack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "base/tensor.h"
#include "weights/model_config.h"

namespace clipglot {

// y = x Wᵀ + b. weight [out, in]; bias [out], empty where the layer has none.
struct LinearWeights {
  Matrix weight;
  std::vector<float> bias;
};

// Layer normalisation: gain and shift, each [hidden].
struct NormWeights {
  std::vector<float> weight;
  std::vector<float> bias;
};

// The word embedding [vocabulary, hidden] with the adapter folded in, the token type embedding of
// type 0 [hidden] and emb_ln.
struct TextEmbeddings {
  Matrix words;
  std::vector<float> token_type;
  NormWeights norm;
};

// One post-norm block of the text tower. qkv [3·hidden, hidden]: all q, all k, all v, each
// head-major.
struct TextLayer {
  LinearWeights qkv, out_proj, fc1, fc2;
  NormWeights norm1, norm2;
};

// Patch embedding as a matrix [width, 3·patch·patch] (always F32: it reads raw pixels and is
// small), class token [width], position embedding [1 + grid·grid, width].
struct VisionStem {
  LinearWeights patch;
  std::vector<float> cls_token;
  Matrix positions;
};

// One pre-norm block of the vision tower. q, k and v are one matrix [3·width, width], the bias of k
// is zero; w1 and w2 are one matrix [2·hidden, width] (w1 first).
struct VisionLayer {
  LinearWeights qkv, proj, w12, w3;
  NormWeights norm1, inner_attn_norm, norm2, ffn_norm;
};

// The norm after the last block of the vision tower, [width].
struct VisionNorm {
  NormWeights norm;
};

// One part, of any kind; its alternative is the kind that its PartId names.
using PartData = std::variant<TextEmbeddings, TextLayer, VisionStem, VisionLayer, VisionNorm>;

// Which part of a model, in the order in which a reader delivers them.
enum class PartKind : uint8_t {
  kTextEmbeddings,
  kTextLayer,
  kVisionStem,
  kVisionLayer,
  kVisionNorm
};
struct PartId {
  PartKind kind = PartKind::kTextEmbeddings;
  size_t index = 0;  // of a layer, else 0
};

// Receives a model while it is read, in this order: model, tokenizer, text embeddings, text layers
// 0 ..., vision stem, vision layers 0 ..., vision norm. Parts of a tower that was not asked for do
// not come. An error ends the reading and is its result.
class ModelSink {
 public:
  virtual ~ModelSink() = default;
  virtual Status OnModel(const ModelConfig& config) = 0;
  // `name` is the file's name (tokenizer.json or sentencepiece.bpe.model), `file` its whole
  // content.
  virtual Status OnTokenizer(std::string_view name, std::span<const std::byte> file) = 0;
  virtual Status OnPart(PartId id, PartData part) = 0;
  // The word embedding may be larger than the memory (1 GB in float32). A sink that returns a
  // number here gets it from a checkpoint row by row, in order, right after the text embeddings,
  // whose `words` is empty then; no Commit of the reader crosses a multiple of so many rows. 0: as
  // one matrix.
  virtual size_t WordRowsAtOnce() const { return 0; }
  // `values`: [hidden], float32, valid during the call.
  virtual Status OnWordRow(size_t /*row*/, std::span<const float> /*values*/) { return OkStatus(); }
};

}  // namespace clipglot
