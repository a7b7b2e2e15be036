// NEON of 64-bit Arm, with the dot products of Armv8.2 and Armv8.6 where the build has them.
// Private to nn; include simd.h. scalar.h says what each function computes.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "nn/simd/types.h"

namespace clipglot::simd::neon {

// a · b + c, the product rounded before the sum: no vfmaq, whose bits differ (the build has
// -ffp-contract=off).
inline F32x4 MulAdd(F32x4 a, F32x4 b, F32x4 c) { return a * b + c; }

// a < b ? b : a. Not vmaxq, which gives NaN if either is.
inline F32x4 Max(F32x4 a, F32x4 b) {
  const auto x = (float32x4_t)a, y = (float32x4_t)b;
  return (F32x4)vbslq_f32(vcltq_f32(x, y), y, x);
}

// b < a ? b : a. Not vminq, which gives NaN if either is.
inline F32x4 Min(F32x4 a, F32x4 b) {
  const auto x = (float32x4_t)a, y = (float32x4_t)b;
  return (F32x4)vbslq_f32(vcltq_f32(y, x), y, x);
}

// Eight int8 from memory, promoted to int16.
inline I16x8 LoadI8AsI16(const void* from) {
  return (I16x8)vmovl_s8(vld1_s8(static_cast<const int8_t*>(from)));
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1], modulo 2^32.
inline I32x4 WidenMulPairwiseAdd(I16x8 a, I16x8 b) {
  const auto x = (int16x8_t)a, y = (int16x8_t)b;
  return (I32x4)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1] with b as 0 ... 255; the sum must fit int16.
inline I16x8 MulPairwiseAddI8U8(I8x16 a, I8x16 b) {
  const auto x = (int8x16_t)a;
  const auto y = (uint8x16_t)b;
  const int16x8_t low =
      vmulq_s16(vmovl_s8(vget_low_s8(x)), vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(y))));
  const int16x8_t high = vmulq_s16(vmovl_high_s8(x), vreinterpretq_s16_u16(vmovl_high_u8(y)));
  return (I16x8)vpaddq_s16(low, high);
}

// sum[i] + Σ a[4i + k] · b[4i + k], k = 0 ... 3, both signed.
inline int32x4_t SignedDot(int32x4_t sum, int8x16_t a, int8x16_t b) {
#ifdef __ARM_FEATURE_DOTPROD
  return vdotq_s32(sum, a, b);
#else
  // A product of -128 by -128 fits int16, the sum of two does not: pairs are added as int32.
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  const int32x4_t high = vpaddlq_s16(vmull_high_s8(a, b));
  return vaddq_s32(sum, vpaddq_s32(low, high));
#endif
}

// sum[i] + Σ a[4i + k] · b[4i + k], k = 0 ... 3, with b as 0 ... 255 (`b_unsigned`) or -128 ...
// 127.
inline I32x4 SumOfMulQuadAccumulate(I8x16 a, I8x16 b, I32x4 sum, bool b_unsigned) {
  const auto x = (int8x16_t)a, y = (int8x16_t)b;
  const auto before = (int32x4_t)sum;
  if (!b_unsigned) return (I32x4)SignedDot(before, x, y);
#ifdef __ARM_FEATURE_MATMUL_INT8
  return (I32x4)vusdotq_s32(before, (uint8x16_t)b, x);
#else
  // b = (b - 128) + 128, and 128 · a is -2 · (a · -64).
  const int8x16_t shifted = veorq_s8(y, vdupq_n_s8(-128));
  const int32x4_t rest = SignedDot(vdupq_n_s32(0), x, vdupq_n_s8(-64));
  return (I32x4)vsubq_s32(SignedDot(before, x, shifted), vaddq_s32(rest, rest));
#endif
}

// Sixteen int32, a's first, saturated to -128 ... 127.
inline I8x16 DemoteToI8(I32x4 a, I32x4 b, I32x4 c, I32x4 d) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32((int32x4_t)a), (int32x4_t)b);
  const int16x8_t high = vqmovn_high_s32(vqmovn_s32((int32x4_t)c), (int32x4_t)d);
  return (I8x16)vqmovn_high_s16(vqmovn_s16(low), high);
}

// Eight int32, a's first, saturated to -32768 ... 32767.
inline I16x8 DemoteToI16(I32x4 a, I32x4 b) {
  return (I16x8)vqmovn_high_s32(vqmovn_s32((int32x4_t)a), (int32x4_t)b);
}

// Sixteen int16, a's first, saturated to 0 ... 255.
inline U8x16 DemoteToU8(I16x8 a, I16x8 b) {
  return (U8x16)vqmovun_high_s16(vqmovun_s16((int16x8_t)a), (int16x8_t)b);
}

// min(a + b, 255).
inline U8x16 SaturatedAdd(U8x16 a, U8x16 b) {
  return (U8x16)vqaddq_u8((uint8x16_t)a, (uint8x16_t)b);
}

// Whether any lane is greater than `limit`.
inline bool AnyAbove(U8x16 x, uint8_t limit) { return vmaxvq_u8((uint8x16_t)x) > limit; }

}  // namespace clipglot::simd::neon
