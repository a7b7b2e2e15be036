// Integer arithmetic that is easy to get wrong when written out. Unsigned types only.
#pragma once

#include <concepts>
#include <type_traits>

namespace clipglot {

// a / b, rounded up. b > 0. Never overflows.
template <std::unsigned_integral T>
constexpr T CeilDiv(T a, std::type_identity_t<T> b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

// The smallest multiple of `step` that is at least `value`. step > 0; the result must fit T.
template <std::unsigned_integral T>
constexpr T RoundUp(T value, std::type_identity_t<T> step) {
  return CeilDiv(value, step) * step;
}

// The largest multiple of `step` that is at most `value`. step > 0.
template <std::unsigned_integral T>
constexpr T RoundDown(T value, std::type_identity_t<T> step) {
  return value / step * step;
}

}  // namespace clipglot
