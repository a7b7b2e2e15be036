// Activations to int8, as each path of isa.h reads them. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/math.h"

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

// What the kernels read: a few rows together, four columns of one beside the same four of the next.
inline constexpr size_t kInt8Step = 4;             // columns that lie side by side
inline constexpr size_t kInt8ColumnMultiple = 16;  // rows are filled with zeros up to this
constexpr size_t Int8PaddedColumns(size_t columns) { return RoundUp(columns, kInt8ColumnMultiple); }

// One of `rows` rows that lie together: column c goes to element (c / 4 · rows) · 4 + c % 4 of `q`,
// which points to this row's first element. Elements are int16 that hold q - zero_point; or int8,
// or with `is_unsigned` q + 128 as uint8.
RowQuantization QuantizeRowI16(const float* x, size_t columns, size_t rows, uint8_t* q);
RowQuantization QuantizeRowBytes(const float* x, size_t columns, size_t rows, bool is_unsigned,
                                 uint8_t* q);

// The same with a step and a zero point for each kGroupColumns columns: q = round(x / step) +
// zero_point in 0 ... kGroupMax, step = range / kGroupMax. A short group's range is smaller than
// a long row's, so these steps are about as fine, and where a few columns are far larger than the
// others finer.
inline constexpr int kGroupMax = 191;
inline constexpr size_t kGroupColumns = 128;
constexpr size_t Groups(size_t columns) { return CeilDiv(columns, kGroupColumns); }
// A group's steps, four times `quarter` of them, lie quarter by quarter, each quarter twice: from
// wherever in a quarter its steps are read in turn, they are one after the other.
inline constexpr size_t kGroupQuarters = 4;
inline constexpr size_t kGroupPositions = 2 * kGroupColumns / kInt8Step;
constexpr size_t GroupPosition(size_t step, size_t quarter) {
  return step / quarter * 2 * quarter + step % quarter;
}
// Position p of the row lies at element p · 4 · rows of `q` (kGroupPositions for each group
// before, then GroupPosition); `columns` are filled up to kInt8ColumnMultiple. `params`: of group g
// the bits of the step at element 2 · rows · g, and `rows` elements after it -zero_point as an
// int16, the other half zero. A group with a NaN or an infinity gets the step NaN.
void QuantizeRowAcc16(const float* x, size_t columns, size_t rows, uint8_t* q, int32_t* params);

// Int8Path::quantize of each path: all `rows` rows that lie together. `params`: an Int8Row
// (kernels.h) for each, or of kAcc16 what QuantizeRowAcc16 gives.
void QuantizeRowsI16(const float* x, size_t rows, size_t columns, uint8_t* values,
                     std::byte* params);
void QuantizeRowsU8(const float* x, size_t rows, size_t columns, uint8_t* values,
                    std::byte* params);
void QuantizeRowsS8(const float* x, size_t rows, size_t columns, uint8_t* values,
                    std::byte* params);
void QuantizeRowsAcc16(const float* x, size_t rows, size_t columns, uint8_t* values,
                       std::byte* params);

}  // namespace clipglot
