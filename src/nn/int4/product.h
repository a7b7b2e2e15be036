// Product with 4-bit weights (base/q4.h), kernels of our own. Private to nn. Why:
// docs/decisions/0005-four-bit-weights.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "nn/int4/kernels.h"
#include "nn/int8/isa.h"
#include "nn/product.h"

namespace clipglot {

// y = x Wᵀ + b. Weights stay in 4 bits. Activations become int8 by the same blocks of 32 columns,
// each with its own scale; products are summed as integers within a block, blocks as float32 in
// their order:
//   y = b + Σ_block (xscale · wscale) · Σ_i x_i w_i
// A row's bits depend on nothing but the row.
class Int4Product final : public Product {
 public:
  // `weight`: kInt4Block32 and valid; `bias` [rows] or empty; `isa`: one that this machine can
  // take; `workspace`: whose threads pack, or null. Errors: kOutOfMemory.
  static Result<std::unique_ptr<Product>> Create(const Matrix& weight, std::span<const float> bias,
                                                 Int8Isa isa, Workspace::Impl* workspace = nullptr);

  Status Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
             Workspace::Impl& workspace) override;
  ScratchNeed Scratch(size_t rows) const override;
  size_t packed_bytes() const override { return panels_.size() + bias_.size() * sizeof(float); }

 private:
  struct Call;  // rows, and where what is made of them lies

  explicit Int4Product(const Int4Path& path) : path_(path) {}
  void QuantizeRows(const Call& call, Workspace::Impl& workspace) const;
  void RunTask(const Call& call, size_t first_panel, size_t first_row) const;
  void SumPanel(const Call& call, size_t panel, size_t first_row, size_t last_row,
                float* totals) const;
  void StorePanel(const Call& call, size_t panel, size_t first_row, size_t last_row,
                  const float* totals) const;

  const Int4Path& path_;
  size_t in_ = 0, out_ = 0;
  AlignedBuffer panels_;     // panel.h
  std::vector<float> bias_;  // [outputs of all panels]
};

}  // namespace clipglot
