#include "nn/quantize_q4.h"

#include <bit>
#include <cstring>
#include <limits>

#include "nn/simd.h"
#include "nn/workspace_impl.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I32x4;

constexpr size_t kBlockVectors = kQ4Block / simd::kLanes;

// One block of one row; the next run of columns lies `stride` numbers behind the last.
inline void QuantizeBlock(const float* x, Q4Activation* q, size_t stride, float* scale,
                          int32_t* offset) {
  constexpr float kSmallest =
      1e-34f;  // below this the reciprocal would leave float's normal numbers
  F32x4 v[kBlockVectors];
  F32x4 highest = {}, poison = {};  // poison: x · 0, which is NaN when x is not finite
  const F32x4 zero = {};
  for (size_t i = 0; i < kBlockVectors; ++i) {
    v[i] = simd::Load(x + i * simd::kLanes);
    highest = simd::Max(highest, simd::Abs(v[i]));
    poison += v[i] * zero;
  }
  float high = simd::MaxLane(highest), inverse = 0;
  *scale = 0;
  if (simd::SumLanes(poison) != 0.0f) {
    *scale = std::numeric_limits<float>::quiet_NaN();
    for (F32x4& lanes : v) lanes = zero;
  } else if (high >= kSmallest) {
    *scale = high / 127.0f;
    inverse = 127.0f / high;
  }
  I32x4 sum = {};
  for (size_t i = 0; i < kBlockVectors; ++i) {
    const I32x4 rounded =
        std::bit_cast<I32x4>(v[i] * simd::Splat(inverse) + simd::Splat(simd::kRoundingMagic)) -
        simd::SplatI32(std::bit_cast<int32_t>(simd::kRoundingMagic));
    sum += rounded;
    Q4Activation narrow[simd::kLanes];
    for (size_t k = 0; k < simd::kLanes; ++k) narrow[k] = static_cast<Q4Activation>(rounded[k]);
    for (size_t run = 0; run < simd::kLanes / kQ4Run; ++run, q += stride) {
      std::memcpy(q, narrow + run * kQ4Run, kQ4Run * sizeof(Q4Activation));
    }
  }
  *offset = -8 * (sum[0] + sum[1] + sum[2] + sum[3]);
}

}  // namespace

CLIPGLOT_ROW_FUNCTION void QuantizeQ4Rows(const float* x, size_t rows, size_t columns,
                                          Q4Activation* q, float* scales, int32_t* offsets) {
  const size_t stride = rows * kQ4Run, whole = columns / kQ4Block, left = columns % kQ4Block;
  for (size_t r = 0; r < rows; ++r, x += columns) {
    for (size_t b = 0; b < whole; ++b) {
      QuantizeBlock(x + b * kQ4Block, q + b * kQ4Block * rows + r * kQ4Run, stride,
                    scales + b * rows + r, offsets + b * rows + r);
    }
    if (left == 0) continue;
    float block[kQ4Block] = {};
    std::memcpy(block, x + whole * kQ4Block, left * sizeof(float));
    QuantizeBlock(block, q + whole * kQ4Block * rows + r * kQ4Run, stride,
                  scales + whole * rows + r, offsets + whole * rows + r);
  }
}

}  // namespace clipglot
