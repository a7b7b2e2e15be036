// Activations to int8, one scale and zero point per row. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace clipglot
