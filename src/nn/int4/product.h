// Product with 4-bit weights (base/q4.h), a kernel of our own. Private to nn. Why:
// docs/decisions/0005-four-bit-weights.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// y = x Wᵀ + b. Weights stay in 4 bits. Activations become int8 by the same blocks of 32 columns,
// each with its own scale; products are summed as integers within a block, blocks as float32 in
// their order:
//   y = b + Σ_block (xscale · wscale) · Σ_i x_i w_i
// A row's bits depend on nothing but the row.
class LinearQ4 {
 public:
  // `weight`: q4 of a valid shape with all its values and scales; `bias` [rows] or empty.
  // Errors: kOutOfMemory.
  static Result<LinearQ4> Create(const Matrix& weight, std::span<const float> bias,
                                 Workspace::Impl* workspace = nullptr);

  // `x` [rows, in], `y` [rows, out]. `pool_ns`: about how long one thread takes.
  // Errors: kOutOfMemory (scratch not reserved).
  Status Run(const float* x, size_t rows, float* y, uint64_t pool_ns,
             Workspace::Impl& workspace) const;
  size_t packed_bytes() const { return tiles_.size() + bias_.size() * sizeof(float); }

 private:
  LinearQ4() = default;

  size_t in_ = 0, out_ = 0;
  AlignedBuffer tiles_;      // for each 8 outputs: for each block, kQ4PackedBytes (q4_kernel.h)
  std::vector<float> bias_;  // [outputs of all tiles]
};

}  // namespace clipglot
