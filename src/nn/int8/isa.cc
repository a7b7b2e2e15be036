#include "nn/int8/isa.h"

#include <algorithm>
#ifndef __wasm__
#include <atomic>
#endif

#include "nn/int8/kernels.h"
#include "nn/int8/quantize.h"
#include "nn/int8/strassen_winograd.h"
#include "nn/simd/simd.h"

namespace clipglot {

static constexpr Int8Path kInt8Paths[] = {
    {.isa = Int8Isa::kI16Madd,
     .name = "i16 multiply-add",
     .value_bytes = sizeof(int16_t),
     .activations_unsigned = false,
     .params_bytes = [](size_t) { return sizeof(Int8Row); },
     .quantize = QuantizeRowsI16,
     .kernels = kI16MaddKernels,
     .first_of_eight = 5,  // five and three are quicker than four and four
     .strassen_min_rows = kStrassenMinRows,
     .acc16_weights = false},
#if !defined(__wasm__) || defined(__wasm_relaxed_simd__)
    {.isa = Int8Isa::kU8S8Dot,
     .name = "u8 x s8 dot",
     .value_bytes = sizeof(uint8_t),
     .activations_unsigned = true,
     .params_bytes = [](size_t) { return sizeof(Int8Row); },
     .quantize = QuantizeRowsU8,
     .kernels = kDotKernels,
     .first_of_eight = 4,
     .strassen_min_rows = kNever,
     .acc16_weights = false},
    {.isa = Int8Isa::kS8S8Dot,
     .name = "s8 x s8 dot",
     .value_bytes = sizeof(int8_t),
     .activations_unsigned = false,
     .params_bytes = [](size_t) { return sizeof(Int8Row); },
     .quantize = QuantizeRowsS8,
     .kernels = kDotKernels,
     .first_of_eight = 4,
     .strassen_min_rows = kNever,
     .acc16_weights = false},
    {.isa = Int8Isa::kAcc16,
     .name = "int16 accumulation",
     .value_bytes = 2 * sizeof(uint8_t),
     .activations_unsigned = true,
     .params_bytes = [](size_t columns) { return 2 * Groups(columns) * sizeof(int32_t); },
     .quantize = QuantizeRowsAcc16,
     .kernels = kAcc16Kernels,
     .first_of_eight = 4,
     .strassen_min_rows = kNever,
     .acc16_weights = true},
#endif
};

std::span<const Int8Path> Int8Paths() { return kInt8Paths; }

const Int8Path& PathOf(Int8Isa isa) { return *std::ranges::find(kInt8Paths, isa, &Int8Path::isa); }

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

Int8Isa ProbeInt8Isa() {
  // The largest sums of both signs, and values on both sides of the sign bit.
  if (Gives(127, -1, 4 * 127 * 255) && Gives(-128, -1, 4 * -128 * 255) &&
      Gives(-128, -128, 4 * -128 * 128) && Gives(127, 127, 4 * 127 * 127)) {
    return Int8Isa::kU8S8Dot;
  }
  if (Gives(127, -1, 4 * -127) && Gives(-128, -128, 4 * 128 * 128) &&
      Gives(127, -128, 4 * -127 * 128) && Gives(-128, 127, 4 * -128 * 127)) {
    return Int8Isa::kS8S8Dot;
  }
  const bool exact_pairs = GivesPairs(85, 191) && GivesPairs(-85, 191) && GivesPairs(64, 255) &&
                           GivesPairs(-128, 127) && GivesPairs(127, 128);
  return exact_pairs ? Int8Isa::kAcc16 : Int8Isa::kI16Madd;
}
#elif defined(__wasm__)
Int8Isa ProbeInt8Isa() { return Int8Isa::kI16Madd; }
#else
static std::atomic<Int8Isa> forced_isa = Int8Isa::kI16Madd;
Int8Isa ProbeInt8Isa() { return forced_isa.load(std::memory_order_relaxed); }
void ForceInt8Isa(Int8Isa isa) { forced_isa.store(isa, std::memory_order_relaxed); }
#endif

}  // namespace clipglot
