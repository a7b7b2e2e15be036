#include "nn/int4/quantize.h"

#include <bit>
#include <cstring>
#include <limits>

#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I32x4;

constexpr size_t kBlockVectors = kQ4Block / simd::kLanes;

inline void StoreUnit(uint8_t* to, int32_t unit) { std::memcpy(to, &unit, sizeof(unit)); }

// One block of one row; the next unit lies `stride` bytes after the last.
template <Int4Layout layout>
inline void QuantizeBlock(const float* x, uint8_t* q, size_t stride, float* scale,
                          int32_t* offset) {
  F32x4 v[kBlockVectors];
  F32x4 highest = {}, poison = {};  // poison: x · 0, which is NaN when x is not finite
  const F32x4 zero = {};
  for (size_t i = 0; i < kBlockVectors; ++i) {
    v[i] = simd::Load(x + i * simd::kLanes);
    highest = simd::Max(highest, simd::Abs(v[i]));
    poison += v[i] * zero;
  }
  float high = simd::ReduceMax(highest), inverse = 0;
  *scale = 0;
  if (simd::ReduceSum(poison) != 0.0f) {
    *scale = std::numeric_limits<float>::quiet_NaN();
    for (F32x4& lanes : v) lanes = zero;
  } else if (high >= simd::kMinQuantizedRange) {
    *scale = high / 127.0f;
    inverse = 127.0f / high;
  }
  I32x4 sum = {}, rounded[kBlockVectors];
  for (size_t i = 0; i < kBlockVectors; ++i) {
    rounded[i] =
        std::bit_cast<I32x4>(v[i] * simd::Splat(inverse) + simd::Splat(simd::kRoundingMagic)) -
        simd::SplatI32(std::bit_cast<int32_t>(simd::kRoundingMagic));
    sum += rounded[i];
  }
  if constexpr (layout == Int4Layout::kAcc16) {
    const auto first = static_cast<uint16_t>(-8 * (sum[0] + sum[1]));
    *offset = static_cast<int32_t>(first | static_cast<uint32_t>(-8 * (sum[2] + sum[3])) << 16);
  } else {
    *offset = -8 * (sum[0] + sum[1] + sum[2] + sum[3]);
  }
  for (size_t i = 0; i < kBlockVectors; i += 4) {
    simd::I8x16 values =
        simd::DemoteToI8(rounded[i], rounded[i + 1], rounded[i + 2], rounded[i + 3]);
    if constexpr (layout != Int4Layout::kI16) {
      const auto fours = (I32x4)values;
      for (size_t u = 0; u < 4; ++u, q += stride) StoreUnit(q, fours[u]);
    } else {
      values = __builtin_shufflevector(values, values, 0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11,
                                       13, 15);
      const auto first = (I32x4)simd::PromoteLowerToI16(values),
                 last = (I32x4)simd::PromoteUpperToI16(values);
      for (size_t u = 0; u < 4; ++u, q += stride) StoreUnit(q, first[u]);
      for (size_t u = 0; u < 4; ++u, q += stride) StoreUnit(q, last[u]);
    }
  }
}

}  // namespace

template <Int4Layout layout>
CLIPGLOT_NOINLINE void QuantizeInt4Rows(const float* x, size_t rows, size_t columns, uint8_t* q,
                                        float* scales, int32_t* offsets) {
  const size_t stride = rows * kInt4UnitBytes, whole = columns / kQ4Block,
               left = columns % kQ4Block;
  const size_t block = Int4Units(layout != Int4Layout::kI16) * stride;
  for (size_t r = 0; r < rows; ++r, x += columns, q += kInt4UnitBytes) {
    for (size_t b = 0; b < whole; ++b) {
      QuantizeBlock<layout>(x + b * kQ4Block, q + b * block, stride, scales + b * rows + r,
                            offsets + b * rows + r);
    }
    if (left == 0) continue;
    float last[kQ4Block] = {};
    std::memcpy(last, x + whole * kQ4Block, left * sizeof(float));
    QuantizeBlock<layout>(last, q + whole * block, stride, scales + whole * rows + r,
                          offsets + whole * rows + r);
  }
}

template void QuantizeInt4Rows<Int4Layout::kI16>(const float*, size_t, size_t, uint8_t*, float*,
                                                 int32_t*);
template void QuantizeInt4Rows<Int4Layout::kBytes>(const float*, size_t, size_t, uint8_t*, float*,
                                                   int32_t*);
template void QuantizeInt4Rows<Int4Layout::kAcc16>(const float*, size_t, size_t, uint8_t*, float*,
                                                   int32_t*);

}  // namespace clipglot
