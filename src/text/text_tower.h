// Jina XLM-RoBERTa: token ids to one pooled vector a text.
//
// Takes: ids with <s> and </s>. Gives: the mean of the last layer's rows, not normalised. Built
// part by part while the model is read; all memory for activations is set aside at creation, so
// that Forward never allocates. Not thread-safe.
//
// Source of every step: upstream xlm-roberta-flash-implementation, modeling_xlm_roberta.py, mha.py,
// block.py, mlp.py, rotary.py; wrapper hf_model.py (mean pooler) of jina-clip-implementation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/call_observer.h"
#include "base/status.h"
#include "nn/nn.h"
#include "weights/model_weights.h"

namespace clipglot {

class TextTower {
 public:
  // `max_tokens`: maximum tokens of one Forward. `workspace`: outlives the tower, shared with other
  // towers. Errors: kOutOfMemory.
  static Result<std::unique_ptr<TextTower>> Create(const TextConfig& config, size_t max_tokens,
                                                   Workspace* workspace);

  // Parts in order: the embeddings, then each layer. The word table is kept as it is, the linears
  // are packed.
  Status SetEmbeddings(TextEmbeddings part);
  Status AddLayer(TextLayer part);
  bool complete() const { return layers_.size() == config_.layers && !embeddings_.words.empty(); }

  // One or more texts, concatenated without padding: `ids` [1 ... max_tokens],
  // each below vocab_size; `lengths`: tokens of each text, at least 1. A text has the same bits in
  // any company. Positions that hold the pad id are left out as attention keys and of the mean, but
  // take a rotary position, as upstream on a CPU. `pooled` [texts, hidden]. `context`: asked
  // between layers. Errors: kInvalidArgument, kCancelled, kInternal.
  Status Forward(std::span<const int32_t> ids, std::span<const size_t> lengths,
                 std::span<float> pooled, const CallContext& context = {});

  // The steps of Forward one by one, with the same bits, for a converter that holds one layer at a
  // time: Begin (uses what SetEmbeddings was given), Apply for each layer in order, End. `state`
  // [tokens · hidden] stays with the caller, so that several texts can be on their way. The pad id
  // is refused.
  Status Begin(std::span<const int32_t> ids, std::vector<float>& state);
  Status Apply(const TextLayer& part, std::span<std::vector<float>> states);
  Status End(std::span<const float> state, std::span<float> pooled);

  size_t resident_bytes() const;  // weights held, packed

 private:
  struct Layer {
    Linear qkv, out_proj, fc1, fc2;
    NormWeights norm1, norm2;
  };
  TextTower(const TextConfig& config, Workspace* workspace)
      : config_(config), workspace_(workspace) {}
  Result<Layer> Pack(const TextLayer& part) const;
  Status CheckIds(std::span<const int32_t> ids) const;
  void Embed(std::span<const int32_t> ids);
  Status RunLayer(const Layer& layer, std::span<const size_t> lengths);
  // Of the rows from `first` on.
  void MeanPool(size_t first, size_t tokens, std::span<float> pooled) const;

  TextConfig config_;
  Workspace* workspace_;
  TextEmbeddings embeddings_;
  std::vector<Layer> layers_;
  RotaryTable rotary_;
  size_t max_tokens_ = 0;
  // Activations: hidden state, a second hidden-sized buffer, and one for qkv or the MLP's inside.
  AlignedBuffer x_, y_, scratch_;
  std::vector<uint8_t> mask_;  // [tokens] 1 where the token counts
  bool masked_ = false;        // some token does not count
};

}  // namespace clipglot
