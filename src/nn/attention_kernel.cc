#include "nn/attention_kernel.h"

#include <limits>

#include "nn/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I32x4;
using simd::MultiplyAdd;
using simd::Splat;

// The sums of a tile, in eight registers: row i, lanes 0-3 (a) and 4-7 (b).
struct Sums {
  F32x4 r0a = {}, r0b = {}, r1a = {}, r1b = {}, r2a = {}, r2b = {}, r3a = {}, r3b = {};
};

inline Sums Multiply(const float* a, const float* b, size_t depth) {
  Sums s;
  const float* const end = b + depth * kQueries;
  for (; b != end; a += kTile, b += kQueries) {
    const F32x4 ba = simd::Load(b), bb = simd::Load(b + 4);
    const F32x4 x0 = Splat(a[0]);
    s.r0a = MultiplyAdd(x0, ba, s.r0a);
    s.r0b = MultiplyAdd(x0, bb, s.r0b);
    const F32x4 x1 = Splat(a[1]);
    s.r1a = MultiplyAdd(x1, ba, s.r1a);
    s.r1b = MultiplyAdd(x1, bb, s.r1b);
    const F32x4 x2 = Splat(a[2]);
    s.r2a = MultiplyAdd(x2, ba, s.r2a);
    s.r2b = MultiplyAdd(x2, bb, s.r2b);
    const F32x4 x3 = Splat(a[3]);
    s.r3a = MultiplyAdd(x3, ba, s.r3a);
    s.r3b = MultiplyAdd(x3, bb, s.r3b);
  }
  return s;
}

inline void AddScaled(float* c, F32x4 factor, F32x4 sum) {
  simd::Store(c, MultiplyAdd(simd::Load(c), factor, sum));
}

}  // namespace

void TileProduct(const float* a, const float* b, size_t depth, float* c) {
  const Sums s = Multiply(a, b, depth);
  simd::Store(c, s.r0a);
  simd::Store(c + 4, s.r0b);
  simd::Store(c + 8, s.r1a);
  simd::Store(c + 12, s.r1b);
  simd::Store(c + 16, s.r2a);
  simd::Store(c + 20, s.r2b);
  simd::Store(c + 24, s.r3a);
  simd::Store(c + 28, s.r3b);
}

void TileAccumulate(const float* a, const float* b, size_t depth, const float* factor, float* c) {
  const Sums s = Multiply(a, b, depth);
  const F32x4 fa = simd::Load(factor), fb = simd::Load(factor + 4);
  AddScaled(c, fa, s.r0a);
  AddScaled(c + 4, fb, s.r0b);
  AddScaled(c + 8, fa, s.r1a);
  AddScaled(c + 12, fb, s.r1b);
  AddScaled(c + 16, fa, s.r2a);
  AddScaled(c + 20, fb, s.r2b);
  AddScaled(c + 24, fa, s.r3a);
  AddScaled(c + 28, fb, s.r3b);
}

void SoftmaxStep(float* scores, size_t keys, const float* bias, float* max, float* sum,
                 float* factor) {
  const F32x4 none = Splat(-std::numeric_limits<float>::infinity());
  const F32x4 zero = {};
  float* const end = scores + keys * kQueries;
  if (bias != nullptr) {
    for (float* at = scores; at != end; at += kQueries, ++bias) {
      const F32x4 b = Splat(*bias);
      simd::Store(at, simd::Load(at) + b);
      simd::Store(at + 4, simd::Load(at + 4) + b);
    }
  }
  const F32x4 old_a = simd::Load(max), old_b = simd::Load(max + 4);
  F32x4 max_a = old_a, max_b = old_b;
  for (const float* at = scores; at != end; at += kQueries) {
    max_a = simd::Max(max_a, simd::Load(at));
    max_b = simd::Max(max_b, simd::Load(at + 4));
  }
  // Without a key so far every score is -infinity, and any finite maximum gives e^score = 0.
  const F32x4 shift_a = max_a == none ? zero : max_a, shift_b = max_b == none ? zero : max_b;
  F32x4 sum_a = {}, sum_b = {};
  for (float* at = scores; at != end; at += kQueries) {
    const F32x4 a = simd::ExpNegative(simd::Load(at) - shift_a);
    const F32x4 b = simd::ExpNegative(simd::Load(at + 4) - shift_b);
    simd::Store(at, a);
    simd::Store(at + 4, b);
    sum_a += a;
    sum_b += b;
  }
  const F32x4 factor_a = simd::ExpNegative(old_a - shift_a),
              factor_b = simd::ExpNegative(old_b - shift_b);
  simd::Store(sum, MultiplyAdd(simd::Load(sum), factor_a, sum_a));
  simd::Store(sum + 4, MultiplyAdd(simd::Load(sum + 4), factor_b, sum_b));
  simd::Store(factor, factor_a);
  simd::Store(factor + 4, factor_b);
  simd::Store(max, max_a);
  simd::Store(max + 4, max_b);
}

}  // namespace clipglot
