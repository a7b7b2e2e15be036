// The operations on vectors: those of the machine that is built for, and what compilers make good
// code of for every machine. Private to nn; include simd.h.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "nn/simd/types.h"

#if defined(__wasm_simd128__)
#include "nn/simd/wasm.h"
namespace clipglot::simd {
namespace machine = wasm;
}
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include "nn/simd/neon.h"
namespace clipglot::simd {
namespace machine = neon;
}
#elif defined(__SSE2__)
#include "nn/simd/sse2.h"
namespace clipglot::simd {
namespace machine = sse2;
}
#else
#include "nn/simd/scalar.h"
namespace clipglot::simd {
namespace machine = scalar;
}
#endif

namespace clipglot::simd {

using namespace machine;

// |x|, of a NaN as well.
inline F32x4 Abs(F32x4 x) {
  return std::bit_cast<F32x4>(std::bit_cast<I32x4>(x) &
                              SplatI32(std::numeric_limits<int32_t>::max()));
}

// int32 to float, rounded to the nearest, ties to even.
inline F32x4 ConvertToF32(I32x4 x) { return __builtin_convertvector(x, F32x4); }

// Four bfloat16 from memory, which are the upper halves of floats.
inline F32x4 LoadBF16(const void* from) {
  using U16x4 = uint16_t __attribute__((vector_size(8)));
  U16x4 bits;
  std::memcpy(&bits, from, sizeof(bits));
  return std::bit_cast<F32x4>(__builtin_convertvector(bits, I32x4) << 16);
}

// (x[0] + x[2]) + (x[1] + x[3]).
inline float ReduceSum(F32x4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }

// The largest lane, where none is NaN.
inline float ReduceMax(F32x4 x) {
  const float a = x[0] < x[1] ? x[1] : x[0];
  const float b = x[2] < x[3] ? x[3] : x[2];
  return a < b ? b : a;
}

// The smallest lane, where none is NaN.
inline float ReduceMin(F32x4 x) {
  const float a = x[1] < x[0] ? x[1] : x[0];
  const float b = x[3] < x[2] ? x[3] : x[2];
  return b < a ? b : a;
}

// a + b, modulo 2^32.
inline I32x4 AddWrapping(I32x4 a, I32x4 b) { return (I32x4)((U32x4)a + (U32x4)b); }

// a - b, modulo 2^32.
inline I32x4 SubWrapping(I32x4 a, I32x4 b) { return (I32x4)((U32x4)a - (U32x4)b); }

// Sums of neighbours: {a0 + a1, a2 + a3, b0 + b1, b2 + b3}.
inline I32x4 PairwiseAdd(I32x4 a, I32x4 b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

// Bytes 0 ... 7 as int16.
inline I16x8 PromoteLowerToI16(I8x16 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7), I16x8);
}

// Bytes 8 ... 15 as int16.
inline I16x8 PromoteUpperToI16(I8x16 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15),
                                 I16x8);
}

// Bytes 0, 2, 4 ... as int16.
inline I16x8 PromoteEvenToI16(I8x16 x) { return (I16x8)((U16x8)x << uint16_t{8}) >> int16_t{8}; }

// Bytes 1, 3, 5 ... as int16.
inline I16x8 PromoteOddToI16(I8x16 x) { return (I16x8)x >> int16_t{8}; }

// Sixteen int8 in four sums of four of them; which four is not said.
inline I32x4 SumsOfAny4(I8x16 x) {
  return WidenMulPairwiseAdd(PromoteLowerToI16(x) + PromoteUpperToI16(x), SplatI16(1));
}

// Bits 4·index ... 4·index + 3 of each lane; index 0 ... 3.
inline I16x8 NibblesOfI16(I16x8 x, int index) {
  return (I16x8)(((U16x8)x >> static_cast<uint16_t>(4 * index)) & uint16_t{15});
}

// Bits 4·index ... 4·index + 3 of each byte; index 0 or 1.
inline I8x16 NibblesOfI8(I8x16 x, int index) {
  const auto shifted = (I8x16)((U16x8)x >> static_cast<uint16_t>(4 * index));
  return shifted & (I8x16)SplatI32(0x0F0F0F0F);
}

// Transposes the 4 x 4 matrix whose rows are v. V: F32x4 or I32x4.
template <typename V>
inline void Transpose4x4(V (&v)[4]) {
  const V a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
  const V b = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  const V c = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
  const V d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  v[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  v[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

}  // namespace clipglot::simd
