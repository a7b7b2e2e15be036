#include "nn/quantize.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "nn/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I32x4;

struct Range {
  float low = 0, high = 0;  // low <= 0 <= high
  bool finite = true;
};

Range FindRange(const float* x, size_t columns) {
  F32x4 low[2] = {}, high[2] = {};
  F32x4 poison[2] = {};  // x · 0: zero, or NaN when x is not finite
  const F32x4 zero = {};
  size_t c = 0;
  for (; c + 8 <= columns; c += 8) {
    for (size_t i = 0; i < 2; ++i) {
      const F32x4 v = simd::Load(x + c + 4 * i);
      low[i] = simd::Min(low[i], v);
      high[i] = simd::Max(high[i], v);
      poison[i] += v * zero;
    }
  }
  for (; c < columns; c += 4) {
    const F32x4 v = c + 4 <= columns ? simd::Load(x + c) : simd::LoadPart(x + c, columns - c);
    low[0] = simd::Min(low[0], v);
    high[0] = simd::Max(high[0], v);
    poison[0] += v * zero;
  }
  return {simd::MinLane(simd::Min(low[0], low[1])), simd::MaxLane(simd::Max(high[0], high[1])),
          simd::SumLanes(poison[0] + poison[1]) == 0.0f};
}

// The int32 (x · scale) rounded to the nearest even, plus the zero point. `bias`: kRoundingMagic's
// bits minus the zero point.
I32x4 ToInt(F32x4 x, F32x4 scale, I32x4 bias) {
  return std::bit_cast<I32x4>(x * scale + simd::Splat(simd::kRoundingMagic)) - bias;
}

int8_t Saturate(int32_t v) { return static_cast<int8_t>(v < -128 ? -128 : v > 127 ? 127 : v); }

}  // namespace

RowQuantization QuantizeRow(const float* x, size_t columns, int8_t* q) {
  // Below this the reciprocals would leave float's normal numbers.
  constexpr float kSmallestRange = 1e-34f;
  Range range = FindRange(x, columns);
  const float width = range.high - range.low;
  if (!range.finite || !std::isfinite(width)) {
    std::memset(q, 0, columns);
    return {.zero_point = 0, .step = std::numeric_limits<float>::quiet_NaN()};
  }
  if (width < kSmallestRange) {
    std::memset(q, 0, columns);
    return {.zero_point = 0, .step = 1.0f};
  }
  const float scale = 255.0f / width;
  const float low = range.low * scale;    // about -255 ... 0
  const float high = range.high * scale;  // about 0 ... 255
  // Of the two ends, the one with the smaller error is met.
  float zero = (-128.0f + low) + (127.0f + high) > 0.0f ? -128.0f - low : 127.0f - high;
  zero = zero < -128.0f ? -128.0f : zero > 127.0f ? 127.0f : zero;
  const auto zero_point = static_cast<int32_t>(std::nearbyint(zero));

  const float step = 1.0f / scale;
  const F32x4 scale4 =
      simd::Splat(1.0f / step);  // XNNPACK multiplies by the reciprocal of what it reports
  const I32x4 bias = simd::SplatI32(std::bit_cast<int32_t>(simd::kRoundingMagic) - zero_point);
  size_t c = 0;
#ifdef __wasm_simd128__
  for (; c + 16 <= columns; c += 16) {
    const auto a = (v128_t)ToInt(simd::Load(x + c), scale4, bias);
    const auto b = (v128_t)ToInt(simd::Load(x + c + 4), scale4, bias);
    const auto d = (v128_t)ToInt(simd::Load(x + c + 8), scale4, bias);
    const auto e = (v128_t)ToInt(simd::Load(x + c + 12), scale4, bias);
    const v128_t bytes =
        wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(a, b), wasm_i16x8_narrow_i32x4(d, e));
    wasm_v128_store(q + c, bytes);
  }
#endif
  for (; c < columns; c += 4) {
    const size_t count = columns - c < 4 ? columns - c : 4;
    const I32x4 v =
        ToInt(count == 4 ? simd::Load(x + c) : simd::LoadPart(x + c, count), scale4, bias);
    for (size_t i = 0; i < count; ++i) q[c + i] = Saturate(v[i]);
  }
  return {.zero_point = zero_point, .step = step};
}

}  // namespace clipglot
