#include "text/text_tower.h"

#include <algorithm>
#include <numeric>

#include "base/strings.h"
#include "base/trace.h"

namespace clipglot {

Result<std::unique_ptr<TextTower>> TextTower::Create(const TextConfig& config, size_t max_tokens,
                                                     Workspace* workspace) {
  std::unique_ptr<TextTower> tower(new TextTower(config, workspace));
  const uint64_t scratch = std::max(3 * config.hidden_size, config.intermediate_size);
  tower->max_tokens_ = max_tokens;
  CLIPGLOT_ASSIGN_OR_RETURN(
      tower->x_, AlignedBuffer::TryAllocateArray<float>(uint64_t{max_tokens} * config.hidden_size,
                                                        "text activations"));
  CLIPGLOT_ASSIGN_OR_RETURN(
      tower->y_, AlignedBuffer::TryAllocateArray<float>(uint64_t{max_tokens} * config.hidden_size,
                                                        "text activations"));
  CLIPGLOT_ASSIGN_OR_RETURN(tower->scratch_, AlignedBuffer::TryAllocateArray<float>(
                                                 max_tokens * scratch, "text activations"));
  tower->mask_.resize(max_tokens);
  tower->rotary_ = TextRotary(max_tokens, config.head_dim(), config.rotary_base);
  tower->layers_.reserve(config.layers);
  return tower;
}

Status TextTower::SetEmbeddings(TextEmbeddings part) {
  embeddings_ = std::move(part);
  return OkStatus();
}

Result<TextTower::Layer> TextTower::Pack(const TextLayer& part) const {
  CLIPGLOT_ASSIGN_OR_RETURN(Linear qkv, Linear::Create(part.qkv.weight, part.qkv.bias, workspace_));
  CLIPGLOT_ASSIGN_OR_RETURN(Linear out_proj,
                            Linear::Create(part.out_proj.weight, part.out_proj.bias, workspace_));
  CLIPGLOT_ASSIGN_OR_RETURN(Linear fc1, Linear::Create(part.fc1.weight, part.fc1.bias, workspace_));
  CLIPGLOT_ASSIGN_OR_RETURN(Linear fc2, Linear::Create(part.fc2.weight, part.fc2.bias, workspace_));
  Layer layer{std::move(qkv), std::move(out_proj), std::move(fc1),
              std::move(fc2), part.norm1,          part.norm2};
  ScratchNeed need;
  for (const Linear* linear : {&layer.qkv, &layer.out_proj, &layer.fc1, &layer.fc2})
    need = ScratchNeed::Max(need, linear->Scratch(max_tokens_));
  CLIPGLOT_RETURN_IF_ERROR(workspace_->Reserve(need));
  return layer;
}

Status TextTower::AddLayer(TextLayer part) {
  CLIPGLOT_ASSIGN_OR_RETURN(Layer layer, Pack(part));
  layers_.push_back(std::move(layer));
  return OkStatus();
}

Status TextTower::Forward(std::span<const int32_t> ids, std::span<const size_t> lengths,
                          std::span<float> pooled, const CallContext& context) {
  CLIPGLOT_RETURN_IF_ERROR(CheckIds(ids));
  const size_t tokens = ids.size(), hidden = config_.hidden_size;
  const bool fit = std::accumulate(lengths.begin(), lengths.end(), size_t{0}) == tokens &&
                   std::ranges::find(lengths, size_t{0}) == lengths.end() &&
                   pooled.size() >= lengths.size() * hidden;
  if (!fit)
    return Status(Code::kInvalidArgument,
                  StrCat(tokens, " tokens are not those of ", lengths.size(), " texts"));
  const std::span<const float> x = x_.as<const float>().first(tokens * hidden);

  TraceSink* const trace = context.trace;

  Embed(ids);
  Trace(trace, "hidden.0", DType::kF32, {tokens, hidden}, x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (!context.OnLayer(i, layers_.size()))
      return Status(Code::kCancelled, StrCat("before text layer ", i));
    CLIPGLOT_RETURN_IF_ERROR(RunLayer(layers_[i], lengths));
    if (trace != nullptr) Trace(trace, StrCat("hidden.", i + 1), DType::kF32, {tokens, hidden}, x);
  }
  context.OnLayer(layers_.size(), layers_.size());
  for (size_t text = 0, first = 0; text < lengths.size(); first += lengths[text++]) {
    const std::span<float> one = pooled.subspan(text * hidden, hidden);
    MeanPool(first, lengths[text], one);
    Trace(trace, "raw", DType::kF32, {hidden}, std::span<const float>(one));
  }
  return OkStatus();
}

Status TextTower::Begin(std::span<const int32_t> ids, std::vector<float>& state) {
  CLIPGLOT_RETURN_IF_ERROR(CheckIds(ids));
  Embed(ids);
  if (masked_)
    return Status(Code::kInvalidArgument, "the pad id in a text that is computed in steps");
  const std::span<const float> x = x_.as<const float>().first(ids.size() * config_.hidden_size);
  state.assign(x.begin(), x.end());
  return OkStatus();
}

Status TextTower::Apply(const TextLayer& part, std::span<std::vector<float>> states) {
  CLIPGLOT_ASSIGN_OR_RETURN(const Layer layer, Pack(part));
  masked_ = false;
  for (std::vector<float>& state : states) {
    const size_t tokens = state.size() / config_.hidden_size;
    if (tokens == 0 || tokens > max_tokens_)
      return Status(Code::kInvalidArgument, "a state of no text");
    std::copy(state.begin(), state.end(), x_.as<float>().begin());
    CLIPGLOT_RETURN_IF_ERROR(RunLayer(layer, {&tokens, 1}));
    std::copy_n(x_.as<const float>().begin(), state.size(), state.begin());
  }
  return OkStatus();
}

Status TextTower::End(std::span<const float> state, std::span<float> pooled) {
  const size_t tokens = state.size() / config_.hidden_size;
  if (tokens == 0 || tokens > max_tokens_)
    return Status(Code::kInvalidArgument, "a state of no text");
  std::copy(state.begin(), state.end(), x_.as<float>().begin());
  std::fill_n(mask_.begin(), tokens, uint8_t{1});
  MeanPool(0, tokens, pooled);
  return OkStatus();
}

Status TextTower::CheckIds(std::span<const int32_t> ids) const {
  if (ids.empty() || ids.size() > max_tokens_) {
    return Status(Code::kInvalidArgument,
                  StrCat(ids.size(), " tokens, 1 to ", max_tokens_, " are possible"));
  }
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= config_.vocab_size) {
      return Status(Code::kInvalidArgument,
                    StrCat("token id ", id, ", the vocabulary ends at ", config_.vocab_size));
    }
  }
  return OkStatus();
}

// x = emb_ln(word_embeddings[id] + token_type_embeddings[0])
void TextTower::Embed(std::span<const int32_t> ids) {
  const size_t hidden = config_.hidden_size;
  const std::span<float> x = x_.as<float>();
  const Matrix& words = embeddings_.words;
  const std::span<const float> type = embeddings_.token_type;
  masked_ = false;
  for (size_t t = 0; t < ids.size(); ++t) {
    const size_t row = static_cast<size_t>(ids[t]);
    float* to = &x[t * hidden];
    if (words.format == WeightFormat::kF32) {
      const float* from = &words.f32()[row * hidden];
      for (size_t c = 0; c < hidden; ++c) to[c] = from[c] + type[c];
    } else if (words.format == WeightFormat::kInt4Block32) {
      DequantizeQ4Row(words.q4_values(row), words.q4_scales(row), x.subspan(t * hidden, hidden));
      for (size_t c = 0; c < hidden; ++c) to[c] += type[c];
    } else {
      const int8_t* from = &words.i8()[row * hidden];
      const float scale = words.scales[row];
      for (size_t c = 0; c < hidden; ++c) to[c] = scale * static_cast<float>(from[c]) + type[c];
    }
    mask_[t] = ids[t] != config_.pad_id;
    masked_ = masked_ || mask_[t] == 0;
  }
  const std::span<float> used = x.first(ids.size() * hidden);
  LayerNorm(used, {}, ids.size(), embeddings_.norm.weight, embeddings_.norm.bias,
            config_.layer_norm_eps, used, *workspace_);
}

// Everything except rotary and attention is row-wise and ignores sequence boundaries.
Status TextTower::RunLayer(const Layer& layer, std::span<const size_t> lengths) {
  const size_t tokens = std::accumulate(lengths.begin(), lengths.end(), size_t{0});
  const size_t hidden = config_.hidden_size, heads = config_.heads, head_dim = config_.head_dim();
  const std::span<float> x = x_.as<float>().first(tokens * hidden);
  const std::span<float> y = y_.as<float>().first(tokens * hidden);
  const std::span<float> qkv = scratch_.as<float>().first(tokens * 3 * hidden);
  const std::span<float> inner = scratch_.as<float>().first(tokens * config_.intermediate_size);
  std::span<const uint8_t> mask;
  if (masked_) mask = std::span<const uint8_t>(mask_).first(tokens);

  // qkv = Wqkv(x), rotary on q and k
  CLIPGLOT_RETURN_IF_ERROR(layer.qkv.Run(x, tokens, qkv, *workspace_));
  Rotate(qkv, lengths, heads, head_dim, rotary_, RotaryPairing::kHalfSplit, /*skip=*/0,
         *workspace_);
  // y = softmax(q kᵀ / sqrt(d)) v
  CLIPGLOT_RETURN_IF_ERROR(
      Attention(qkv, lengths, heads, head_dim, mask, ArithmeticFor(layer.qkv), y, *workspace_));
  // x = norm1(x + out_proj(y))
  const std::span<float> projected = scratch_.as<float>().first(tokens * hidden);
  CLIPGLOT_RETURN_IF_ERROR(layer.out_proj.Run(y, tokens, projected, *workspace_));
  LayerNorm(x, projected, tokens, layer.norm1.weight, layer.norm1.bias, config_.layer_norm_eps, x,
            *workspace_);
  // x = norm2(x + fc2(gelu(fc1(x))))
  CLIPGLOT_RETURN_IF_ERROR(layer.fc1.Run(x, tokens, inner, *workspace_));
  Gelu(inner, *workspace_);
  CLIPGLOT_RETURN_IF_ERROR(layer.fc2.Run(inner, tokens, y, *workspace_));
  LayerNorm(x, y, tokens, layer.norm2.weight, layer.norm2.bias, config_.layer_norm_eps, x,
            *workspace_);
  return OkStatus();
}

// pooled = sum over counted tokens / their number
void TextTower::MeanPool(size_t first, size_t tokens, std::span<float> pooled) const {
  const size_t hidden = config_.hidden_size;
  const std::span<const float> x = x_.as<const float>().subspan(first * hidden, tokens * hidden);
  const std::span<const uint8_t> mask = std::span(mask_).subspan(first, tokens);
  const size_t counted = static_cast<size_t>(std::count(mask.begin(), mask.end(), 1));
  for (size_t c = 0; c < hidden; ++c) {
    double sum = 0;
    for (size_t t = 0; t < tokens; ++t) {
      if (mask[t] != 0) sum += x[t * hidden + c];
    }
    pooled[c] = counted == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(counted));
  }
}

size_t TextTower::resident_bytes() const {
  size_t bytes = embeddings_.words.values.size() + embeddings_.words.scales.size() * sizeof(float) +
                 embeddings_.words.block_scales.size();
  for (const Layer& layer : layers_) {
    bytes += layer.qkv.packed_bytes() + layer.out_proj.packed_bytes() + layer.fc1.packed_bytes() +
             layer.fc2.packed_bytes();
  }
  return bytes;
}

}  // namespace clipglot
