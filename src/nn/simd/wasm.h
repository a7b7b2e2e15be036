// WebAssembly's 128-bit SIMD, and relaxed SIMD where the build has it. Private to nn; include
// simd.h. scalar.h says what each function computes.
#pragma once

#include <wasm_simd128.h>

#include <cstddef>
#include <cstdint>

#include "nn/simd/types.h"

namespace clipglot::simd::wasm {

// a · b + c. Relaxed SIMD: rounded once or twice, as the engine likes.
inline F32x4 MulAdd(F32x4 a, F32x4 b, F32x4 c) {
#ifdef __wasm_relaxed_simd__
  return (F32x4)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
#else
  return a * b + c;
#endif
}

// a < b ? b : a.
inline F32x4 Max(F32x4 a, F32x4 b) { return (F32x4)wasm_f32x4_pmax((v128_t)a, (v128_t)b); }

// b < a ? b : a.
inline F32x4 Min(F32x4 a, F32x4 b) { return (F32x4)wasm_f32x4_pmin((v128_t)a, (v128_t)b); }

// Eight int8 from memory, promoted to int16.
inline I16x8 LoadI8AsI16(const void* from) { return (I16x8)wasm_i16x8_load8x8(from); }

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1], modulo 2^32.
inline I32x4 WidenMulPairwiseAdd(I16x8 a, I16x8 b) {
  return (I32x4)wasm_i32x4_dot_i16x8((v128_t)a, (v128_t)b);
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1] with b as 0 ... 255; the sum must fit int16.
// Relaxed SIMD: every engine gives this for b below 128, and for b above where the probe of int8/
// found that it does.
inline I16x8 MulPairwiseAddI8U8(I8x16 a, I8x16 b) {
#ifdef __wasm_relaxed_simd__
  return (I16x8)wasm_i16x8_relaxed_dot_i8x16_i7x16((v128_t)a, (v128_t)b);
#else
  I16x8 out;
  const auto product = [&](size_t i) { return a[i] * static_cast<uint8_t>(b[i]); };
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<int16_t>(product(2 * i) + product(2 * i + 1));
  return out;
#endif
}

// sum[i] + Σ a[4i + k] · b[4i + k], k = 0 ... 3. Relaxed SIMD: whether b is signed is the engine's
// choice, and `b_unsigned` what the probe of int8/ found.
inline I32x4 SumOfMulQuadAccumulate(I8x16 a, I8x16 b, I32x4 sum, [[maybe_unused]] bool b_unsigned) {
#ifdef __wasm_relaxed_simd__
  return (I32x4)wasm_i32x4_relaxed_dot_i8x16_i7x16_add((v128_t)a, (v128_t)b, (v128_t)sum);
#else
  for (size_t i = 0; i < 16; ++i)
    sum[i / 4] += int32_t{a[i]} * (b_unsigned ? int32_t{static_cast<uint8_t>(b[i])} : b[i]);
  return sum;
#endif
}

// Sixteen int32, a's first, saturated to -128 ... 127.
inline I8x16 DemoteToI8(I32x4 a, I32x4 b, I32x4 c, I32x4 d) {
  return (I8x16)wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b),
                                        wasm_i16x8_narrow_i32x4((v128_t)c, (v128_t)d));
}

// Eight int32, a's first, saturated to -32768 ... 32767.
inline I16x8 DemoteToI16(I32x4 a, I32x4 b) {
  return (I16x8)wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b);
}

// Sixteen int16, a's first, saturated to 0 ... 255.
inline U8x16 DemoteToU8(I16x8 a, I16x8 b) {
  return (U8x16)wasm_u8x16_narrow_i16x8((v128_t)a, (v128_t)b);
}

// min(a + b, 255).
inline U8x16 SaturatedAdd(U8x16 a, U8x16 b) {
  return (U8x16)wasm_u8x16_add_sat((v128_t)a, (v128_t)b);
}

// Whether any lane is greater than `limit`.
inline bool AnyAbove(U8x16 x, uint8_t limit) {
  const auto above = (I64x2)(x > U8x16{} + limit);
  return (above[0] | above[1]) != 0;
}

}  // namespace clipglot::simd::wasm
