#include "vision/vision_tower.h"

#include <algorithm>

#include "base/strings.h"
#include "base/trace.h"

namespace clipglot {

Result<std::unique_ptr<VisionTower>> VisionTower::Create(const VisionConfig& config,
                                                         Workspace* workspace) {
  std::unique_ptr<VisionTower> tower(new VisionTower(config, workspace));
  const uint64_t tokens = config.tokens();
  const uint64_t scratch = std::max(3 * config.width, 2 * config.mlp_hidden);
  const uint64_t inner = std::max(config.mlp_hidden, 3 * config.patch_size * config.patch_size);
  const char* what = "vision activations";
  CLIPGLOT_ASSIGN_OR_RETURN(tower->x_,
                            AlignedBuffer::TryAllocateArray<float>(tokens * config.width, what));
  CLIPGLOT_ASSIGN_OR_RETURN(tower->y_,
                            AlignedBuffer::TryAllocateArray<float>(tokens * config.width, what));
  CLIPGLOT_ASSIGN_OR_RETURN(tower->scratch_,
                            AlignedBuffer::TryAllocateArray<float>(tokens * scratch, what));
  CLIPGLOT_ASSIGN_OR_RETURN(tower->inner_,
                            AlignedBuffer::TryAllocateArray<float>(tokens * inner, what));
  tower->full_ = FullGrid(config, {});
  tower->layers_.reserve(config.layers);
  return tower;
}

Result<const PatchGrid*> VisionTower::Scaled(size_t side) { return Grid(side, true); }
Result<const PatchGrid*> VisionTower::Sampled(size_t side) { return Grid(side, false); }

Result<const PatchGrid*> VisionTower::Grid(size_t side, bool scaled) {
  if (side < 1 || side > full_.side)
    return Status(Code::kInvalidArgument, StrCat("grid ", side, ": 1 to ", full_.side));
  if (side == full_.side) return &full_;
  for (const auto& grid : grids_) {
    if (grid->side == side && (grid->patches == side) == scaled) return grid.get();
  }
  CLIPGLOT_ASSIGN_OR_RETURN(PatchGrid grid, scaled ? ScaledGrid(config_, full_.positions, side)
                                                   : SampledGrid(config_, full_, side));
  if (grids_.size() == kKeptGrids) grids_.erase(grids_.begin());
  grids_.push_back(std::make_unique<PatchGrid>(std::move(grid)));
  return grids_.back().get();
}

Status VisionTower::SetStem(VisionStem part) {
  CLIPGLOT_ASSIGN_OR_RETURN(Linear patch,
                            Linear::Create(part.patch.weight, part.patch.bias, workspace_));
  CLIPGLOT_RETURN_IF_ERROR(workspace_->Reserve(patch.Scratch(config_.tokens())));
  patch_.clear();
  patch_.push_back(std::move(patch));
  positions_ = std::move(part.positions);
  cls_ = std::move(part.cls_token);
  for (size_t c = 0; c < config_.width; ++c) cls_[c] += positions_.f32()[c];
  full_.positions = positions_.f32().subspan(config_.width);
  grids_.clear();
  return OkStatus();
}

Result<VisionTower::Layer> VisionTower::Pack(const VisionLayer& part) const {
  CLIPGLOT_ASSIGN_OR_RETURN(Linear qkv, Linear::Create(part.qkv.weight, part.qkv.bias, workspace_));
  CLIPGLOT_ASSIGN_OR_RETURN(Linear proj,
                            Linear::Create(part.proj.weight, part.proj.bias, workspace_));
  CLIPGLOT_ASSIGN_OR_RETURN(Linear w12, Linear::Create(part.w12.weight, part.w12.bias, workspace_));
  CLIPGLOT_ASSIGN_OR_RETURN(Linear w3, Linear::Create(part.w3.weight, part.w3.bias, workspace_));
  Layer layer{std::move(qkv), std::move(proj),      std::move(w12), std::move(w3),
              part.norm1,     part.inner_attn_norm, part.norm2,     part.ffn_norm};
  ScratchNeed need;
  for (const Linear* linear : {&layer.qkv, &layer.proj, &layer.w12, &layer.w3})
    need = ScratchNeed::Max(need, linear->Scratch(config_.tokens()));
  CLIPGLOT_RETURN_IF_ERROR(workspace_->Reserve(need));
  return layer;
}

Status VisionTower::AddLayer(VisionLayer part) {
  CLIPGLOT_ASSIGN_OR_RETURN(Layer layer, Pack(part));
  layers_.push_back(std::move(layer));
  return OkStatus();
}

Status VisionTower::SetNorm(NormWeights part) {
  norm_ = std::move(part);
  return OkStatus();
}

Status VisionTower::Forward(const PatchGrid& grid, std::span<const float> pixels,
                            std::span<float> vector, const CallContext& context) const {
  const size_t tokens = grid.tokens(), width = config_.width;
  const std::span<const float> x = x_.as<const float>().first(tokens * width);
  TraceSink* const trace = context.trace;
  CLIPGLOT_RETURN_IF_ERROR(Embed(grid, pixels));
  Trace(trace, "hidden.0", DType::kF32, {tokens, width}, x);
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (!context.OnLayer(i, layers_.size()))
      return Status(Code::kCancelled, StrCat("before vision layer ", i));
    CLIPGLOT_RETURN_IF_ERROR(RunLayer(grid, layers_[i]));
    if (trace != nullptr) Trace(trace, StrCat("hidden.", i + 1), DType::kF32, {tokens, width}, x);
  }
  context.OnLayer(layers_.size(), layers_.size());
  // vector = norm(x)[0]
  LayerNorm(x.first(width), {}, 1, norm_.weight, norm_.bias, config_.layer_norm_eps, vector,
            *workspace_);
  Trace(trace, "raw", DType::kF32, {width}, std::span<const float>(vector));
  return OkStatus();
}

Status VisionTower::Begin(const PatchGrid& grid, std::span<const float> pixels,
                          std::vector<float>& state) const {
  CLIPGLOT_RETURN_IF_ERROR(Embed(grid, pixels));
  const std::span<const float> x = x_.as<const float>().first(grid.tokens() * config_.width);
  state.assign(x.begin(), x.end());
  return OkStatus();
}

Status VisionTower::Apply(const PatchGrid& grid, const VisionLayer& part,
                          std::span<float> state) const {
  if (state.size() != grid.tokens() * config_.width)
    return Status(Code::kInvalidArgument, "a state of no image");
  CLIPGLOT_ASSIGN_OR_RETURN(const Layer layer, Pack(part));
  std::copy(state.begin(), state.end(), x_.as<float>().begin());
  CLIPGLOT_RETURN_IF_ERROR(RunLayer(grid, layer));
  std::copy_n(x_.as<const float>().begin(), state.size(), state.begin());
  return OkStatus();
}

void VisionTower::End(const NormWeights& norm, std::span<const float> state,
                      std::span<float> vector) const {
  LayerNorm(state.first(config_.width), {}, 1, norm.weight, norm.bias, config_.layer_norm_eps,
            vector, *workspace_);
}

// The convolution of stride = kernel size is a product of a matrix whose rows are the patches,
// [side², 3 · patch · patch].
void VisionTower::GatherPatches(const PatchGrid& grid, std::span<const float> pixels) const {
  const size_t patch = config_.patch_size, size = grid.image_size;
  float* to = inner_.as<float>().data();
  for (size_t row = 0; row < grid.side; ++row) {
    for (size_t column = 0; column < grid.side; ++column) {
      for (size_t channel = 0; channel < 3; ++channel) {
        for (size_t y = 0; y < patch; ++y) {
          const float* from = &pixels[(channel * size + grid.Place(row) * patch + y) * size +
                                      grid.Place(column) * patch];
          to = std::copy(from, from + patch, to);
        }
      }
    }
  }
}

// x = [cls_token; patch_embed(pixels)] + pos_embed
Status VisionTower::Embed(const PatchGrid& grid, std::span<const float> pixels) const {
  const size_t width = config_.width, patches = grid.tokens() - 1;
  const size_t patch_values = 3 * config_.patch_size * config_.patch_size;
  if (patch_.empty()) return Status(Code::kInvalidArgument, "a picture before the stem");
  if (pixels.size() != 3 * grid.image_size * grid.image_size) {
    return Status(Code::kInvalidArgument,
                  StrCat(pixels.size(), " pixel values for an image size of ", grid.image_size));
  }
  const std::span<float> x = x_.as<float>();
  GatherPatches(grid, pixels);
  CLIPGLOT_RETURN_IF_ERROR(patch_[0].Run(inner_.as<float>().first(patches * patch_values), patches,
                                         x.subspan(width, patches * width), *workspace_));
  std::copy(cls_.begin(), cls_.end(), x.begin());
  Add(x.subspan(width, patches * width), grid.positions, *workspace_);
  return OkStatus();
}

Status VisionTower::RunLayer(const PatchGrid& grid, const Layer& layer) const {
  const size_t tokens = grid.tokens(), width = config_.width, hidden = config_.mlp_hidden;
  const double eps = config_.layer_norm_eps;
  const std::span<float> x = x_.as<float>().first(tokens * width);
  const std::span<float> y = y_.as<float>().first(tokens * width);
  const std::span<float> qkv = scratch_.as<float>().first(tokens * 3 * width);
  const std::span<float> projected = scratch_.as<float>().first(tokens * width);
  const std::span<float> w12 = scratch_.as<float>().first(tokens * 2 * hidden);
  const std::span<float> inner = inner_.as<float>().first(tokens * hidden);

  // qkv of norm1(x); rotary on the patches' q and k, the class token stays
  LayerNorm(x, {}, tokens, layer.norm1.weight, layer.norm1.bias, eps, y, *workspace_);
  CLIPGLOT_RETURN_IF_ERROR(layer.qkv.Run(y, tokens, qkv, *workspace_));
  Rotate(qkv, tokens, config_.heads(), config_.head_width, grid.rotary, RotaryPairing::kInterleaved,
         /*skip=*/1, *workspace_);
  // x += proj(inner_attn_ln(softmax(q kᵀ / sqrt(d)) v))
  CLIPGLOT_RETURN_IF_ERROR(Attention(qkv, tokens, config_.heads(), config_.head_width, {},
                                     ArithmeticFor(layer.qkv), y, *workspace_));
  LayerNorm(y, {}, tokens, layer.inner_attn_norm.weight, layer.inner_attn_norm.bias, eps, y,
            *workspace_);
  CLIPGLOT_RETURN_IF_ERROR(layer.proj.Run(y, tokens, projected, *workspace_));
  Add(x, projected, *workspace_);
  // x += w3(ffn_ln(silu(w1 y) · (w2 y))), y = norm2(x)
  LayerNorm(x, {}, tokens, layer.norm2.weight, layer.norm2.bias, eps, y, *workspace_);
  CLIPGLOT_RETURN_IF_ERROR(layer.w12.Run(y, tokens, w12, *workspace_));
  SwiGlu(w12, tokens, hidden, inner, *workspace_);
  LayerNorm(inner, {}, tokens, layer.ffn_norm.weight, layer.ffn_norm.bias, eps, inner, *workspace_);
  CLIPGLOT_RETURN_IF_ERROR(layer.w3.Run(inner, tokens, y, *workspace_));
  Add(x, y, *workspace_);
  return OkStatus();
}

size_t VisionTower::resident_bytes() const {
  size_t bytes = positions_.values.size();
  for (const Linear& patch : patch_) bytes += patch.packed_bytes();
  for (const Layer& layer : layers_) {
    bytes += layer.qkv.packed_bytes() + layer.proj.packed_bytes() + layer.w12.packed_bytes() +
             layer.w3.packed_bytes();
  }
  return bytes;
}

}  // namespace clipglot
