#include "nn/attention_kernel.h"

#include <limits>

#include "nn/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::MultiplyAdd;
using simd::Splat;

// The sums of a 4 x 8 tile, in eight registers.
struct Tile {
  F32x4 r0a = {}, r0b = {}, r1a = {}, r1b = {}, r2a = {}, r2b = {}, r3a = {}, r3b = {};
};

inline Tile Multiply(const float* a, size_t lda, const float* panel, size_t depth) {
  const float* a0 = a;
  const float* a1 = a + lda;
  const float* a2 = a + 2 * lda;
  const float* a3 = a + 3 * lda;
  Tile t;
  for (size_t k = 0; k < depth; ++k) {
    const F32x4 ba = simd::Load(panel), bb = simd::Load(panel + 4);
    panel += kPanel;
    const F32x4 x0 = Splat(a0[k]);
    t.r0a = MultiplyAdd(x0, ba, t.r0a);
    t.r0b = MultiplyAdd(x0, bb, t.r0b);
    const F32x4 x1 = Splat(a1[k]);
    t.r1a = MultiplyAdd(x1, ba, t.r1a);
    t.r1b = MultiplyAdd(x1, bb, t.r1b);
    const F32x4 x2 = Splat(a2[k]);
    t.r2a = MultiplyAdd(x2, ba, t.r2a);
    t.r2b = MultiplyAdd(x2, bb, t.r2b);
    const F32x4 x3 = Splat(a3[k]);
    t.r3a = MultiplyAdd(x3, ba, t.r3a);
    t.r3b = MultiplyAdd(x3, bb, t.r3b);
  }
  return t;
}

inline void AddScaled(float* c, float scale, F32x4 a, F32x4 b) {
  const F32x4 s = Splat(scale);
  simd::Store(c, MultiplyAdd(simd::Load(c), s, a));
  simd::Store(c + 4, MultiplyAdd(simd::Load(c + 4), s, b));
}

}  // namespace

void TileProduct(const float* a, size_t lda, const float* panel, size_t depth, float* c, size_t ldc) {
  const Tile t = Multiply(a, lda, panel, depth);
  simd::Store(c, t.r0a);
  simd::Store(c + 4, t.r0b);
  simd::Store(c + ldc, t.r1a);
  simd::Store(c + ldc + 4, t.r1b);
  simd::Store(c + 2 * ldc, t.r2a);
  simd::Store(c + 2 * ldc + 4, t.r2b);
  simd::Store(c + 3 * ldc, t.r3a);
  simd::Store(c + 3 * ldc + 4, t.r3b);
}

void TileAccumulate(const float* a, size_t lda, const float* panel, size_t depth, const float* scale, float* c,
                    size_t ldc) {
  const Tile t = Multiply(a, lda, panel, depth);
  AddScaled(c, scale[0], t.r0a, t.r0b);
  AddScaled(c + ldc, scale[1], t.r1a, t.r1b);
  AddScaled(c + 2 * ldc, scale[2], t.r2a, t.r2b);
  AddScaled(c + 3 * ldc, scale[3], t.r3a, t.r3b);
}

float SoftmaxStep(float* scores, size_t keys, const float* bias, float& max, float& sum) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  F32x4 high = Splat(max), high2 = high;
  if (bias != nullptr) {
    for (size_t k = 0; k < keys; k += kPanel) {
      const F32x4 a = simd::Load(scores + k) + simd::Load(bias + k);
      const F32x4 b = simd::Load(scores + k + 4) + simd::Load(bias + k + 4);
      simd::Store(scores + k, a);
      simd::Store(scores + k + 4, b);
      high = simd::Max(high, a);
      high2 = simd::Max(high2, b);
    }
  } else {
    for (size_t k = 0; k < keys; k += kPanel) {
      high = simd::Max(high, simd::Load(scores + k));
      high2 = simd::Max(high2, simd::Load(scores + k + 4));
    }
  }
  const float new_max = simd::MaxLane(simd::Max(high, high2));
  // No key so far, or none at all: every score is -infinity, and any finite maximum gives e^score = 0.
  const F32x4 shift = Splat(new_max == kNone ? 0.0f : new_max);
  F32x4 total = {}, total2 = {};
  for (size_t k = 0; k < keys; k += kPanel) {
    const F32x4 a = simd::ExpNegative(simd::Load(scores + k) - shift);
    const F32x4 b = simd::ExpNegative(simd::Load(scores + k + 4) - shift);
    simd::Store(scores + k, a);
    simd::Store(scores + k + 4, b);
    total += a;
    total2 += b;
  }
  const float factor = max == kNone ? 0.0f : simd::ExpNegative(Splat(max) - shift)[0];
  sum = sum * factor + simd::SumLanes(total + total2);
  max = new_max;
  return factor;
}

}  // namespace clipglot
