#include <utility>

#include "base/checked.h"
#include "base/strings.h"
#include "nn/int4/product.h"
#include "nn/int8/product.h"
#include "nn/nn.h"
#include "nn/product_xnnpack.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// An int8 product is summed in int32: 255 · 128 · in must fit.
static constexpr size_t kMaxInt8Inputs = 65536;

struct Linear::Impl {
  WeightFormat format = WeightFormat::kF32;
  size_t in = 0, out = 0;
  std::unique_ptr<Product> product;

  // How long one thread takes for a product (GOP/s below are low guesses for wasm), by which the
  // threads to use are chosen. One row is bound by reading the weights, which a second
  // thread hardly speeds up.
  uint64_t Nanoseconds(size_t rows) const {
    const uint64_t operations = uint64_t{2} * rows * in * out;
    return rows == 1 ? 0 : operations / (format == WeightFormat::kF32 ? 20 : 45);
  }
};

// `weight` is valid, and so is the length of `bias`.
static Result<std::unique_ptr<Product>> MakeProduct(const Matrix& weight,
                                                    std::span<const float> bias,
                                                    Workspace::Impl* workspace) {
  switch (weight.format) {
    case WeightFormat::kF32:
      return XnnpackF32::Create(weight, bias);
    case WeightFormat::kInt8PerRow:
      if constexpr (!kOwnInt8) return XnnpackQd8::Create(weight, bias);
      return Int8Product::Create(weight, bias, PathOf(ProbeInt8Isa()), workspace);
    case WeightFormat::kInt4Block32:
      return Int4Product::Create(weight, bias, ProbeInt8Isa(), workspace);
  }
  return Status(Code::kInternal, "unknown weight format");
}

Linear::Linear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

Result<Linear> Linear::Create(const Matrix& weight, std::span<const float> bias,
                              Workspace* workspace) {
  const size_t in = weight.columns, out = weight.rows;
  const auto invalid = [&](std::string_view what) {
    return Status(Code::kInvalidArgument, StrCat("linear layer ", out, " x ", in, ": ", what));
  };
  if (out == 0 || in == 0) return invalid("empty weight");
  const WeightFormatTraits& traits = TraitsOf(weight.format);
  // Half the address space, so that XNNPACK's own size arithmetic (padding of rows and columns)
  // cannot overflow.
  const auto bytes =
      in > SIZE_MAX / sizeof(float) ? std::nullopt : CheckedMul(out, traits.row_bytes(in));
  if (!bytes || *bytes > SIZE_MAX / 2)
    return Status(Code::kOutOfMemory, StrCat("linear layer ", out, " x ", in));
  if (const Status valid = traits.valid(weight); !valid.ok()) return invalid(valid.detail());
  if (weight.format == WeightFormat::kInt8PerRow && in > kMaxInt8Inputs)
    return invalid("more inputs than an int8 product may have");
  if (!bias.empty() && bias.size() != out)
    return invalid(StrCat("bias has ", bias.size(), " values"));

  auto impl = std::make_unique<Impl>();
  impl->format = weight.format;
  impl->in = in;
  impl->out = out;
  CLIPGLOT_ASSIGN_OR_RETURN(
      impl->product,
      MakeProduct(weight, bias, workspace == nullptr ? nullptr : &ImplOf(*workspace)));
  return Linear(std::move(impl));
}

Status Linear::Run(std::span<const float> x, size_t rows, std::span<float> y,
                   Workspace& workspace) const {
  if (rows == 0) return OkStatus();
  const ProfileScope scope(workspace.profile(), ProfileCategory::kLinear);
  const auto needed_x = CheckedMul(rows, impl_->in), needed_y = CheckedMul(rows, impl_->out);
  if (!needed_x || !needed_y || x.size() < *needed_x || y.size() < *needed_y) {
    return Status(Code::kInvalidArgument,
                  StrCat("linear layer ", impl_->out, " x ", impl_->in, ": ", x.size(), " and ",
                         y.size(), " values for ", rows, " rows"));
  }
  return impl_->product->Run(x.data(), rows, y.data(), impl_->Nanoseconds(rows), ImplOf(workspace));
}

ScratchNeed Linear::Scratch(size_t rows) const { return impl_->product->Scratch(rows); }
size_t Linear::in() const { return impl_->in; }
size_t Linear::out() const { return impl_->out; }
WeightFormat Linear::format() const { return impl_->format; }
size_t Linear::packed_bytes() const { return impl_->product->packed_bytes(); }

}  // namespace clipglot
