// Four floats at a time, natively and in wasm from one source. Private to nn.
//
// Plain GCC/Clang vector types; the few operations that have no operator are below. Every function
// is exact about its order of operations, so that a row gives the same bits wherever it stands.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace clipglot::simd {

using F32x4 = float __attribute__((vector_size(16)));
using I32x4 = int32_t __attribute__((vector_size(16)));
using I16x8 = int16_t __attribute__((vector_size(16)));
using I8x16 = int8_t __attribute__((vector_size(16)));
using U8x16 = uint8_t __attribute__((vector_size(16)));
using I64x2 = int64_t __attribute__((vector_size(16)));

inline constexpr size_t kLanes = 4;

// Before a loop over elements of arrays of vectors that are to stay in registers.
#ifdef __clang__
#define CLIPGLOT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CLIPGLOT_UNROLL
#endif

inline F32x4 Splat(float x) { return F32x4{x, x, x, x}; }
inline I32x4 SplatI32(int32_t x) { return I32x4{x, x, x, x}; }

inline F32x4 Load(const float* from) {
  F32x4 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
inline void Store(float* to, F32x4 value) { std::memcpy(to, &value, sizeof(value)); }

// Numbers that stay in memory: the compiler must not know what is there. An engine makes a vector
// constant anew in every turn of a loop, with up to four instructions, and reads one with one; and
// numbers for which there are no registers left are better read where they are than from a copy.
template <typename T>
inline T* FromMemory(T* values) {
  asm volatile("" : "+r"(values));
  return values;
}

// The first `count` (0 ... 3) of four; the rest is zero, or left alone.
inline F32x4 LoadPart(const float* from, size_t count) {
  F32x4 out = {};
  std::memcpy(&out, from, count * sizeof(float));
  return out;
}
inline void StorePart(float* to, F32x4 value, size_t count) {
  std::memcpy(to, &value, count * sizeof(float));
}

// a * b + c: rounded once where the machine can (relaxed SIMD), twice elsewhere.
inline F32x4 MultiplyAdd(F32x4 a, F32x4 b, F32x4 c) {
#ifdef __wasm_relaxed_simd__
  return (F32x4)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
#else
  return a * b + c;
#endif
}

// a < b ? b : a and b < a ? b : a, lane by lane: one instruction in wasm. A NaN in b is left out,
// one in a stays.
inline F32x4 Max(F32x4 a, F32x4 b) {
#ifdef __wasm_simd128__
  return (F32x4)wasm_f32x4_pmax((v128_t)a, (v128_t)b);
#else
  return a < b ? b : a;
#endif
}
inline F32x4 Min(F32x4 a, F32x4 b) {
#ifdef __wasm_simd128__
  return (F32x4)wasm_f32x4_pmin((v128_t)a, (v128_t)b);
#else
  return b < a ? b : a;
#endif
}
inline F32x4 Abs(F32x4 x) {
  return std::bit_cast<F32x4>(std::bit_cast<I32x4>(x) &
                              SplatI32(std::numeric_limits<int32_t>::max()));
}

inline float MaxLane(F32x4 x) {
  const float a = x[0] < x[1] ? x[1] : x[0];
  const float b = x[2] < x[3] ? x[3] : x[2];
  return a < b ? b : a;
}
inline float MinLane(F32x4 x) {
  const float a = x[1] < x[0] ? x[1] : x[0];
  const float b = x[3] < x[2] ? x[3] : x[2];
  return b < a ? b : a;
}
inline F32x4 ToFloat(I32x4 x) { return __builtin_convertvector(x, F32x4); }

// Eight 16-bit numbers; the 4 bits of each that begin at bit 4·p; two numbers, four times.
inline I16x8 LoadI16(const void* from) {
  I16x8 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
inline I16x8 Nibbles(I16x8 x, int p) {
  using U16x8 = uint16_t __attribute__((vector_size(16)));
  return (I16x8)(((U16x8)x >> static_cast<uint16_t>(4 * p)) & uint16_t{15});
}
// The low (0) or high (1) 4 bits of each byte.
inline I8x16 HalfBytes(I8x16 x, int half) {
  using U16x8 = uint16_t __attribute__((vector_size(16)));
  const auto shifted = (I8x16)((U16x8)x >> static_cast<uint16_t>(4 * half));
  return shifted & (I8x16)SplatI32(0x0F0F0F0F);
}
inline I16x8 SplatPair(const int16_t* from) {
  int32_t pair;
  std::memcpy(&pair, from, sizeof(pair));
  return (I16x8)SplatI32(pair);
}
// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1].
inline I32x4 Dot(I16x8 a, I16x8 b) {
#ifdef __wasm_simd128__
  return (I32x4)wasm_i32x4_dot_i16x8((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return (I32x4)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  I32x4 out;
  for (size_t i = 0; i < 4; ++i)
    out[i] = int32_t{a[2 * i]} * b[2 * i] + int32_t{a[2 * i + 1]} * b[2 * i + 1];
  return out;
#endif
}
// Sums that may pass int32's ends, modulo 2^32.
using U32x4 = uint32_t __attribute__((vector_size(16)));
inline I32x4 AddWrapping(I32x4 a, I32x4 b) { return (I32x4)((U32x4)a + (U32x4)b); }
inline I32x4 SubtractWrapping(I32x4 a, I32x4 b) { return (I32x4)((U32x4)a - (U32x4)b); }
// Bytes 0, 2, 4 ... and 1, 3, 5 ... as int16.
inline I16x8 EvenBytes(I8x16 x) {
  using U16x8 = uint16_t __attribute__((vector_size(16)));
  return (I16x8)((U16x8)x << uint16_t{8}) >> int16_t{8};
}
inline I16x8 OddBytes(I8x16 x) { return (I16x8)x >> int16_t{8}; }
// Eight int8 as int16; four int16 twice; four int8 four times.
inline I16x8 WidenI8(const void* from) {
#ifdef __wasm_simd128__
  return (I16x8)wasm_i16x8_load8x8(from);
#else
  using I8x8 = int8_t __attribute__((vector_size(8)));
  I8x8 bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  return __builtin_convertvector(bytes, I16x8);
#endif
}
inline I16x8 SplatI16(int16_t x) { return I16x8{x, x, x, x, x, x, x, x}; }
inline I16x8 WidenLow(I8x16 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7), I16x8);
}
inline I16x8 WidenHigh(I8x16 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15),
                                 I16x8);
}
inline I16x8 SplatQuad(const void* from) {
  int64_t quad;
  std::memcpy(&quad, from, sizeof(quad));
  return (I16x8)I64x2{quad, quad};
}
inline I8x16 LoadI8(const void* from) {
  I8x16 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
inline I8x16 SplatBytes(const void* from) {
  int32_t four;
  std::memcpy(&four, from, sizeof(four));
  return (I8x16)SplatI32(four);
}
// sum[i] + Σ a[4i + k] · b[4i + k], k = 0 ... 3, by the engine's relaxed dot product. `b_unsigned`:
// what the engine makes of b (ProbeDotWay says it); where there is no such instruction the same is
// done in plain steps.
inline I32x4 DotBytes(I8x16 a, I8x16 b, I32x4 sum, [[maybe_unused]] bool b_unsigned) {
#ifdef __wasm_relaxed_simd__
  return (I32x4)wasm_i32x4_relaxed_dot_i8x16_i7x16_add((v128_t)a, (v128_t)b, (v128_t)sum);
#else
  for (size_t i = 0; i < 16; ++i)
    sum[i / 4] += int32_t{a[i]} * (b_unsigned ? int32_t{static_cast<uint8_t>(b[i])} : b[i]);
  return sum;
#endif
}
// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1], which must fit, with b as 0 ... 255: every
// engine's relaxed product gives this below 128, and above where ProbeDotWay says kNarrow.
inline I16x8 DotPairs(I8x16 a, I8x16 b) {
#ifdef __wasm_relaxed_simd__
  return (I16x8)wasm_i16x8_relaxed_dot_i8x16_i7x16((v128_t)a, (v128_t)b);
#else
  I16x8 out;
  const auto product = [&](size_t i) { return a[i] * static_cast<uint8_t>(b[i]); };
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<int16_t>(product(2 * i) + product(2 * i + 1));
  return out;
#endif
}
// Neighbours added: {a0 + a1, a2 + a3, b0 + b1, b2 + b3}.
inline I32x4 AddPairs(I32x4 a, I32x4 b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
}
// Sixteen int8 in four sums, each of some four of them.
inline I32x4 AddFours(I8x16 x) { return Dot(WidenLow(x) + WidenHigh(x), SplatI16(1)); }
template <typename V>  // F32x4 or I32x4
inline void Transpose(V (&v)[4]) {
  const V a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
  const V b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  const V c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
  const V d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}
// Sixteen int32 to int8, those outside to the nearest end.
inline I8x16 NarrowToI8(I32x4 a, I32x4 b, I32x4 c, I32x4 d) {
#ifdef __wasm_simd128__
  return (I8x16)wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b),
                                        wasm_i16x8_narrow_i32x4((v128_t)c, (v128_t)d));
#elif defined(__SSE2__)
  return (I8x16)_mm_packs_epi16(_mm_packs_epi32((__m128i)a, (__m128i)b),
                                _mm_packs_epi32((__m128i)c, (__m128i)d));
#else
  const I32x4 all[] = {a, b, c, d};
  I8x16 out;
  for (size_t i = 0; i < 16; ++i) {
    const int32_t v = all[i / 4][i % 4];
    out[i] = static_cast<int8_t>(v < -128 ? -128 : v > 127 ? 127 : v);
  }
  return out;
#endif
}
// Eight int32 to int16, those outside to the nearest end.
inline I16x8 NarrowToI16(I32x4 a, I32x4 b) {
#ifdef __wasm_simd128__
  return (I16x8)wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return (I16x8)_mm_packs_epi32((__m128i)a, (__m128i)b);
#else
  I16x8 out;
  for (size_t i = 0; i < 8; ++i) {
    const int32_t v = i < 4 ? a[i] : b[i - 4];
    out[i] = static_cast<int16_t>(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
  }
  return out;
#endif
}
// Sixteen int16 to 0 ... 255, those outside to the nearest end.
inline U8x16 NarrowToU8(I16x8 a, I16x8 b) {
#ifdef __wasm_simd128__
  return (U8x16)wasm_u8x16_narrow_i16x8((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return (U8x16)_mm_packus_epi16((__m128i)a, (__m128i)b);
#else
  U8x16 out;
  for (size_t i = 0; i < 16; ++i) {
    const int v = i < 8 ? a[i] : b[i - 8];
    out[i] = static_cast<uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v);
  }
  return out;
#endif
}
// a + b, or 255 where it is more.
inline U8x16 AddSaturating(U8x16 a, U8x16 b) {
#ifdef __wasm_simd128__
  return (U8x16)wasm_u8x16_add_sat((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return (U8x16)_mm_adds_epu8((__m128i)a, (__m128i)b);
#else
  const U8x16 sum = a + b;
  return sum | (U8x16)(sum < a);
#endif
}
// Whether any of sixteen is more than `most`.
inline bool AnyAbove(U8x16 x, uint8_t most) {
  const auto above = (I64x2)(x > U8x16{} + most);
  return (above[0] | above[1]) != 0;
}
// Four bfloat16: upper halves of floats.
inline F32x4 LoadBfloat16(const void* from) {
  using U16x4 = uint16_t __attribute__((vector_size(8)));
  U16x4 bits;
  std::memcpy(&bits, from, sizeof(bits));
  return std::bit_cast<F32x4>(__builtin_convertvector(bits, I32x4) << 16);
}

inline float SumLanes(F32x4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }

// Adding this to |x| < 2^22 rounds x to the nearest integer (ties to even), which then stands in
// the low bits.
inline constexpr float kRoundingMagic = 12582912.0f;  // 1.5 · 2^23

// e^x for x <= 0 (relative error below 2e-7): 0 below -87.33, where the result would be subnormal.
// NaN stays NaN. x = n·ln 2 + r, e^r = 1 + r + r²·h(r) with h a minimax polynomial on |r| <= ln 2 /
// 2, fitted by Remez' method in 40 digits (relative error 3e-9); ln 2 in two parts after Cody and
// Waite.
inline F32x4 ExpNegative(F32x4 x) {
  constexpr float kLowest = -87.33654f;
  const F32x4 shifted =
      MultiplyAdd(Max(Splat(kLowest), x), Splat(1.44269504f), Splat(kRoundingMagic));
  const F32x4 n = shifted - Splat(kRoundingMagic);
  F32x4 r = MultiplyAdd(n, Splat(-0.693359375f), x);
  r = MultiplyAdd(n, Splat(2.12194440e-4f), r);
  F32x4 h = Splat(1.381462218e-3f);
  h = MultiplyAdd(h, r, Splat(8.368709788e-3f));
  h = MultiplyAdd(h, r, Splat(4.166838722e-2f));
  h = MultiplyAdd(h, r, Splat(1.666652069e-1f));
  h = MultiplyAdd(h, r, Splat(4.999999345e-1f));
  const F32x4 e = MultiplyAdd(h * r, r, r) + Splat(1.0f);
  const F32x4 power =
      std::bit_cast<F32x4>((std::bit_cast<I32x4>(shifted) << 23) + SplatI32(127 << 23));
  const F32x4 zero = {};
  return x < Splat(kLowest) ? zero : e * power;
}

// 2^x for x <= 0 (relative error below 3e-7): 0 below -126.5. NaN stays NaN. x = n + r, 2^r by a
// minimax polynomial of relative error on |r| <= 1/2, fitted by Remez' method (7.5e-8 before
// rounding).
inline F32x4 Exp2Negative(F32x4 x) {
  // 1.5 · 2^23 rounds to an integer; 127 more makes that the bits of an exponent, 0 for n = -127.
  const F32x4 magic = Splat(kRoundingMagic + 127);
  x = Max(x, Splat(-127.0f));
  const F32x4 shifted = x + magic;
  const F32x4 r = x - (shifted - magic);
  F32x4 e = Splat(1.32764725e-3f);
  e = MultiplyAdd(e, r, Splat(9.67554096e-3f));
  e = MultiplyAdd(e, r, Splat(5.55071309e-2f));
  e = MultiplyAdd(e, r, Splat(2.40221202e-1f));
  e = MultiplyAdd(e, r, Splat(6.93146944e-1f));
  e = MultiplyAdd(e, r, Splat(1.00000012f));
  return e * std::bit_cast<F32x4>(std::bit_cast<I32x4>(shifted) << 23);
}

}  // namespace clipglot::simd
