#include "nn/product_xnnpack.h"

#include <xnnpack.h>

#include <limits>

#include "base/checked.h"
#include "nn/int8/quantize.h"

namespace clipglot {

static_assert(XNN_EXTRA_BYTES <= AlignedBuffer::kPadding,
              "XNNPACK reads past what AlignedBuffer pads");

static constexpr float kNoLimit = std::numeric_limits<float>::infinity();

XnnpackProduct::~XnnpackProduct() {
  if (op_ != nullptr) (void)xnn_delete_operator(op_);
}

Result<std::unique_ptr<Product>> XnnpackF32::Create(const Matrix& weight,
                                                    std::span<const float> bias) {
  auto out = std::make_unique<XnnpackF32>();
  CLIPGLOT_RETURN_IF_ERROR(out->handle_.Acquire());
  const size_t allocated = XnnpackBytesAllocated();
  CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(
      xnn_create_fully_connected_nc_f32(weight.columns, weight.rows, weight.columns, weight.rows,
                                        weight.f32().data(), bias.empty() ? nullptr : bias.data(),
                                        -kNoLimit, kNoLimit, /*flags=*/0, nullptr, nullptr,
                                        &out->op_),
      "create f32"));
  out->packed_bytes_ = XnnpackBytesAllocated() - allocated;
  return std::unique_ptr<Product>(std::move(out));
}

Status XnnpackF32::Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                       Workspace::Impl& workspace) {
  const pthreadpool_t pool = workspace.PoolFor(nanoseconds);
  CLIPGLOT_RETURN_IF_ERROR(
      FromXnnpack(xnn_reshape_fully_connected_nc_f32(op_, rows, pool), "reshape f32"));
  CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(xnn_setup_fully_connected_nc_f32(op_, x, y), "setup f32"));
  return FromXnnpack(xnn_run_operator(op_, pool), "run f32");
}

Result<std::unique_ptr<Product>> XnnpackQd8::Create(const Matrix& weight,
                                                    std::span<const float> bias) {
  auto out = std::unique_ptr<XnnpackQd8>(new XnnpackQd8(weight.columns));
  CLIPGLOT_RETURN_IF_ERROR(out->handle_.Acquire());
  const size_t allocated = XnnpackBytesAllocated();
  CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(
      xnn_create_fully_connected_nc_qd8_f32_qc8w(
          weight.columns, weight.rows, weight.columns, weight.rows, weight.scales.data(),
          weight.i8().data(), bias.empty() ? nullptr : bias.data(), -kNoLimit, kNoLimit,
          /*flags=*/0, nullptr, nullptr, &out->op_),
      "create qd8"));
  out->packed_bytes_ = XnnpackBytesAllocated() - allocated;
  return std::unique_ptr<Product>(std::move(out));
}

ScratchNeed XnnpackQd8::Scratch(size_t rows) const {
  // UINT64_MAX where it does not fit, which no workspace can reserve.
  return {.activations = CheckedMul(rows, in_).value_or(UINT64_MAX),
          .row_params = CheckedMul(uint64_t{rows} + XNN_EXTRA_QUANTIZATION_PARAMS,
                                   sizeof(xnn_quantization_params))
                            .value_or(UINT64_MAX),
          .per_thread = 0};
}

Status XnnpackQd8::Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                       Workspace::Impl& workspace) {
  CLIPGLOT_RETURN_IF_ERROR(workspace.Reserve(Scratch(rows)));
  int8_t* q = workspace.activations.as<int8_t>().data();
  xnn_quantization_params* params = workspace.row_params.as<xnn_quantization_params>().data();
  {
    const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
    RunRanges(workspace, rows, /*grain=*/1, /*nanoseconds=*/uint64_t{rows} * in_,
              [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; ++r) {
                  const RowQuantization row = QuantizeRow(x + r * in_, in_, q + r * in_);
                  params[r] = {.zero_point = row.zero_point, .scale = row.step};
                }
              });
  }
  // Read, not used: kernels load the parameters of a whole tile of rows.
  for (size_t i = 0; i < XNN_EXTRA_QUANTIZATION_PARAMS; ++i) params[rows + i] = params[rows - 1];

  const pthreadpool_t pool = workspace.PoolFor(nanoseconds);
  CLIPGLOT_RETURN_IF_ERROR(
      FromXnnpack(xnn_reshape_fully_connected_nc_qd8_f32_qc8w(op_, rows, pool), "reshape qd8"));
  CLIPGLOT_RETURN_IF_ERROR(
      FromXnnpack(xnn_setup_fully_connected_nc_qd8_f32_qc8w(op_, q, y, params), "setup qd8"));
  return FromXnnpack(xnn_run_operator(op_, pool), "run qd8");
}

}  // namespace clipglot
