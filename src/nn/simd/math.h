// Exponentials, and the constants of rounding and quantising, made of ops.h. Private to nn;
// include simd.h.
#pragma once

#include <bit>

#include "nn/simd/ops.h"
#include "nn/simd/types.h"

namespace clipglot::simd {

// Adding this to |x| < 2^22 rounds x to the nearest integer (ties to even), which then stands in
// the low bits.
inline constexpr float kRoundingMagic = 12582912.0f;  // 1.5 · 2^23

// What is to be quantised counts as zero if its range or largest magnitude is below this: the
// reciprocals of the step would leave the normal floats.
inline constexpr float kMinQuantizedRange = 1e-34f;

// e^x for x <= 0, relative error below 2e-7; 0 below -87.33, where the result would be subnormal.
// NaN stays NaN. x = n·ln 2 + r, e^r = 1 + r + r²·h(r) with h a minimax polynomial on
// |r| <= ln 2 / 2, fitted by the Remez algorithm in 40 digits (relative error 3e-9); ln 2 in two
// parts (Cody and Waite's reduction).
inline F32x4 ExpNegative(F32x4 x) {
  constexpr float kLowest = -87.33654f;
  const F32x4 shifted = MulAdd(Max(Splat(kLowest), x), Splat(1.44269504f), Splat(kRoundingMagic));
  const F32x4 n = shifted - Splat(kRoundingMagic);
  F32x4 r = MulAdd(n, Splat(-0.693359375f), x);
  r = MulAdd(n, Splat(2.12194440e-4f), r);
  F32x4 h = Splat(1.381462218e-3f);
  h = MulAdd(h, r, Splat(8.368709788e-3f));
  h = MulAdd(h, r, Splat(4.166838722e-2f));
  h = MulAdd(h, r, Splat(1.666652069e-1f));
  h = MulAdd(h, r, Splat(4.999999345e-1f));
  const F32x4 e = MulAdd(h * r, r, r) + Splat(1.0f);
  const F32x4 power =
      std::bit_cast<F32x4>((std::bit_cast<I32x4>(shifted) << 23) + SplatI32(127 << 23));
  const F32x4 zero = {};
  return x < Splat(kLowest) ? zero : e * power;
}

// 2^x for x <= 0, relative error below 3e-7; 0 below -126.5. NaN stays NaN. x = n + r, 2^r by a
// minimax polynomial for the relative error on |r| <= 1/2, fitted by the Remez algorithm (7.5e-8
// before rounding).
inline F32x4 Exp2Negative(F32x4 x) {
  // 1.5 · 2^23 rounds to an integer; 127 more makes that the bits of an exponent, 0 for n = -127.
  const F32x4 magic = Splat(kRoundingMagic + 127);
  x = Max(x, Splat(-127.0f));
  const F32x4 shifted = x + magic;
  const F32x4 r = x - (shifted - magic);
  F32x4 e = Splat(1.32764725e-3f);
  e = MulAdd(e, r, Splat(9.67554096e-3f));
  e = MulAdd(e, r, Splat(5.55071309e-2f));
  e = MulAdd(e, r, Splat(2.40221202e-1f));
  e = MulAdd(e, r, Splat(6.93146944e-1f));
  e = MulAdd(e, r, Splat(1.00000012f));
  return e * std::bit_cast<F32x4>(std::bit_cast<I32x4>(shifted) << 23);
}

}  // namespace clipglot::simd
