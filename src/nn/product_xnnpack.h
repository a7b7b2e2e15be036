// Products by XNNPACK. Private to nn.
#pragma once

#include <memory>
#include <span>

#include "base/status.h"
#include "base/tensor.h"
#include "nn/product.h"
#include "nn/runtime/xnnpack_handle.h"

namespace clipglot {

// What both have: an operator that holds the packed weights.
class XnnpackProduct : public Product {
 public:
  ~XnnpackProduct() override;
  size_t packed_bytes() const override { return packed_bytes_; }

 protected:
  XnnpackHandle handle_;  // outlives the operator
  xnn_operator* op_ = nullptr;
  size_t packed_bytes_ = 0;
};

// Weights and activations in float32.
class XnnpackF32 final : public XnnpackProduct {
 public:
  // `weight`: kF32 and valid; `bias` [rows] or empty. Errors: kOutOfMemory, kInternal.
  static Result<std::unique_ptr<Product>> Create(const Matrix& weight, std::span<const float> bias);
  Status Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
             Workspace::Impl& workspace) override;
  ScratchNeed Scratch(size_t) const override { return {}; }
};

// Weights of kInt8PerRow, activations quantised per row (qd8-f32-qc8w). Natively faster than
// Int8Product, which is what the package runs.
class XnnpackQd8 final : public XnnpackProduct {
 public:
  // `weight`: kInt8PerRow and valid; the rest as above.
  static Result<std::unique_ptr<Product>> Create(const Matrix& weight, std::span<const float> bias);
  Status Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
             Workspace::Impl& workspace) override;
  ScratchNeed Scratch(size_t rows) const override;

 private:
  explicit XnnpackQd8(size_t in) : in_(in) {}
  const size_t in_;
};

}  // namespace clipglot
