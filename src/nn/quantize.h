// Activations to int8, one scale and zero point per row. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

struct xnn_quantization_params;

namespace clipglot {

// q[c] = round(x[c] · 255 / range) + zero_point, so that x ≈ (q - zero_point) · scale; the range always contains zero, and
// zero is met exactly. Same formulas as XNNPACK's f32 -> qd8 conversion (src/xnnpack/quantization.h), but defined for
// every input: a row whose range is below 1e-34 counts as zeros, and a row with a NaN or an infinity (or a range that
// overflows) gets the scale NaN, so that its products are not finite.
// `x`, `q`: [columns]. Gives zero point (-128 ... 127) and scale (step, > 0 or NaN).
xnn_quantization_params QuantizeRow(const float* x, size_t columns, int8_t* q);

}  // namespace clipglot
