// Product with 8-bit weights, a kernel of our own. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "nn/int8/acc16_weights.h"
#include "nn/int8/isa.h"
#include "nn/int8/strassen_winograd.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// False in a native build with -DCLIPGLOT_INT8=xnnpack: natively XNNPACK's int8 kernels are faster,
// in wasm these.
#ifdef CLIPGLOT_INT8_XNNPACK
inline constexpr bool kOwnInt8 = false;
#else
inline constexpr bool kOwnInt8 = true;
#endif

// y = x Wᵀ + b. Weights are int8 with a scale per output; activations become int8 with a step and a
// zero point per row (quantize.h):
//   y = (Σ (q - zero_point) · w) · step · scale + b
// On kNarrow they become 0 ... kGroupMost with a step and a zero point for each kGroupColumns
// columns of a row:
//   y = (Σ_group (Σ q · w - zero_point · Σ w) · step) · scale + b
// The sums are exact integers on every DotWay, so a row's bits depend on nothing but the row and
// the way.
class LinearQ8 {
 public:
  // `weight`: I8 of a valid shape with all its values and scales; `bias` [rows] or empty; `way`:
  // one that this machine has; `workspace`: whose threads pack, or null. Errors: kOutOfMemory.
  static Result<LinearQ8> Create(const Matrix& weight, std::span<const float> bias,
                                 DotWay way = ProbeDotWay(), Workspace::Impl* workspace = nullptr);

  // `x` [rows, in], `y` [rows, out]. `pool_ns`: about how long one thread takes.
  // Errors: kOutOfMemory (scratch not reserved).
  Status Run(const float* x, size_t rows, float* y, uint64_t pool_ns,
             Workspace::Impl& workspace) const;
  size_t packed_bytes() const { return panels_.size() + narrow_.bytes(); }

 private:
  LinearQ8() = default;
  void RunPass(const float* x, size_t rows, float* y, uint64_t pool_ns,
               Workspace::Impl& workspace) const;
  void RunWidePass(const float* x, size_t rows, float* y, uint64_t pool_ns,
                   Workspace::Impl& workspace) const;
  size_t panels() const;
  // The panels that WideProduct takes together, from `first` on.
  void Group(size_t first, const uint8_t* (&group)[kWidePanels]) const;
  void AddWideOffsets(Workspace::Impl* workspace);

  size_t in_ = 0, out_ = 0;
  DotWay way_ = DotWay::kWide;
  AlignedBuffer panels_;  // q8_panel.h
  NarrowWeights narrow_;  // of kNarrow
};

}  // namespace clipglot
