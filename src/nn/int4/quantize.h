// Activations to int8 in blocks of 32 columns, laid out for the 4-bit kernel. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/q4.h"

namespace clipglot {

// What the kernels read lies in units of four bytes: int8 of four columns, or int16 of two. Of
// eight columns, the units of int16 are 0 2, 4 6, 1 3 and 5 7, as shifts of packed weights give
// them.
inline constexpr size_t kInt4UnitBytes = 4;
constexpr size_t Int4Units(bool bytes) { return kQ4Block / (bytes ? 4 : 2); }  // of a block
inline constexpr size_t kInt4Rows = 4;  // rows that lie, and are multiplied, together
enum class Int4Layout : uint8_t {
  kI16,    // units of int16
  kBytes,  // units of int8
  kAcc16,  // units of int8, and offsets as two int16
};

// `x` [rows, columns], 1 <= rows <= kInt4Rows. For each block b of row r, x ≈ scales[b · rows + r]
// · q with q in -127 ... 127; offsets[b · rows + r] = -8 · Σ q, which with kAcc16 is two int16, of
// columns 0 and 1 of each four and of columns 2 and 3. Unit u of row r lies at byte (u · rows + r)
// · kInt4UnitBytes of `q`; columns up to a multiple of 32 are filled with zeros. A block with a NaN
// or an infinity gets the scale NaN; one whose largest magnitude is below 1e-34 counts as zeros.
template <Int4Layout layout>
void QuantizeInt4Rows(const float* x, size_t rows, size_t columns, uint8_t* q, float* scales,
                      int32_t* offsets);

}  // namespace clipglot
