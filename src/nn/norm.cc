#include <cmath>

#include "nn/nn.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;

constexpr size_t kAccumulators = 4;
constexpr size_t kStep = kAccumulators * simd::kLanes;

// The lanes of four accumulators added in double, in the same order for every row.
double Total(const F32x4 (&sums)[kAccumulators]) {
  double total = 0;
  for (const F32x4& sum : sums) {
    for (size_t lane = 0; lane < simd::kLanes; ++lane) total += static_cast<double>(sum[lane]);
  }
  return total;
}

// y = x + residual (or x), and the mean of y.
float SumRow(const float* x, const float* residual, size_t columns, float* y) {
  F32x4 sums[kAccumulators] = {};
  size_t c = 0;
  if (residual != nullptr) {
    for (; c + kStep <= columns; c += kStep) {
      for (size_t i = 0; i < kAccumulators; ++i) {
        const F32x4 v = simd::Load(x + c + 4 * i) + simd::Load(residual + c + 4 * i);
        simd::Store(y + c + 4 * i, v);
        sums[i] += v;
      }
    }
    for (; c < columns; ++c) {
      y[c] = x[c] + residual[c];
      sums[0][c % 4] += y[c];
    }
  } else {
    for (; c + kStep <= columns; c += kStep) {
      for (size_t i = 0; i < kAccumulators; ++i) {
        const F32x4 v = simd::Load(x + c + 4 * i);
        simd::Store(y + c + 4 * i, v);
        sums[i] += v;
      }
    }
    for (; c < columns; ++c) {
      y[c] = x[c];
      sums[0][c % 4] += y[c];
    }
  }
  return static_cast<float>(Total(sums) / static_cast<double>(columns));
}

// Sums of (y - mean) and of its square.
struct Moments {
  double first = 0, second = 0;
};
Moments DeviationsOfRow(const float* y, size_t columns, float mean) {
  F32x4 first[kAccumulators] = {}, second[kAccumulators] = {};
  const F32x4 mean4 = simd::Splat(mean);
  size_t c = 0;
  for (; c + kStep <= columns; c += kStep) {
    for (size_t i = 0; i < kAccumulators; ++i) {
      const F32x4 d = simd::Load(y + c + 4 * i) - mean4;
      first[i] += d;
      second[i] += d * d;
    }
  }
  for (; c < columns; ++c) {
    const float d = y[c] - mean;
    first[0][c % 4] += d;
    second[0][c % 4] += d * d;
  }
  return {Total(first), Total(second)};
}

void ScaleRow(float* y, size_t columns, float mean, float inverse, const float* weight,
              const float* bias) {
  const F32x4 mean4 = simd::Splat(mean), inverse4 = simd::Splat(inverse);
  size_t c = 0;
  for (; c + 4 <= columns; c += 4) {
    const F32x4 normal = (simd::Load(y + c) - mean4) * inverse4;
    simd::Store(y + c, normal * simd::Load(weight + c) + simd::Load(bias + c));
  }
  for (; c < columns; ++c) y[c] = (y[c] - mean) * inverse * weight[c] + bias[c];
}

CLIPGLOT_NOINLINE void NormalizeRow(const float* x, const float* residual, size_t columns,
                                    const float* weight, const float* bias, double eps, float* y) {
  const float mean = SumRow(x, residual, columns, y);
  const Moments moments = DeviationsOfRow(y, columns, mean);
  // `mean` is rounded to float32; the mean of the deviations corrects it.
  const double n = static_cast<double>(columns);
  const double correction = moments.first / n;
  const double variance = moments.second / n - correction * correction;
  const double inverse = 1.0 / std::sqrt((variance > 0 ? variance : variance * 0) + eps);
  ScaleRow(y, columns, static_cast<float>(static_cast<double>(mean) + correction),
           static_cast<float>(inverse), weight, bias);
}

}  // namespace

void LayerNorm(std::span<const float> x, std::span<const float> residual, size_t rows,
               std::span<const float> weight, std::span<const float> bias, double eps,
               std::span<float> y, Workspace& workspace) {
  const ProfileScope scope(workspace.profile(), ProfileCategory::kNorm);
  const size_t columns = weight.size();
  const float* residual_data = residual.empty() ? nullptr : residual.data();
  RunRanges(ImplOf(workspace), rows, /*grain=*/1, /*nanoseconds=*/uint64_t{rows} * columns,
            [&](size_t begin, size_t end) {
              for (size_t r = begin; r < end; ++r) {
                const size_t at = r * columns;
                NormalizeRow(x.data() + at, residual_data == nullptr ? nullptr : residual_data + at,
                             columns, weight.data(), bias.data(), eps, y.data() + at);
              }
            });
}

}  // namespace clipglot
