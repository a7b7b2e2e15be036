// Size arithmetic on numbers that come from outside: the result, or an overflow that cannot be
// missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace clipglot {

// a * b, or nothing when it does not fit 64 bits.
inline std::optional<uint64_t> CheckedMul(uint64_t a, uint64_t b) {
  uint64_t out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// a + b, or nothing when it does not fit 64 bits.
inline std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b) {
  uint64_t out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

}  // namespace clipglot
