// SSE2, which every x86-64 has. Private to nn; include simd.h. scalar.h says what each function
// computes.
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>

#include "nn/simd/types.h"

namespace clipglot::simd::sse2 {

// a · b + c, the product rounded before the sum (the build has -ffp-contract=off).
inline F32x4 MulAdd(F32x4 a, F32x4 b, F32x4 c) { return a * b + c; }

// a < b ? b : a. maxps gives its second operand when they are equal or one is NaN.
inline F32x4 Max(F32x4 a, F32x4 b) { return (F32x4)_mm_max_ps((__m128)b, (__m128)a); }

// b < a ? b : a. minps gives its second operand when they are equal or one is NaN.
inline F32x4 Min(F32x4 a, F32x4 b) { return (F32x4)_mm_min_ps((__m128)b, (__m128)a); }

// Eight int8 from memory, promoted to int16.
inline I16x8 LoadI8AsI16(const void* from) {
  const __m128i bytes = _mm_loadl_epi64(static_cast<const __m128i*>(from));
  return (I16x8)_mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1], modulo 2^32.
inline I32x4 WidenMulPairwiseAdd(I16x8 a, I16x8 b) {
  return (I32x4)_mm_madd_epi16((__m128i)a, (__m128i)b);
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1] with b as 0 ... 255; the sum must fit int16.
inline I16x8 MulPairwiseAddI8U8(I8x16 a, I8x16 b) {
  const auto a16 = (__m128i)a, b16 = (__m128i)b;
  const __m128i a_even = _mm_srai_epi16(_mm_slli_epi16(a16, 8), 8), a_odd = _mm_srai_epi16(a16, 8);
  const __m128i b_even = _mm_srli_epi16(_mm_slli_epi16(b16, 8), 8), b_odd = _mm_srli_epi16(b16, 8);
  return (I16x8)_mm_add_epi16(_mm_mullo_epi16(a_even, b_even), _mm_mullo_epi16(a_odd, b_odd));
}

// sum[i] + Σ a[4i + k] · b[4i + k], k = 0 ... 3, with b as 0 ... 255 (`b_unsigned`) or -128 ...
// 127. Even bytes and odd bytes apart: the lanes of two pairs of them meet in one of int32.
inline I32x4 SumOfMulQuadAccumulate(I8x16 a, I8x16 b, I32x4 sum, bool b_unsigned) {
  const auto a16 = (__m128i)a, b16 = (__m128i)b;
  const __m128i a_even = _mm_srai_epi16(_mm_slli_epi16(a16, 8), 8), a_odd = _mm_srai_epi16(a16, 8);
  const __m128i b_up = _mm_slli_epi16(b16, 8);
  const __m128i b_even = b_unsigned ? _mm_srli_epi16(b_up, 8) : _mm_srai_epi16(b_up, 8);
  const __m128i b_odd = b_unsigned ? _mm_srli_epi16(b16, 8) : _mm_srai_epi16(b16, 8);
  const __m128i quads = _mm_add_epi32(_mm_madd_epi16(a_even, b_even), _mm_madd_epi16(a_odd, b_odd));
  return (I32x4)_mm_add_epi32((__m128i)sum, quads);
}

// Sixteen int32, a's first, saturated to -128 ... 127.
inline I8x16 DemoteToI8(I32x4 a, I32x4 b, I32x4 c, I32x4 d) {
  return (I8x16)_mm_packs_epi16(_mm_packs_epi32((__m128i)a, (__m128i)b),
                                _mm_packs_epi32((__m128i)c, (__m128i)d));
}

// Eight int32, a's first, saturated to -32768 ... 32767.
inline I16x8 DemoteToI16(I32x4 a, I32x4 b) {
  return (I16x8)_mm_packs_epi32((__m128i)a, (__m128i)b);
}

// Sixteen int16, a's first, saturated to 0 ... 255.
inline U8x16 DemoteToU8(I16x8 a, I16x8 b) {
  return (U8x16)_mm_packus_epi16((__m128i)a, (__m128i)b);
}

// min(a + b, 255).
inline U8x16 SaturatedAdd(U8x16 a, U8x16 b) { return (U8x16)_mm_adds_epu8((__m128i)a, (__m128i)b); }

// Whether any lane is greater than `limit`.
inline bool AnyAbove(U8x16 x, uint8_t limit) {
  const __m128i over = _mm_subs_epu8((__m128i)x, _mm_set1_epi8(static_cast<char>(limit)));
  return _mm_movemask_epi8(_mm_cmpeq_epi8(over, _mm_setzero_si128())) != 0xFFFF;
}

}  // namespace clipglot::simd::sse2
