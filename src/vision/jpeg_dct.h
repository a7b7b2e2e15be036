// The inverse DCT of JPEG exactly as libjpeg computes it by default ("islow"), so that decoded
// photos equal PIL's.
//
// Source: Loeffler, Ligtenberg, Moschytz, "Practical fast 1-D DCT algorithms with 11
// multiplications", ICASSP 1989, in fixed point with 13 bits, 2 extra bits between the passes,
// rounding half up, as in libjpeg's jidctint.c. Thread-safe: no state. Compiled with wrapping
// integers: damaged files hold absurd coefficients.
#pragma once

#include <cstdint>

namespace clipglot {

// `coefficients`: 64 dequantised coefficients, row-major. `out`: 8 rows of 8 samples, `stride`
// bytes apart.
void JpegInverseDct(uint8_t* out, int stride, const int16_t* coefficients);

}  // namespace clipglot
