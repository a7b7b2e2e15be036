#include "nn/int8/isa.h"

#include <atomic>

#include "nn/simd/simd.h"

namespace clipglot {

#ifdef __wasm_relaxed_simd__
// Is a + 4·a·b, with b read as the caller thinks, `wanted` + a in every lane? Operands come from
// memory that the compiler cannot see through: it must not compute the answer by its own idea of
// the instruction.
static bool Gives(int a, int b, int wanted) {
  volatile int8_t hidden[2] = {static_cast<int8_t>(a), static_cast<int8_t>(b)};
  const v128_t sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(
      wasm_i8x16_splat(hidden[0]), wasm_i8x16_splat(hidden[1]), wasm_i32x4_splat(hidden[0]));
  const v128_t equal = wasm_i32x4_eq(sum, wasm_i32x4_splat(wanted + a));
  return wasm_i32x4_all_true(equal);
}

// The same for the product of pairs, b being 0 ... 255.
static bool GivesPairs(int a, int b) {
  volatile int8_t hidden[2] = {static_cast<int8_t>(a), static_cast<int8_t>(b)};
  const v128_t pairs =
      wasm_i16x8_relaxed_dot_i8x16_i7x16(wasm_i8x16_splat(hidden[0]), wasm_i8x16_splat(hidden[1]));
  const v128_t wanted = wasm_i16x8_splat(static_cast<int16_t>(2 * a * b));
  return wasm_i16x8_all_true(wasm_i16x8_eq(pairs, wanted));
}

DotWay ProbeDotWay() {
  // The largest sums of both signs, and values on both sides of the sign bit.
  if (Gives(127, -1, 4 * 127 * 255) && Gives(-128, -1, 4 * -128 * 255) &&
      Gives(-128, -128, 4 * -128 * 128) && Gives(127, 127, 4 * 127 * 127)) {
    return DotWay::kUnsigned;
  }
  if (Gives(127, -1, 4 * -127) && Gives(-128, -128, 4 * 128 * 128) &&
      Gives(127, -128, 4 * -127 * 128) && Gives(-128, 127, 4 * -128 * 127)) {
    return DotWay::kSigned;
  }
  const bool narrow = GivesPairs(85, 191) && GivesPairs(-85, 191) && GivesPairs(64, 255) &&
                      GivesPairs(-128, 127) && GivesPairs(127, 128);
  return narrow ? DotWay::kNarrow : DotWay::kWide;
}
#elif defined(__wasm__)
DotWay ProbeDotWay() { return DotWay::kWide; }
#else
static std::atomic<DotWay> forced_way = DotWay::kWide;
DotWay ProbeDotWay() { return forced_way.load(std::memory_order_relaxed); }
void ForceDotWay(DotWay way) { forced_way.store(way, std::memory_order_relaxed); }
#endif

}  // namespace clipglot
