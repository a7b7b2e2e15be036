// The operations that a machine has its own instructions for, lane by lane: what each of them
// means, and what machines without wasm.h, neon.h or sse2.h run. Private to nn; include simd.h.
//
// The four headers hold the same functions. simd_test.cc compares the machine's with these, bit by
// bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "nn/simd/types.h"

namespace clipglot::simd::scalar {

// a · b + c, the product rounded before the sum.
inline F32x4 MulAdd(F32x4 a, F32x4 b, F32x4 c) {
  for (size_t i = 0; i < kLanes; ++i) {
    const float product = a[i] * b[i];
    c[i] = product + c[i];
  }
  return c;
}

// a < b ? b : a, so a NaN in b is ignored, one in a stays, and of two zeros a's is taken.
inline F32x4 Max(F32x4 a, F32x4 b) {
  for (size_t i = 0; i < kLanes; ++i) a[i] = a[i] < b[i] ? b[i] : a[i];
  return a;
}

// b < a ? b : a, so a NaN in b is ignored, one in a stays, and of two zeros a's is taken.
inline F32x4 Min(F32x4 a, F32x4 b) {
  for (size_t i = 0; i < kLanes; ++i) a[i] = b[i] < a[i] ? b[i] : a[i];
  return a;
}

// Eight int8 from memory, promoted to int16.
inline I16x8 LoadI8AsI16(const void* from) {
  int8_t bytes[kLanes16];
  std::memcpy(bytes, from, sizeof(bytes));
  I16x8 out;
  for (size_t i = 0; i < kLanes16; ++i) out[i] = bytes[i];
  return out;
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1], modulo 2^32 (only four times -32768 exceeds it).
inline I32x4 WidenMulPairwiseAdd(I16x8 a, I16x8 b) {
  I32x4 out;
  for (size_t i = 0; i < kLanes; ++i) {
    const int32_t even = int32_t{a[2 * i]} * b[2 * i];
    const int32_t odd = int32_t{a[2 * i + 1]} * b[2 * i + 1];
    out[i] = static_cast<int32_t>(static_cast<uint32_t>(even) + static_cast<uint32_t>(odd));
  }
  return out;
}

// out[i] = a[2i] · b[2i] + a[2i + 1] · b[2i + 1] with b as 0 ... 255; the sum must fit int16.
inline I16x8 MulPairwiseAddI8U8(I8x16 a, I8x16 b) {
  I16x8 out;
  for (size_t i = 0; i < kLanes16; ++i) {
    const int32_t even = a[2 * i] * int32_t{static_cast<uint8_t>(b[2 * i])};
    const int32_t odd = a[2 * i + 1] * int32_t{static_cast<uint8_t>(b[2 * i + 1])};
    out[i] = static_cast<int16_t>(even + odd);
  }
  return out;
}

// sum[i] + Σ a[4i + k] · b[4i + k], k = 0 ... 3, with b as 0 ... 255 (`b_unsigned`) or -128 ...
// 127; the result must fit int32.
inline I32x4 SumOfMulQuadAccumulate(I8x16 a, I8x16 b, I32x4 sum, bool b_unsigned) {
  for (size_t i = 0; i < 16; ++i)
    sum[i / 4] += int32_t{a[i]} * (b_unsigned ? int32_t{static_cast<uint8_t>(b[i])} : b[i]);
  return sum;
}

// Sixteen int32, a's first, saturated to -128 ... 127.
inline I8x16 DemoteToI8(I32x4 a, I32x4 b, I32x4 c, I32x4 d) {
  const I32x4 all[] = {a, b, c, d};
  I8x16 out;
  for (size_t i = 0; i < 16; ++i) {
    const int32_t v = all[i / kLanes][i % kLanes];
    out[i] = static_cast<int8_t>(v < -128 ? -128 : v > 127 ? 127 : v);
  }
  return out;
}

// Eight int32, a's first, saturated to -32768 ... 32767.
inline I16x8 DemoteToI16(I32x4 a, I32x4 b) {
  I16x8 out;
  for (size_t i = 0; i < kLanes16; ++i) {
    const int32_t v = i < kLanes ? a[i] : b[i - kLanes];
    out[i] = static_cast<int16_t>(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
  }
  return out;
}

// Sixteen int16, a's first, saturated to 0 ... 255.
inline U8x16 DemoteToU8(I16x8 a, I16x8 b) {
  U8x16 out;
  for (size_t i = 0; i < 16; ++i) {
    const int v = i < kLanes16 ? a[i] : b[i - kLanes16];
    out[i] = static_cast<uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v);
  }
  return out;
}

// min(a + b, 255).
inline U8x16 SaturatedAdd(U8x16 a, U8x16 b) {
  for (size_t i = 0; i < 16; ++i) {
    const int sum = a[i] + b[i];
    a[i] = static_cast<uint8_t>(sum > 255 ? 255 : sum);
  }
  return a;
}

// Whether any lane is greater than `limit`.
inline bool AnyAbove(U8x16 x, uint8_t limit) {
  bool any = false;
  for (size_t i = 0; i < 16; ++i) any |= x[i] > limit;
  return any;
}

}  // namespace clipglot::simd::scalar
