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
#include "weights/model_weights.h"

namespace clipglot {

class VisionTower {
 public:
  // `workspace`: outlives the tower, shared with other towers. Errors: kOutOfMemory.
  static Result<std::unique_ptr<VisionTower>> Create(const VisionConfig& config,
                                                     Workspace* workspace);

  // Parts in order: stem, each layer, norm. Linears are packed, so the parts are gone afterwards.
  Status SetStem(VisionStem part);
  Status AddLayer(VisionLayer part);
  Status SetNorm(NormWeights part);
  bool complete() const { return layers_.size() == config_.layers && !norm_.weight.empty(); }

  // `pixels` [3, image_side(), image_side()]; where that is not a multiple of the patch size, the
  // last rows and columns are not read, as upstream's convolution. `vector` [width]. `context`:
  // asked between layers. Errors: kInvalidArgument, kCancelled, kInternal.
  Status Forward(std::span<const float> pixels, std::span<float> vector,
                 const CallContext& context = {});

  // From now on only side x side patches are read, spread evenly over the picture, each with its
  // own position, as if the others were masked: all weights are used at a small part of the cost,
  // and the vectors are others. `side`: 1 ... grid(); with grid(), as at creation, all patches are
  // read. For self-tests (engine/self_test.h).
  void ReadPatches(size_t side);
  // From now on pictures are smaller and have grid x grid patches, 1 ... config.grid(): as upstream
  // makes a model for another image size, by interpolated positions (position_grid.h) and rotary
  // angles spread over the same range. With config.grid() pictures are as at creation; nothing
  // changes then if they were. Errors: kOutOfMemory.
  Status UseGrid(size_t grid);
  size_t image_side() const { return scaled_ ? ImageSide(config_, side_) : config_.image_size; }
  // The size of pictures for so many patches a side: the same part of the picture is read as with
  // all.
  static size_t ImageSide(const VisionConfig& config, size_t grid) {
    return config.image_size * grid / config.grid();
  }
  size_t tokens() const { return 1 + side_ * side_; }  // class token and patches that are read

  // The steps of Forward one by one, with the same bits, for a converter that holds one layer at a
  // time: Begin (uses what SetStem was given), Apply for each layer in order, End. `state`
  // [tokens() · width] stays with the caller.
  Status Begin(std::span<const float> pixels, std::vector<float>& state);
  Status Apply(const VisionLayer& part, std::span<float> state);
  void End(const NormWeights& norm, std::span<const float> state, std::span<float> vector);

  size_t resident_bytes() const;  // weights held, packed

 private:
  struct Layer {
    Linear qkv, proj, w12, w3;
    NormWeights norm1, inner_attn_norm, norm2, ffn_norm;
  };
  VisionTower(const VisionConfig& config, Workspace* workspace)
      : config_(config), workspace_(workspace) {}
  Result<Layer> Pack(const VisionLayer& part) const;
  // Row or column in the picture of the k-th row or column of patches that is read.
  size_t Spread(size_t k) const { return scaled_ ? k : (2 * k + 1) * config_.grid() / (2 * side_); }
  void GatherPatches(std::span<const float> pixels);
  Status Embed(std::span<const float> pixels);
  Status RunLayer(const Layer& layer);

  VisionConfig config_;
  Workspace* workspace_;
  std::vector<Linear> patch_;  // one element once SetStem was called
  std::vector<float> cls_;     // class token with its position added, [width]
  Matrix positions_;           // [tokens, width]
  std::vector<Layer> layers_;
  NormWeights norm_;
  size_t side_ = 0;              // patches that are read: side_ x side_
  bool scaled_ = false;          // of a smaller picture
  RotaryTable rotary_;           // of all patches
  RotaryTable few_rotary_;       // of those that are read, if not all
  AlignedBuffer few_positions_;  // of smaller pictures, [side_², width]
  // Activations: hidden state, a second hidden-sized buffer, qkv or [w1 | w2], the MLP's inside
  // (and the patches).
  AlignedBuffer x_, y_, wide_, inner_;
};

}  // namespace clipglot
