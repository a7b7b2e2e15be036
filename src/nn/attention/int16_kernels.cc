// The inner loops of integer attention: the tiles of a block and its step of the softmax.
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>

#include "nn/attention/int16.h"
#include "nn/attention/tile.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;
using simd::Load;
using simd::MulAdd;
using simd::Splat;
using simd::Store;
using simd::WidenMulPairwiseAdd;

// For MultiplyTile. Sums may leave int32 on the way to one that fits (ValueTile).
struct Products {
  static I16x8 Load(const int32_t* from) { return simd::LoadI16(from); }
  static I16x8 Splat(int32_t pair) { return (I16x8)simd::SplatI32(pair); }
  static I32x4 MulAdd(I16x8 x, I16x8 y, I32x4 sum) {
    return simd::AddWrapping(sum, WidenMulPairwiseAdd(x, y));
  }
};

inline void StoreScore(float* to, I32x4 sum, F32x4 step, F32x4 bias) {
  Store(to, MulAdd(simd::ConvertToF32(sum), step, bias));
}

// Weights of two keys, `scale` units for 1, side by side.
inline I16x8 PairWeights(const float* first, const float* second, F32x4 scale) {
  // The weight plus kInt16WeightZero stands in the low half of the bits.
  const F32x4 magic = Splat(simd::kRoundingMagic + kInt16WeightZero);
  const auto low = std::bit_cast<I32x4>(MulAdd(Load(first), scale, magic)),
             high = std::bit_cast<I32x4>(MulAdd(Load(second), scale, magic));
  return (I16x8)((low & simd::SplatI32(0xFFFF)) | (high << 16));
}

// Units for a weight of 1: as many as the sum of all weights allows. A NaN stays NaN.
inline F32x4 WeightScale(F32x4 sum) {
  return simd::Min(Splat(static_cast<float>(kInt16WeightSum)) / sum,
                   Splat(static_cast<float>(kInt16MaxWeight)));
}

// 2^x for x <= 0 (relative error below 4e-6, a quarter of the smallest unit of a weight): as
// simd::Exp2Negative with a polynomial of one degree less.
class WeightOf {
 public:
  WeightOf() {
    const float* from = simd::FromMemory(kConstants);
    for (F32x4& constant : constants_) constant = Splat(*from++);
  }
  F32x4 operator()(F32x4 x) const {
    const auto& [lowest, magic, c4, c3, c2, c1, c0] = constants_;
    x = simd::Max(x, lowest);
    const F32x4 shifted = x + magic;
    const F32x4 r = x - (shifted - magic);
    F32x4 e = MulAdd(c4, r, c3);
    e = MulAdd(e, r, c2);
    e = MulAdd(e, r, c1);
    e = MulAdd(e, r, c0);
    return e * std::bit_cast<F32x4>(std::bit_cast<I32x4>(shifted) << 23);
  }

 private:
  static constexpr float kConstants[] = {-127.0f,        simd::kRoundingMagic + 127,
                                         9.57010191e-3f, 5.59178603e-2f,
                                         2.40247448e-1f, 6.93121815e-1f,
                                         9.99999261e-1f};
  F32x4 constants_[std::size(kConstants)];
};

inline void AddScaled(float* c, F32x4 factor, I32x4 sum, F32x4 step) {
  Store(c, MulAdd(Load(c), factor, simd::ConvertToF32(sum) * step));
}

}  // namespace

CLIPGLOT_NOINLINE void Int16::ScoreTile(const Scratch& s, size_t dim, size_t row, size_t key,
                                        float* scores) {
  const size_t pairs = dim / 2;
  TileSums<I32x4> sums = {};
  MultiplyTile<Products>(s.keys.data() + key * pairs, s.q.data() + row * pairs, pairs, sums);
  const float *const q_steps = s.q_steps.data() + row, *const key_steps = s.key_steps.data() + key,
                     *const bias = s.bias.data() + key;
  const F32x4 qa = Load(q_steps), qb = Load(q_steps + 4);
  const F32x4 k0 = Splat(key_steps[0]), b0 = Splat(bias[0]);
  StoreScore(scores, sums.r0a, qa * k0, b0);
  StoreScore(scores + 4, sums.r0b, qb * k0, b0);
  const F32x4 k1 = Splat(key_steps[1]), b1 = Splat(bias[1]);
  StoreScore(scores + 8, sums.r1a, qa * k1, b1);
  StoreScore(scores + 12, sums.r1b, qb * k1, b1);
  const F32x4 k2 = Splat(key_steps[2]), b2 = Splat(bias[2]);
  StoreScore(scores + 16, sums.r2a, qa * k2, b2);
  StoreScore(scores + 20, sums.r2b, qb * k2, b2);
  const F32x4 k3 = Splat(key_steps[3]), b3 = Splat(bias[3]);
  StoreScore(scores + 24, sums.r3a, qa * k3, b3);
  StoreScore(scores + 28, sums.r3b, qb * k3, b3);
}

CLIPGLOT_NOINLINE void Int16::SoftmaxStep(float* scores, size_t keys, float* max, float* sum,
                                          Factors& factors) {
  float* const end = scores + keys * kQueries;
  const F32x4 none = Splat(-std::numeric_limits<float>::infinity()), zero = {};
  F32x4 max_a = none, max_b = none;
  RaiseToMax(scores, end, max_a, max_b);
  // Without a key every score is -infinity, and any finite maximum makes its weight 0.
  const F32x4 shift_a = max_a == none ? zero : max_a, shift_b = max_b == none ? zero : max_b;
  F32x4 sum_a = {}, sum_b = {};
  const WeightOf weight_of;
  for (float* at = scores; at != end; at += 4 * kQueries) {
    F32x4 a[4], b[4];
    for (size_t i = 0; i < 4; ++i) {
      a[i] = weight_of(Load(at + i * kQueries) - shift_a);
      b[i] = weight_of(Load(at + i * kQueries + 4) - shift_b);
    }
    for (size_t i = 0; i < 4; ++i) {
      Store(at + i * kQueries, a[i]);
      Store(at + i * kQueries + 4, b[i]);
      sum_a += a[i];
      sum_b += b[i];
    }
  }
  const F32x4 scale_a = WeightScale(sum_a), scale_b = WeightScale(sum_b);
  const I16x8 ones = simd::SplatI16(1);
  // Counted in what is multiplied, rounding included: the weights sum to 1 exactly.
  const auto zeros = static_cast<int32_t>(keys) * kInt16WeightZero;
  I32x4 units_a = simd::SplatI32(-zeros), units_b = units_a;
  float* to = scores;
  for (const float* at = scores; at != end; at += 2 * kQueries, to += kQueries) {
    const I16x8 a = PairWeights(at, at + kQueries, scale_a),
                b = PairWeights(at + 4, at + kQueries + 4, scale_b);
    std::memcpy(to, &a, sizeof(a));
    std::memcpy(to + 4, &b, sizeof(b));
    units_a += WidenMulPairwiseAdd(a, ones);
    units_b += WidenMulPairwiseAdd(b, ones);
  }
  const auto finish = [&](F32x4 block_max, F32x4 scale, I32x4 units, size_t at) {
    const F32x4 old = Load(max + at), all = simd::Max(old, block_max);
    const F32x4 shift = all == none ? zero : all;
    const F32x4 of_old = simd::Exp2Negative(old - shift),
                of_block = simd::Exp2Negative(block_max - shift) / scale;
    Store(max + at, all);
    Store(sum + at, MulAdd(Load(sum + at), of_old, simd::ConvertToF32(units) * of_block));
    Store(factors.old + at, of_old);
    Store(factors.block + at, of_block);
  };
  finish(max_a, scale_a, units_a, 0);
  finish(max_b, scale_b, units_b, 4);
}

CLIPGLOT_NOINLINE void Int16::ValueTile(const Scratch& s, size_t channel, const float* weights,
                                        size_t keys, const Factors& factors, float* o) {
  const size_t pairs = keys / 2;
  const int32_t* const offsets = s.value_offsets.data() + channel;
  const float* const steps = s.value_steps.data() + channel;
  TileSums<I32x4> sums;
  sums.r0a = sums.r0b = simd::SplatI32(offsets[0]);
  sums.r1a = sums.r1b = simd::SplatI32(offsets[1]);
  sums.r2a = sums.r2b = simd::SplatI32(offsets[2]);
  sums.r3a = sums.r3b = simd::SplatI32(offsets[3]);
  MultiplyTile<Products>(s.values.data() + channel * pairs,
                         reinterpret_cast<const int32_t*>(weights), pairs, sums);
  const F32x4 fa = Load(factors.old), fb = Load(factors.old + 4);
  const F32x4 ua = Load(factors.block), ub = Load(factors.block + 4);
  AddScaled(o, fa, sums.r0a, ua * Splat(steps[0]));
  AddScaled(o + 4, fb, sums.r0b, ub * Splat(steps[0]));
  AddScaled(o + 8, fa, sums.r1a, ua * Splat(steps[1]));
  AddScaled(o + 12, fb, sums.r1b, ub * Splat(steps[1]));
  AddScaled(o + 16, fa, sums.r2a, ua * Splat(steps[2]));
  AddScaled(o + 20, fb, sums.r2b, ub * Splat(steps[2]));
  AddScaled(o + 24, fa, sums.r3a, ua * Splat(steps[3]));
  AddScaled(o + 28, fb, sums.r3b, ub * Splat(steps[3]));
}

}  // namespace clipglot
