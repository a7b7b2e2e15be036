// Vectors of 16 bytes: their types, how they are made, loaded and stored. Private to nn; include
// simd.h.
//
// GCC's and Clang's vector types: + - * / & | ^ ~ << >> and comparisons work lane by lane. Lane 0
// is the one at the lowest address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace clipglot::simd {

using F32x4 = float __attribute__((vector_size(16)));
using I32x4 = int32_t __attribute__((vector_size(16)));
using U32x4 = uint32_t __attribute__((vector_size(16)));
using I16x8 = int16_t __attribute__((vector_size(16)));
using U16x8 = uint16_t __attribute__((vector_size(16)));
using I8x16 = int8_t __attribute__((vector_size(16)));
using U8x16 = uint8_t __attribute__((vector_size(16)));
using I64x2 = int64_t __attribute__((vector_size(16)));

inline constexpr size_t kLanes = 4;    // of F32x4 and I32x4
inline constexpr size_t kLanes16 = 8;  // of I16x8

// For FromMemory below.
inline constexpr int16_t kOnes16[kLanes16] = {1, 1, 1, 1, 1, 1, 1, 1};

// Put before a loop over the elements of arrays of vectors that must stay in registers.
#ifdef __clang__
#define CLIPGLOT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CLIPGLOT_UNROLL
#endif

// Returns `values`. The compiler then knows nothing about them and must load them. Wasm
// engines rematerialise vector constants in every iteration (up to four instructions); a load takes
// one. And values for which no register is left are better read in place than copied to the stack.
template <typename T>
inline T* FromMemory(T* values) {
  asm volatile("" : "+r"(values));
  return values;
}

// `x` in every lane.
inline F32x4 Splat(float x) { return F32x4{x, x, x, x}; }

// `x` in every lane.
inline I32x4 SplatI32(int32_t x) { return I32x4{x, x, x, x}; }

// `x` in every lane.
inline I16x8 SplatI16(int16_t x) { return I16x8{x, x, x, x, x, x, x, x}; }

// Two int16, repeated four times.
inline I16x8 SplatI16Pair(const int16_t* from) {
  int32_t pair;
  std::memcpy(&pair, from, sizeof(pair));
  return (I16x8)SplatI32(pair);
}

// Four int16, repeated twice.
inline I16x8 SplatI16Quad(const void* from) {
  int64_t quad;
  std::memcpy(&quad, from, sizeof(quad));
  return (I16x8)I64x2{quad, quad};
}

// Four int8, repeated four times.
inline I8x16 SplatI8Quad(const void* from) {
  int32_t quad;
  std::memcpy(&quad, from, sizeof(quad));
  return (I8x16)SplatI32(quad);
}

// Four floats; any alignment, as for all loads and stores here.
inline F32x4 Load(const float* from) {
  F32x4 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}

// Four int32.
inline I32x4 LoadI32(const void* from) {
  I32x4 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}

// Eight int16.
inline I16x8 LoadI16(const void* from) {
  I16x8 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}

// Sixteen int8.
inline I8x16 LoadI8(const void* from) {
  I8x16 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}

// The first `count` (0 ... 3) lanes from memory, the others zero.
inline F32x4 LoadN(const float* from, size_t count) {
  F32x4 out = {};
  std::memcpy(&out, from, count * sizeof(float));
  return out;
}

// All lanes to memory.
inline void Store(float* to, F32x4 value) { std::memcpy(to, &value, sizeof(value)); }

// The first `count` (0 ... 3) lanes to memory; what follows there stays as it is.
inline void StoreN(float* to, F32x4 value, size_t count) {
  std::memcpy(to, &value, count * sizeof(float));
}

}  // namespace clipglot::simd
