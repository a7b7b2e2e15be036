// Product with 8-bit weights, a kernel of our own. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "nn/wide_product.h"
#include "nn/workspace_impl.h"

namespace clipglot {

// In wasm this kernel is faster than XNNPACK's, natively XNNPACK's are.
#ifdef __wasm_simd128__
inline constexpr bool kOwnInt8 = true;
#else
inline constexpr bool kOwnInt8 = false;
#endif

// y = x Wᵀ + b. Weights are int8 with a scale per output; activations become int8 with a step and a
// zero point per row (quantize.h):
//   y = (Σ (q - zero_point) · w) · step · scale + b
// The sum is an exact integer on every DotWay, so a row's bits depend on nothing but the row.
class LinearQ8 {
 public:
  // `weight`: I8 of a valid shape with all its values and scales; `bias` [rows] or empty.
  // Errors: kOutOfMemory.
  static Result<LinearQ8> Create(const Matrix& weight, std::span<const float> bias);

  // `x` [rows, in], `y` [rows, out]. `pool_ns`: about how long one thread takes.
  // Errors: kOutOfMemory (scratch not reserved).
  Status Run(const float* x, size_t rows, float* y, uint64_t pool_ns,
             Workspace::Impl& workspace) const;
  size_t packed_bytes() const { return panels_.size(); }

 private:
  LinearQ8() = default;
  void RunPass(const float* x, size_t rows, float* y, uint64_t pool_ns,
               Workspace::Impl& workspace) const;
  void RunWidePass(const float* x, size_t rows, float* y, uint64_t pool_ns,
                   Workspace::Impl& workspace) const;
  size_t panels() const;
  // The panels that WideProduct takes together, from `first` on.
  void Group(size_t first, const uint8_t* (&group)[kWidePanels]) const;

  size_t in_ = 0, out_ = 0;
  AlignedBuffer panels_;  // for each 4 outputs: their weights and what belongs to them
};

}  // namespace clipglot
