// Product with 8-bit weights, kernels of our own. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "base/tensor.h"
#include "nn/int8/acc16_weights.h"
#include "nn/int8/isa.h"
#include "nn/int8/panel.h"
#include "nn/product.h"

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
// Of kAcc16 they become 0 ... kGroupMax with a step and a zero point for each kGroupColumns columns
// of a row:
//   y = (Σ_group (Σ q · w - zero_point · Σ w) · step) · scale + b
// The sums are exact integers on every path, so a row's bits depend on nothing but the row and the
// path.
class Int8Product final : public Product {
 public:
  // `weight`: kInt8PerRow and valid; `bias` [rows] or empty; `path`: one that this machine can
  // take; `workspace`: whose threads pack, or null. Errors: kOutOfMemory.
  static Result<std::unique_ptr<Product>> Create(const Matrix& weight, std::span<const float> bias,
                                                 const Int8Path& path,
                                                 Workspace::Impl* workspace = nullptr);

  Status Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
             Workspace::Impl& workspace) override;
  ScratchNeed Scratch(size_t rows) const override;
  size_t packed_bytes() const override { return panels_.size() + acc16_.bytes(); }

 private:
  // The rows that one pass takes, and how they are cut into blocks.
  struct Pass;

  explicit Int8Product(const Int8Path& path) : path_(path) {}
  void RunPass(const float* x, size_t rows, float* y, uint64_t nanoseconds,
               Workspace::Impl& workspace) const;
  void QuantizeBlocks(const Pass& pass, Workspace::Impl& workspace) const;
  void ForEachTile(const Pass& pass, size_t block, size_t first_panel) const;
  void RunTile(const Pass& pass, size_t first_row, size_t rows, size_t first_panel,
               size_t last_panel, float* y) const;

  const Int8Path& path_;
  Int8Panels panels_;
  Acc16Weights acc16_;  // where path_.acc16_weights
};

}  // namespace clipglot
