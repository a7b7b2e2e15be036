// The instructions that a wasm kernel can multiply and add with, each alone: what no kernel of that
// kind can pass.
//
// Each is a loop over registers, nothing loaded or stored: twelve chains, so that the latency of
// one is hidden by the others, and operands that no compiler can know. A function is short and
// called often, since V8 changes from its first to its fast code only between calls.
#pragma once

#include <wasm_simd128.h>

#include <cstddef>
#include <cstdint>

namespace clipglot::roofline {

struct Peak {
  const char* name;
  const char* unit;   // what `operations` counts, in 10^9 a second
  double operations;  // of one iteration
  int32_t (*run)(size_t iterations);
};

inline constexpr size_t kChains = 12;
inline constexpr size_t kLanes8 = 16, kLanes16 = 8, kLanes32 = 4;

// Read by every peak: small numbers that stay small, so that no float leaves its ordinary range.
inline volatile int8_t kSeeds[32] = {1, 2, 3, 1, 2, 3, 1, 2, 1, 1, 2, 1, 3, 1, 2, 1,
                                     2, 1, 1, 3, 1, 2, 1, 1, 2, 1, 3, 1, 1, 2, 1, 1};
inline volatile float kFactor = 0.5f, kTerm = 1.0f;

inline v128_t Seed(size_t at) {
  int8_t bytes[16];
  for (size_t i = 0; i < 16; ++i) bytes[i] = kSeeds[at + i];
  return wasm_v128_load(bytes);
}

// Eight int16, all 1, from memory: a product with them adds neighbours, and an engine makes the
// constant of the instruction that is there for that anew each time.
inline v128_t Ones() {
  static volatile int16_t one = 1;
  return wasm_i16x8_splat(one);
}

// acc = step(acc) on twelve chains, `iterations` times.
template <typename Step>
[[gnu::always_inline]] inline int32_t Chains(size_t iterations, v128_t start, const Step& step) {
  v128_t c0 = start, c1 = start, c2 = start, c3 = start, c4 = start, c5 = start, c6 = start,
         c7 = start, c8 = start, c9 = start, c10 = start, c11 = start;
  for (size_t i = 0; i < iterations; ++i) {
    c0 = step(c0), c1 = step(c1), c2 = step(c2), c3 = step(c3), c4 = step(c4), c5 = step(c5);
    c6 = step(c6), c7 = step(c7), c8 = step(c8), c9 = step(c9), c10 = step(c10), c11 = step(c11);
  }
  const v128_t a = wasm_v128_xor(wasm_v128_xor(wasm_v128_xor(c0, c1), wasm_v128_xor(c2, c3)),
                                 wasm_v128_xor(wasm_v128_xor(c4, c5), wasm_v128_xor(c6, c7)));
  const v128_t b = wasm_v128_xor(wasm_v128_xor(c8, c9), wasm_v128_xor(c10, c11));
  return wasm_i32x4_extract_lane(wasm_v128_xor(a, b), 0);
}

[[gnu::noinline]] inline int32_t DotI16(size_t iterations) {
  const v128_t b = Seed(0);
  return Chains(iterations, Seed(16), [&](v128_t c) { return wasm_i32x4_dot_i16x8(c, b); });
}
[[gnu::noinline]] inline int32_t DotI16Add(size_t iterations) {
  const v128_t a = Seed(8), b = Seed(0);
  return Chains(iterations, Seed(16),
                [&](v128_t c) { return wasm_i32x4_add(wasm_i32x4_dot_i16x8(c, b), a); });
}
[[gnu::noinline]] inline int32_t MulAddF32(size_t iterations) {
  const v128_t a = wasm_f32x4_splat(kTerm), b = wasm_f32x4_splat(kFactor);
  return Chains(iterations, a, [&](v128_t c) { return wasm_f32x4_add(wasm_f32x4_mul(c, b), a); });
}
#ifdef __wasm_relaxed_simd__
[[gnu::noinline]] inline int32_t RelaxedDotAdd(size_t iterations) {
  const v128_t a = Seed(8), b = Seed(0);
  return Chains(iterations, Seed(16),
                [&](v128_t c) { return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, c); });
}
[[gnu::noinline]] inline int32_t RelaxedDotI16Add(size_t iterations) {
  const v128_t a = Seed(8), b = Seed(0);
  return Chains(iterations, Seed(16), [&](v128_t c) {
    return wasm_i16x8_add(wasm_i16x8_relaxed_dot_i8x16_i7x16(c, b), a);
  });
}
// As kernels use it: so many products summed in int16, then widened and added up in int32.
template <size_t kProducts>
[[gnu::noinline]] inline int32_t RelaxedDotI16Widen(size_t iterations) {
  const v128_t a = Seed(8), w[] = {Seed(0), Seed(2), Seed(4), Seed(6)}, ones = Ones();
  return Chains(iterations, Seed(16), [&](v128_t c) {
    v128_t sum = wasm_i16x8_relaxed_dot_i8x16_i7x16(w[0], c);
    for (size_t i = 1; i < kProducts; ++i)
      sum = wasm_i16x8_add(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(w[i], c));
    return wasm_i32x4_add(wasm_i32x4_dot_i16x8(sum, ones), a);
  });
}
// The same for a block of 4-bit weights, whose sum is scaled before it is added up as float.
[[gnu::noinline]] inline int32_t RelaxedDotI16Scale(size_t iterations) {
  const v128_t w[] = {Seed(0), Seed(1), Seed(2), Seed(3), Seed(4), Seed(5), Seed(6), Seed(7)},
               ones = Ones();
  const v128_t scale = wasm_f32x4_splat(kFactor);
  return Chains(iterations, Seed(16), [&](v128_t c) {
    v128_t sum = wasm_i16x8_relaxed_dot_i8x16_i7x16(w[0], c);
    for (size_t i = 1; i < 8; ++i)
      sum = wasm_i16x8_add(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(w[i], c));
    sum = wasm_i32x4_dot_i16x8(sum, ones);
    return wasm_f32x4_relaxed_madd(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sum), scale), scale, c);
  });
}
[[gnu::noinline]] inline int32_t RelaxedMadd(size_t iterations) {
  const v128_t a = wasm_f32x4_splat(kTerm), b = wasm_f32x4_splat(kFactor);
  return Chains(iterations, a, [&](v128_t c) { return wasm_f32x4_relaxed_madd(c, b, a); });
}
#endif

// A multiplication and an addition are two operations.
inline constexpr Peak kPeaks[] = {
    {"i32x4.dot_i16x8_s", "int8 GOP/s", 2 * kChains * kLanes16, DotI16},
    {"i32x4.dot_i16x8_s + i32x4.add", "int8 GOP/s", 2 * kChains * kLanes16, DotI16Add},
    {"f32x4.mul + f32x4.add", "f32 GFLOP/s", 2 * kChains * kLanes32, MulAddF32},
#ifdef __wasm_relaxed_simd__
    {"i32x4.relaxed_dot_i8x16_i7x16_add", "int8 GOP/s", 2 * kChains * kLanes8, RelaxedDotAdd},
    {"i16x8.relaxed_dot_i8x16_i7x16 + i16x8.add", "int8 GOP/s", 2 * kChains * kLanes8,
     RelaxedDotI16Add},
    {"2 x i16x8.relaxed_dot_i8x16_i7x16, widened", "int8 GOP/s", 2 * 2 * kChains * kLanes8,
     RelaxedDotI16Widen<2>},
    {"4 x i16x8.relaxed_dot_i8x16_i7x16, widened", "int8 GOP/s", 4 * 2 * kChains * kLanes8,
     RelaxedDotI16Widen<4>},
    {"8 x i16x8.relaxed_dot_i8x16_i7x16, widened, scaled", "int8 GOP/s", 8 * 2 * kChains * kLanes8,
     RelaxedDotI16Scale},
    {"f32x4.relaxed_madd", "f32 GFLOP/s", 2 * kChains * kLanes32, RelaxedMadd},
#endif
};

// One pass over memory, 64 bytes a step.
[[gnu::noinline]] inline int32_t ReadMemory(const uint8_t* from, size_t bytes) {
  v128_t a = wasm_i32x4_splat(0), b = a, c = a, d = a;
  for (size_t i = 0; i < bytes; i += 64) {
    a = wasm_v128_xor(a, wasm_v128_load(from + i));
    b = wasm_v128_xor(b, wasm_v128_load(from + i + 16));
    c = wasm_v128_xor(c, wasm_v128_load(from + i + 32));
    d = wasm_v128_xor(d, wasm_v128_load(from + i + 48));
  }
  return wasm_i32x4_extract_lane(wasm_v128_xor(wasm_v128_xor(a, b), wasm_v128_xor(c, d)), 0);
}

}  // namespace clipglot::roofline
