// Activations to int8 in blocks of 32 columns, laid out for the 4-bit kernel. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/q4.h"

namespace clipglot {

// What the kernel reads: int8 for relaxed dot products, elsewhere int16 holding the same numbers.
#ifdef __wasm_relaxed_simd__
using Q4Activation = int8_t;
inline constexpr size_t kQ4Run = 4;  // columns of a row that lie side by side
#else
using Q4Activation = int16_t;
inline constexpr size_t kQ4Run = 2;
#endif
inline constexpr size_t kQ4Rows = 4;  // rows that the kernel takes at once

// `x` [rows, columns], 1 <= rows <= kQ4Rows. For each block b of row r, x ≈ scales[b · rows + r] ·
// q with q in -127 ... 127; offsets[b · rows + r] = -8 · Σ q. The values of column c of row r lie
// at q[(c / kQ4Run · rows + r) · kQ4Run + c % kQ4Run]; columns up to a multiple of 32 are filled
// with zeros. A block with a NaN or an infinity gets the scale NaN; one whose largest magnitude is
// below 1e-34 counts as zeros.
void QuantizeQ4Rows(const float* x, size_t rows, size_t columns, Q4Activation* q, float* scales,
                    int32_t* offsets);

}  // namespace clipglot
