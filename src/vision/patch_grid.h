// Which patches of a picture a vision tower reads, and the positions it gives them.
#pragma once

#include <cstddef>
#include <span>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "nn/nn.h"
#include "weights/model_config.h"

namespace clipglot {

// Immutable once made; move-only.
struct PatchGrid {
  size_t side = 0;                   // side x side patches are read,
  size_t patches = 0;                // spread evenly over a picture of patches x patches
  size_t image_size = 0;             // of that picture, in pixels a side
  RotaryTable rotary;                // [side², head_width / 2]
  std::span<const float> positions;  // [side², width]; empty before the tower has a stem
  AlignedBuffer own_positions;       // what `positions` points into, unless it is the tower's own

  size_t tokens() const { return 1 + side * side; }  // class token and patches that are read
  // Row or column in the picture of the k-th row or column of patches that is read.
  size_t Place(size_t k) const { return (2 * k + 1) * patches / (2 * side); }
};

// In all functions: `positions` [grid², width] of all patches, or empty; 1 <= side <= grid, the
// model's own number of patches a side. Errors: kOutOfMemory.

// All patches of a picture of the model's size. Points into `positions`.
PatchGrid FullGrid(const VisionConfig& config, std::span<const float> positions);
// All patches of a smaller picture: as upstream makes a model for another image size, by
// interpolated positions (position_grid.h) and rotary angles spread over the same range.
Result<PatchGrid> ScaledGrid(const VisionConfig& config, std::span<const float> positions,
                             size_t side);
// A few patches of a picture of the model's size, each with its own position, as if the others were
// masked: all weights are used at a fraction of the cost.
Result<PatchGrid> SampledGrid(const VisionConfig& config, const PatchGrid& full, size_t side);

}  // namespace clipglot
