#include "nn/int8/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "nn/int8/kernels.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I32x4;
using simd::I8x16;

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
    const F32x4 v = c + 4 <= columns ? simd::Load(x + c) : simd::LoadN(x + c, columns - c);
    low[0] = simd::Min(low[0], v);
    high[0] = simd::Max(high[0], v);
    poison[0] += v * zero;
  }
  return {simd::ReduceMin(simd::Min(low[0], low[1])), simd::ReduceMax(simd::Max(high[0], high[1])),
          simd::ReduceSum(poison[0] + poison[1]) == 0.0f};
}

// The 16 numbers that begin at x as int8; `bias`: kRoundingMagic's bits minus the zero point.
I8x16 Round16(const float* x, F32x4 scale, I32x4 bias) {
  const auto round = [&](size_t i) {
    return std::bit_cast<I32x4>(simd::Load(x + i) * scale + simd::Splat(simd::kRoundingMagic)) -
           bias;
  };
  return simd::DemoteToI8(round(0), round(4), round(8), round(12));
}

// To integers from `least` to `most`. Calls store(column, values, count, zero_point) for each 16
// columns; `count` is smaller for the last ones.
template <int least = -128, int most = 127, typename Store>
RowQuantization Quantize(const float* x, size_t columns, const Store& store) {
  const Range range = FindRange(x, columns);
  const float width = range.high - range.low;
  const bool finite = range.finite && std::isfinite(width);
  if (!finite || width < simd::kMinQuantizedRange) {
    for (size_t c = 0; c < columns; c += 16)
      store(c, I8x16{}, columns - c < 16 ? columns - c : 16, 0);
    return {.zero_point = 0, .step = finite ? 1.0f : std::numeric_limits<float>::quiet_NaN()};
  }
  constexpr auto kLeast = static_cast<float>(least), kMost = static_cast<float>(most);
  const float scale = (kMost - kLeast) / width;
  const float low = range.low * scale;    // about kLeast - kMost ... 0
  const float high = range.high * scale;  // about 0 ... kMost - kLeast
  // Of the two ends, the one with the smaller error is met.
  float zero = (kLeast + low) + (kMost + high) > 0.0f ? kLeast - low : kMost - high;
  zero = zero < kLeast ? kLeast : zero > kMost ? kMost : zero;
  const auto zero_point = static_cast<int32_t>(std::nearbyint(zero));

  const float step = 1.0f / scale;
  const F32x4 scale4 =
      simd::Splat(1.0f / step);  // XNNPACK multiplies by the reciprocal of what it reports
  const I32x4 bias = simd::SplatI32(std::bit_cast<int32_t>(simd::kRoundingMagic) - zero_point);
  size_t c = 0;
  for (; c + 16 <= columns; c += 16) store(c, Round16(x + c, scale4, bias), 16, zero_point);
  if (c < columns) {
    float last[16] = {};
    std::memcpy(last, x + c, (columns - c) * sizeof(float));
    store(c, Round16(last, scale4, bias), columns - c, zero_point);
  }
  return {.zero_point = zero_point, .step = step};
}

// Writes `count` columns of 16, `Four` (four columns) at a time and `stride` bytes apart, with what
// fills the row up to the multiple.
template <typename Four, typename Vector>
void Scatter(const Vector& fours, size_t count, uint8_t* to, size_t stride) {
  const auto put = [&](size_t i) {
    const Four four = fours[i];
    std::memcpy(to + i * stride, &four, sizeof(four));
  };
  constexpr size_t kFours = sizeof(Vector) / sizeof(Four);
  if (count == kFours * kInt8Step) {
    for (size_t i = 0; i < kFours; ++i) put(i);
  } else {
    for (size_t i = 0; i < Int8PaddedColumns(count) / kInt8Step; ++i) put(i);
  }
}

}  // namespace

RowQuantization QuantizeRow(const float* x, size_t columns, int8_t* q) {
  return Quantize(x, columns, [q](size_t column, I8x16 values, size_t count, int32_t) {
    std::memcpy(q + column, &values, count);
  });
}

CLIPGLOT_NOINLINE RowQuantization QuantizeRowI16(const float* x, size_t columns, size_t rows,
                                                 uint8_t* q) {
  using I64x4 = int64_t __attribute__((vector_size(32)));
  return Quantize(x, columns, [=](size_t column, I8x16 values, size_t count, int32_t zero_point) {
    const simd::I16x8 zero = simd::SplatI16(static_cast<int16_t>(zero_point));
    const auto low = (simd::I64x2)(simd::PromoteLowerToI16(values) - zero);
    const auto high = (simd::I64x2)(simd::PromoteUpperToI16(values) - zero);
    Scatter<int64_t>(I64x4{low[0], low[1], high[0], high[1]}, count,
                     q + column * rows * sizeof(int16_t), rows * sizeof(int64_t));
  });
}

CLIPGLOT_NOINLINE RowQuantization QuantizeRowBytes(const float* x, size_t columns, size_t rows,
                                                   bool is_unsigned, uint8_t* q) {
  const auto flip = (I8x16)simd::SplatI32(is_unsigned ? int32_t{-0x7F7F7F80} : 0);
  return Quantize(x, columns, [=](size_t column, I8x16 values, size_t count, int32_t) {
    Scatter<int32_t>((I32x4)(values ^ flip), count, q + column * rows, rows * sizeof(int32_t));
  });
}

CLIPGLOT_NOINLINE void QuantizeRowAcc16(const float* x, size_t columns, size_t rows, uint8_t* q,
                                        int32_t* params) {
  const size_t padded = Int8PaddedColumns(columns), step_bytes = rows * kInt8Step;
  for (size_t g = 0; g < columns; g += kGroupColumns, params += 2 * rows) {
    const size_t quarter = std::min(kGroupColumns, padded - g) / kInt8Step / kGroupQuarters;
    const RowQuantization group = Quantize<-128, kGroupMax - 128>(
        x + g, std::min(kGroupColumns, columns - g),
        [=](size_t column, I8x16 values, size_t, int32_t) {
          // Above the highest lies at most the half step that both ends' rounding may add.
          const auto most = (I8x16)simd::SplatI32(0x01010101 * (kGroupMax - 128));
          const auto flip = (I8x16)simd::SplatI32(-0x7F7F7F80);
          const auto fours = (I32x4)((values < most ? values : most) ^ flip);
          for (size_t i = 0; i < 4; ++i) {
            const int32_t four = fours[i];
            uint8_t* to = q + GroupPosition(column / kInt8Step + i, quarter) * step_bytes;
            std::memcpy(to, &four, sizeof(four));
            std::memcpy(to + quarter * step_bytes, &four, sizeof(four));
          }
        });
    params[0] = std::bit_cast<int32_t>(group.step);
    params[rows] = static_cast<uint16_t>(-(group.zero_point + 128));
    q += kGroupPositions * step_bytes;
  }
}

void QuantizeRowsI16(const float* x, size_t rows, size_t columns, uint8_t* values,
                     std::byte* params) {
  auto* of_row = reinterpret_cast<Int8Row*>(params);
  for (size_t r = 0; r < rows; ++r, x += columns, values += kInt8Step * sizeof(int16_t)) {
    // Values have their zero point taken off.
    of_row[r] = {.step = QuantizeRowI16(x, columns, rows, values).step, .offset = 0};
  }
}

template <bool is_unsigned>
static void QuantizeRowsBytes(const float* x, size_t rows, size_t columns, uint8_t* values,
                              std::byte* params) {
  auto* of_row = reinterpret_cast<Int8Row*>(params);
  for (size_t r = 0; r < rows; ++r, x += columns, values += kInt8Step) {
    const RowQuantization row = QuantizeRowBytes(x, columns, rows, is_unsigned, values);
    of_row[r] = {.step = row.step, .offset = row.zero_point + (is_unsigned ? 128 : 0)};
  }
}
void QuantizeRowsU8(const float* x, size_t rows, size_t columns, uint8_t* values,
                    std::byte* params) {
  QuantizeRowsBytes<true>(x, rows, columns, values, params);
}
void QuantizeRowsS8(const float* x, size_t rows, size_t columns, uint8_t* values,
                    std::byte* params) {
  QuantizeRowsBytes<false>(x, rows, columns, values, params);
}

void QuantizeRowsAcc16(const float* x, size_t rows, size_t columns, uint8_t* values,
                       std::byte* params) {
  for (size_t r = 0; r < rows; ++r) {
    QuantizeRowAcc16(x + r * columns, columns, rows, values + r * kInt8Step,
                     reinterpret_cast<int32_t*>(params) + r);
  }
}

}  // namespace clipglot
