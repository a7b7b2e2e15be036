// EVA02 vision transformer: pixels to one vector (the class token).
//
// Takes: normalised planes. Gives: the class token after the last norm, not of unit length. Built
// part by part while the model is read; all memory for activations is set aside at creation, so
// that Forward never allocates. Not thread-safe.
//
// Source of every step: upstream EVA-CLIP eva_vit_model.py (EVAVisionTransformer, Block, Attention,
// SwiGLU) and rope.py.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/call_observer.h"
#include "base/status.h"
#include "nn/nn.h"
#include "vision/patch_grid.h"
#include "weights/model_weights.h"

namespace clipglot {

class VisionTower {
 public:
  // `workspace`: outlives the tower, shared with other towers. Errors: kOutOfMemory.
  static Result<std::unique_ptr<VisionTower>> Create(const VisionConfig& config,
                                                     Workspace* workspace);

  // Parts in order: stem, each layer, norm. Linears are packed, so the parts are gone afterwards.
  // SetStem invalidates all grids.
  Status SetStem(VisionStem part);
  Status AddLayer(VisionLayer part);
  Status SetNorm(NormWeights part);
  bool complete() const { return layers_.size() == config_.layers && !norm_.weight.empty(); }

  // What the calls below take: which patches of a picture are read (patch_grid.h). Both give all
  // patches of a picture of the model's size when `side` is config.grid().
  //   Scaled    smaller pictures of side x side patches, as upstream makes a model for another size
  //   Sampled   side x side patches spread over a picture of the model's size, the others as if
  //             masked; for self-tests (engine/self_test.h)
  // `side`: 1 ... config.grid(). Made once and kept: a pointer stays valid until kKeptGrids others
  // were asked for. Errors: kInvalidArgument, kOutOfMemory.
  Result<const PatchGrid*> Scaled(size_t side);
  Result<const PatchGrid*> Sampled(size_t side);
  static constexpr size_t kKeptGrids = 3;

  // `pixels` [3, grid.image_size, grid.image_size]; where that is not a multiple of the patch size,
  // the last rows and columns are not read, as upstream's convolution. `vector` [width]. `context`:
  // asked between layers. Changes nothing but scratch memory: the same pixels and grid give the
  // same bits whatever was computed before. Errors: kInvalidArgument, kCancelled, kInternal.
  Status Forward(const PatchGrid& grid, std::span<const float> pixels, std::span<float> vector,
                 const CallContext& context = {}) const;

  // The steps of Forward one by one, with the same bits, for a converter that holds one layer at a
  // time: Begin (uses what SetStem was given), Apply for each layer in order, End. `state`
  // [grid.tokens() · width] stays with the caller.
  Status Begin(const PatchGrid& grid, std::span<const float> pixels,
               std::vector<float>& state) const;
  Status Apply(const PatchGrid& grid, const VisionLayer& part, std::span<float> state) const;
  void End(const NormWeights& norm, std::span<const float> state, std::span<float> vector) const;

  size_t resident_bytes() const;  // weights held, packed

 private:
  struct Layer {
    Linear qkv, proj, w12, w3;
    NormWeights norm1, inner_attn_norm, norm2, ffn_norm;
  };
  VisionTower(const VisionConfig& config, Workspace* workspace)
      : config_(config), workspace_(workspace) {}
  Result<Layer> Pack(const VisionLayer& part) const;
  Result<const PatchGrid*> Grid(size_t side, bool scaled);
  void GatherPatches(const PatchGrid& grid, std::span<const float> pixels) const;
  Status Embed(const PatchGrid& grid, std::span<const float> pixels) const;
  Status RunLayer(const PatchGrid& grid, const Layer& layer) const;

  const VisionConfig config_;
  Workspace* const workspace_;
  std::vector<Linear> patch_;  // one element once SetStem was called
  std::vector<float> cls_;     // class token with its position added, [width]
  Matrix positions_;           // [1 + grid², width]
  std::vector<Layer> layers_;
  NormWeights norm_;
  PatchGrid full_;                                 // all patches
  std::vector<std::unique_ptr<PatchGrid>> grids_;  // others, the oldest first
  // Scratch of a call. Activations: hidden state, a second hidden-sized buffer, qkv or [w1 | w2],
  // the MLP's inside (and the patches).
  mutable AlignedBuffer x_, y_, scratch_, inner_;
};

}  // namespace clipglot
