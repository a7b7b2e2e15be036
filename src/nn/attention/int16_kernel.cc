#include "nn/attention/int16_kernel.h"

#include <bit>
#include <cstring>
#include <iterator>
#include <limits>

#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::AddWrapping;
using simd::F32x4;
using simd::I16x8;
using simd::I32x4;
using simd::Load;
using simd::LoadI16;
using simd::MulAdd;
using simd::Splat;
using simd::Store;
using simd::WidenMulPairwiseAdd;

// The sums of a tile, in eight registers: row i, lanes 0-3 (a) and 4-7 (b).
struct Sums {
  I32x4 r0a, r0b, r1a, r1b, r2a, r2b, r3a, r3b;
};

// s[i][j] += Σ_k a[k][i] · b[k][j], an element being a pair: a [depth][4], b [depth][8]. Written as
// the loop of attention_kernel.cc is, for the same reason.
inline void Multiply(const int32_t* a, const int32_t* b, size_t depth, Sums& s) {
  const int32_t* const end = b + depth * kQueries;
  for (; b != end; a += kTile, b += kQueries) {
    const I16x8 ba = LoadI16(b), bb = LoadI16(b + 4);
    const auto x0 = (I16x8)simd::SplatI32(a[0]);
    s.r0a = AddWrapping(s.r0a, WidenMulPairwiseAdd(x0, ba));
    s.r0b = AddWrapping(s.r0b, WidenMulPairwiseAdd(x0, bb));
    const auto x1 = (I16x8)simd::SplatI32(a[1]);
    s.r1a = AddWrapping(s.r1a, WidenMulPairwiseAdd(x1, ba));
    s.r1b = AddWrapping(s.r1b, WidenMulPairwiseAdd(x1, bb));
    const auto x2 = (I16x8)simd::SplatI32(a[2]);
    s.r2a = AddWrapping(s.r2a, WidenMulPairwiseAdd(x2, ba));
    s.r2b = AddWrapping(s.r2b, WidenMulPairwiseAdd(x2, bb));
    const auto x3 = (I16x8)simd::SplatI32(a[3]);
    s.r3a = AddWrapping(s.r3a, WidenMulPairwiseAdd(x3, ba));
    s.r3b = AddWrapping(s.r3b, WidenMulPairwiseAdd(x3, bb));
  }
}

inline void StoreScore(float* to, I32x4 sum, F32x4 step, F32x4 bias) {
  Store(to, MulAdd(simd::ConvertToF32(sum), step, bias));
}

// Scores of eight queries and four keys: keys [dim / 2][4], q [dim / 2][8], key_steps and bias [4],
// q_steps [8], scores [4][8].
CLIPGLOT_NOINLINE void ScoreTile(const int32_t* keys, const int32_t* q, size_t pairs,
                                 const float* key_steps, const float* q_steps, const float* bias,
                                 float* scores) {
  Sums s = {};
  Multiply(keys, q, pairs, s);
  const F32x4 qa = Load(q_steps), qb = Load(q_steps + 4);
  const F32x4 k0 = Splat(key_steps[0]), b0 = Splat(bias[0]);
  StoreScore(scores, s.r0a, qa * k0, b0);
  StoreScore(scores + 4, s.r0b, qb * k0, b0);
  const F32x4 k1 = Splat(key_steps[1]), b1 = Splat(bias[1]);
  StoreScore(scores + 8, s.r1a, qa * k1, b1);
  StoreScore(scores + 12, s.r1b, qb * k1, b1);
  const F32x4 k2 = Splat(key_steps[2]), b2 = Splat(bias[2]);
  StoreScore(scores + 16, s.r2a, qa * k2, b2);
  StoreScore(scores + 20, s.r2b, qb * k2, b2);
  const F32x4 k3 = Splat(key_steps[3]), b3 = Splat(bias[3]);
  StoreScore(scores + 24, s.r3a, qa * k3, b3);
  StoreScore(scores + 28, s.r3b, qb * k3, b3);
}

// Weights of two keys, `scale` units for 1, side by side.
inline I16x8 PairWeights(const float* first, const float* second, F32x4 scale) {
  // Below 2^15 the number stands in the low half of the bits.
  const F32x4 magic = Splat(simd::kRoundingMagic + kInt16WeightZero);
  const auto low = std::bit_cast<I32x4>(MulAdd(Load(first), scale, magic)),
             high = std::bit_cast<I32x4>(MulAdd(Load(second), scale, magic));
  return (I16x8)((low & simd::SplatI32(0xFFFF)) | (high << 16));
}

// By what the sums so far must shrink, and what a unit of the block's sums is worth: [8] each.
struct Factors {
  float old[kQueries], block[kQueries];
};

// A unit of weight: as small as the sum of all allows. A NaN stays.
inline F32x4 WeightScale(F32x4 sum) {
  return simd::Min(Splat(static_cast<float>(kInt16WeightSum)) / sum,
                   Splat(static_cast<float>(kInt16WeightMost)));
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
    const auto& [least, magic, c4, c3, c2, c1, c0] = constants_;
    x = simd::Max(x, least);
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

// The scores of a group become weights: pairs of int16 [keys / 2][8] in their place. A weight is
// relative to the block's own maximum, so that a far larger score in another block takes no digits
// from it.
CLIPGLOT_NOINLINE void SoftmaxStep(float* scores, size_t keys, float* max, float* sum,
                                   Factors& factors) {
  float* const end = scores + keys * kQueries;
  const F32x4 none = Splat(-std::numeric_limits<float>::infinity()), zero = {};
  F32x4 max_a = none, max_b = none;
  for (const float* at = scores; at != end; at += 4 * kQueries) {
    // Four at a time first: the chain from one maximum to the next is what this loop waits for.
    const F32x4 a =
        simd::Max(simd::Max(Load(at), Load(at + 8)), simd::Max(Load(at + 16), Load(at + 24)));
    const F32x4 b =
        simd::Max(simd::Max(Load(at + 4), Load(at + 12)), simd::Max(Load(at + 20), Load(at + 28)));
    max_a = simd::Max(max_a, a);
    max_b = simd::Max(max_b, b);
  }
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
  // Of what is multiplied: the weights sum to 1 exactly.
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

inline void AddScaled(float* c, F32x4 factor, I32x4 sum, F32x4 step) {
  Store(c, MulAdd(Load(c), factor, simd::ConvertToF32(sum) * step));
}

// Four channels of the values for eight queries: values [keys / 2][4], weights [keys / 2][8],
// starts and steps [4], o [4][8].
CLIPGLOT_NOINLINE void ValueTile(const int32_t* values, const int32_t* weights, size_t pairs,
                                 const int32_t* starts, const float* steps, const Factors& factors,
                                 float* o) {
  Sums s;
  s.r0a = s.r0b = simd::SplatI32(starts[0]);
  s.r1a = s.r1b = simd::SplatI32(starts[1]);
  s.r2a = s.r2b = simd::SplatI32(starts[2]);
  s.r3a = s.r3b = simd::SplatI32(starts[3]);
  Multiply(values, weights, pairs, s);
  const F32x4 fa = Load(factors.old), fb = Load(factors.old + 4);
  const F32x4 ua = Load(factors.block), ub = Load(factors.block + 4);
  AddScaled(o, fa, s.r0a, ua * Splat(steps[0]));
  AddScaled(o + 4, fb, s.r0b, ub * Splat(steps[0]));
  AddScaled(o + 8, fa, s.r1a, ua * Splat(steps[1]));
  AddScaled(o + 12, fb, s.r1b, ub * Splat(steps[1]));
  AddScaled(o + 16, fa, s.r2a, ua * Splat(steps[2]));
  AddScaled(o + 20, fb, s.r2b, ub * Splat(steps[2]));
  AddScaled(o + 24, fa, s.r3a, ua * Splat(steps[3]));
  AddScaled(o + 28, fb, s.r3b, ub * Splat(steps[3]));
}

}  // namespace

void AttendBlock(const AttentionBlockInt16& p) {
  const size_t pairs = p.dim / 2;
  for (size_t key = 0; key < p.count; key += kTile) {
    for (size_t g = 0; g < p.groups; ++g) {
      ScoreTile(p.keys + key * pairs, p.q + g * pairs * kQueries, pairs, p.key_steps + key,
                p.q_steps + g * kQueries, p.bias + key, p.scores + (g * p.count + key) * kQueries);
    }
  }
  Factors factors[kMaxGroups];
  for (size_t g = 0; g < p.groups; ++g) {
    SoftmaxStep(p.scores + g * p.count * kQueries, p.count, p.max + g * kQueries,
                p.sum + g * kQueries, factors[g]);
  }
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    for (size_t g = 0; g < p.groups; ++g) {
      ValueTile(p.values + c * (p.count / 2),
                reinterpret_cast<const int32_t*>(p.scores + g * p.count * kQueries), p.count / 2,
                p.value_starts + c, p.value_steps + c, factors[g],
                p.o + (g * p.padded_dim + c) * kQueries);
    }
  }
}

}  // namespace clipglot
