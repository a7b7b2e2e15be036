// The inverse DCT of JPEG exactly as libjpeg-turbo's vector code for x86 computes it ("islow"), on
// every machine, so that decoded photos equal PIL's. For sound files that is also what libjpeg's C
// code gives; the two differ where damaged files hold absurd coefficients: the vector code keeps 16
// bits between its steps.
//
// Source: Loeffler, Ligtenberg, Moschytz, "Practical fast 1-D DCT algorithms with 11
// multiplications", ICASSP 1989, in fixed point with 13 bits, 2 extra bits between the passes,
// rounding half up, as in libjpeg-turbo's simd/x86_64/jidctint-avx2.asm. Thread-safe: no state.
// Compiled with wrapping integers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clipglot {

// `coefficients`: 64 as stored, row-major; `steps`: what each is multiplied by. `rows`: where 8
// rows of 8 samples go, each from `column` on.
void JpegInverseDct(const int16_t* coefficients, const int* steps, uint8_t* const* rows,
                    size_t column);

}  // namespace clipglot
