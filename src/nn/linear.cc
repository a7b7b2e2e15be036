#include <xnnpack.h>

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/strings.h"
#include "nn/int4/product.h"
#include "nn/int8/product.h"
#include "nn/int8/quantize.h"
#include "nn/nn.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// An int8 product is summed in int32: 255 · 128 · in must fit.
static constexpr size_t kMaxInt8Inputs = 65536;

struct Linear::Impl {
  XnnpackHandle xnnpack;        // first: outlives the operator
  xnn_operator_t op = nullptr;  // of kF32, and of kInt8PerRow natively
  std::optional<LinearQ8> q8;   // of kInt8PerRow, where kOwnInt8
  std::optional<LinearQ4> q4;   // of kInt4Block32
  WeightFormat format = WeightFormat::kF32;
  size_t in = 0, out = 0;
  size_t packed_bytes = 0;

  ~Impl() {
    if (op != nullptr) (void)xnn_delete_operator(op);
  }
  // How long one thread takes for a product (GOP/s below are low guesses for wasm), by which the
  // threads to use are chosen. One row is bound by reading the weights, which a second
  // thread hardly speeds up.
  uint64_t Nanoseconds(size_t rows) const {
    const uint64_t operations = uint64_t{2} * rows * in * out;
    return rows == 1 ? 0 : operations / (format == WeightFormat::kF32 ? 20 : 45);
  }
  pthreadpool_t Pool(size_t rows, const Workspace::Impl& workspace) const {
    return workspace.PoolFor(Nanoseconds(rows));
  }
  // Checks the weight and packs it.
  Status Create(const Matrix& weight, std::span<const float> bias, Workspace::Impl* workspace);
  Status RunF32(const float* x, size_t rows, float* y, Workspace::Impl& workspace);
  Status RunInt8(const float* x, size_t rows, float* y, Workspace::Impl& workspace);
};

Status Linear::Impl::RunF32(const float* x, size_t rows, float* y, Workspace::Impl& workspace) {
  const pthreadpool_t pool = Pool(rows, workspace);
  CLIPGLOT_RETURN_IF_ERROR(
      FromXnnpack(xnn_reshape_fully_connected_nc_f32(op, rows, pool), "reshape f32"));
  CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(xnn_setup_fully_connected_nc_f32(op, x, y), "setup f32"));
  return FromXnnpack(xnn_run_operator(op, pool), "run f32");
}

Status Linear::Impl::RunInt8(const float* x, size_t rows, float* y, Workspace::Impl& workspace) {
  CLIPGLOT_RETURN_IF_ERROR(workspace.ReserveQuantized(rows, in));
  int8_t* q = workspace.quantized.as<int8_t>().data();
  xnn_quantization_params* params = workspace.row_params.as<xnn_quantization_params>().data();
  {
    const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
    RunRanges(workspace, rows, /*grain=*/1, /*nanoseconds=*/uint64_t{rows} * in,
              [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; ++r) {
                  const RowQuantization row = QuantizeRow(x + r * in, in, q + r * in);
                  params[r] = {.zero_point = row.zero_point, .scale = row.step};
                }
              });
  }
  // Read, not used: kernels load the parameters of a whole tile of rows.
  for (size_t i = 0; i < XNN_EXTRA_QUANTIZATION_PARAMS; ++i) params[rows + i] = params[rows - 1];

  const pthreadpool_t pool = Pool(rows, workspace);
  CLIPGLOT_RETURN_IF_ERROR(
      FromXnnpack(xnn_reshape_fully_connected_nc_qd8_f32_qc8w(op, rows, pool), "reshape qd8"));
  CLIPGLOT_RETURN_IF_ERROR(
      FromXnnpack(xnn_setup_fully_connected_nc_qd8_f32_qc8w(op, q, y, params), "setup qd8"));
  return FromXnnpack(xnn_run_operator(op, pool), "run qd8");
}

Linear::Linear(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

Status Linear::Impl::Create(const Matrix& weight, std::span<const float> bias,
                            Workspace::Impl* workspace) {
  const auto invalid = [&](std::string_view what) {
    return Status(Code::kInvalidArgument, StrCat("linear layer ", out, " x ", in, ": ", what));
  };
  if (out == 0 || in == 0) return invalid("empty weight");
  // Half the address space, so that XNNPACK's own size arithmetic (padding of rows and columns)
  // cannot overflow.
  const auto bytes = in > SIZE_MAX / sizeof(float)
                         ? std::nullopt
                         : CheckedMul(out, TraitsOf(format).row_bytes(in));
  if (!bytes || *bytes > SIZE_MAX / 2)
    return Status(Code::kOutOfMemory, StrCat("linear layer ", out, " x ", in));
  if (const Status valid = TraitsOf(format).valid(weight); !valid.ok())
    return invalid(valid.detail());
  if (!bias.empty() && bias.size() != out)
    return invalid(StrCat("bias has ", bias.size(), " values"));

  const float* bias_data = bias.empty() ? nullptr : bias.data();
  constexpr float kNoLimit = std::numeric_limits<float>::infinity();
  const size_t allocated = XnnpackBytesAllocated();
  if (format == WeightFormat::kInt4Block32) {
    CLIPGLOT_ASSIGN_OR_RETURN(q4, LinearQ4::Create(weight, bias, workspace));
    packed_bytes = q4->packed_bytes();
    return OkStatus();
  }
  if (format == WeightFormat::kF32) {
    CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(
        xnn_create_fully_connected_nc_f32(in, out, in, out, weight.f32().data(), bias_data,
                                          -kNoLimit, kNoLimit, /*flags=*/0, nullptr, nullptr, &op),
        "create f32"));
  } else {
    if (in > kMaxInt8Inputs) return invalid("more inputs than an int8 product may have");
    if constexpr (kOwnInt8) {
      CLIPGLOT_ASSIGN_OR_RETURN(q8, LinearQ8::Create(weight, bias, ProbeDotWay(), workspace));
      packed_bytes = q8->packed_bytes();
      return OkStatus();
    }
    CLIPGLOT_RETURN_IF_ERROR(FromXnnpack(
        xnn_create_fully_connected_nc_qd8_f32_qc8w(in, out, in, out, weight.scales.data(),
                                                   weight.i8().data(), bias_data, -kNoLimit,
                                                   kNoLimit, /*flags=*/0, nullptr, nullptr, &op),
        "create qd8"));
  }
  packed_bytes = XnnpackBytesAllocated() - allocated;
  return OkStatus();
}

Result<Linear> Linear::Create(const Matrix& weight, std::span<const float> bias,
                              Workspace* workspace) {
  auto impl = std::make_unique<Impl>();
  CLIPGLOT_RETURN_IF_ERROR(impl->xnnpack.Acquire());
  impl->format = weight.format;
  impl->in = weight.columns;
  impl->out = weight.rows;
  CLIPGLOT_RETURN_IF_ERROR(
      impl->Create(weight, bias, workspace == nullptr ? nullptr : &workspace->impl()));
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
  if (impl_->q8) {
    return impl_->q8->Run(x.data(), rows, y.data(), impl_->Nanoseconds(rows), workspace.impl());
  }
  if (impl_->q4) {
    return impl_->q4->Run(x.data(), rows, y.data(), impl_->Nanoseconds(rows), workspace.impl());
  }
  return impl_->format == WeightFormat::kInt8PerRow
             ? impl_->RunInt8(x.data(), rows, y.data(), workspace.impl())
             : impl_->RunF32(x.data(), rows, y.data(), workspace.impl());
}

size_t Linear::in() const { return impl_->in; }
size_t Linear::out() const { return impl_->out; }
WeightFormat Linear::format() const { return impl_->format; }
size_t Linear::packed_bytes() const { return impl_->packed_bytes; }

}  // namespace clipglot
