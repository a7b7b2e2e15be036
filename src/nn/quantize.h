// Activations to int8, one scale and zero point per row. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/dot_way.h"

namespace clipglot {

struct RowQuantization {
  int32_t zero_point = 0;  // -128 ... 127
  float step = 1;          // > 0, or NaN
};

// q[c] = round(x[c] / step) + zero_point with step = range / 255, so that x ≈ (q -
// zero_point)·step; the range always contains zero, and zero is met exactly. `x`, `q`: [columns].
// Same formulas as XNNPACK's f32 -> qd8 conversion (src/xnnpack/quantization.h), but defined for
// every input: a row whose range is below 1e-34 counts as zeros, and a row with a NaN or an
// infinity (or a range that overflows) gets the step NaN, so that its products are not finite.
RowQuantization QuantizeRow(const float* x, size_t columns, int8_t* q);

// What the kernels of linear_q8.h read: a few rows together, four columns of one beside the same
// four of the next.
inline constexpr size_t kQ8Step = 4;            // columns that lie side by side
inline constexpr size_t kQ8ColumnMultiple = 8;  // rows are filled with zeros up to this
constexpr size_t Q8PaddedColumns(size_t columns) {
  return (columns + kQ8ColumnMultiple - 1) / kQ8ColumnMultiple * kQ8ColumnMultiple;
}
constexpr size_t Q8ValueBytes(DotWay way) { return way == DotWay::kWide ? 2 : 1; }

// One of `rows` rows that lie together: column c goes to element (c / 4 · rows) · 4 + c % 4 of `q`,
// which points to this row's first element. With `way` kWide elements are int16 that hold q -
// zero_point; kUnsigned: q + 128 as uint8; kSigned: q as int8.
RowQuantization QuantizeRowQ8(const float* x, size_t columns, size_t rows, DotWay way, void* q);

}  // namespace clipglot
