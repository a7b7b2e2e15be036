#include "nn/attention/float32.h"

#include <limits>

#include "nn/attention/tile.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::Load;
using simd::MulAdd;
using simd::Splat;
using simd::Store;

// Transposes four rows `from` [4][dim], `from_step` apart, to `to` [dim][4], `to_step` apart.
CLIPGLOT_NOINLINE void TransposeRows(const float* from, size_t from_step, size_t dim, float* to,
                                     size_t to_step) {
  size_t c = 0;
  for (; c + kTile <= dim; c += kTile) {
    F32x4 v[kTile];
    for (size_t i = 0; i < kTile; ++i) v[i] = Load(from + i * from_step + c);
    simd::Transpose4x4(v);
    for (size_t i = 0; i < kTile; ++i) Store(to + (c + i) * to_step, v[i]);
  }
  for (; c < dim; ++c) {
    for (size_t r = 0; r < kTile; ++r) to[c * to_step + r] = from[r * from_step + c];
  }
}

// One row of values to [padded_dim / 4][padded_count][4].
void PackValue(const AttentionProblem& p, const float* value, size_t padded_count, float* to) {
  size_t c = 0;
  for (; c + kTile <= p.dim; c += kTile, to += kTile * padded_count) {
    Store(to, Load(value + c));
  }
  if (c < p.dim) Store(to, simd::LoadN(value + c, p.dim - c));
}

// Zeros for a key that is left out and for its values.
void PackNoKey(const AttentionProblem& p, size_t padded_count, float* to_key, float* to_value) {
  for (size_t c = 0; c < p.dim; ++c) to_key[c * kTile] = 0;
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    for (size_t i = 0; i < kTile; ++i) to_value[c * padded_count + i] = 0;
  }
}

// For MultiplyTile.
struct Products {
  static F32x4 Load(const float* from) { return simd::Load(from); }
  static F32x4 Splat(float x) { return simd::Splat(x); }
  static F32x4 MulAdd(F32x4 x, F32x4 y, F32x4 sum) { return simd::MulAdd(x, y, sum); }
};

inline void AddScaled(float* c, F32x4 factor, F32x4 sum) { Store(c, MulAdd(Load(c), factor, sum)); }

}  // namespace

void Float32::PackQueries(const AttentionProblem& p, size_t head, size_t first, size_t count,
                          const Scratch& s) {
  const float scale = ScoreScale(p.dim);
  const size_t padded = RoundUp(count, kQueries);
  for (size_t r = 0; r < padded; r += 4) {
    float* to = s.q.data() + RoundDown(r, kQueries) * p.dim + r % kQueries;
    const float* from = p.query(first + r, head);
    if (r + 4 <= count) {
      TransposeRows(from, p.stride(), p.dim, to, kQueries);
    } else {
      for (size_t i = 0; i < 4; ++i, from += p.stride()) {
        for (size_t c = 0; c < p.dim; ++c) to[c * kQueries + i] = r + i < count ? from[c] : 0.0f;
      }
    }
  }
  for (size_t i = 0; i < padded * p.dim; ++i) s.q[i] *= scale;
}

size_t Float32::PackBlock(const AttentionProblem& p, size_t head, size_t first, size_t count,
                          size_t padded_count, const Scratch& s) {
  const size_t width = p.heads * p.dim;
  size_t used = 0;
  for (size_t tile = 0; tile < padded_count; tile += kTile) {
    float* to_keys = s.keys.data() + tile * p.dim;
    const float* keys = p.key(first + tile, head);
    size_t counted = 0;
    for (size_t j = tile; j < tile + kTile; ++j) {
      const bool counts = j < count && p.Counts(first + j);
      s.bias[j] = counts ? 0.0f : -std::numeric_limits<float>::infinity();
      counted += counts;
    }
    used += counted;
    if (counted == kTile) TransposeRows(keys, p.stride(), p.dim, to_keys, kTile);
    for (size_t i = 0; i < kTile; ++i, keys += p.stride()) {
      float* to_value = s.values.data() + (tile + i) * kTile;
      if (s.bias[tile + i] != 0) {
        PackNoKey(p, padded_count, to_keys + i, to_value);
        continue;
      }
      if (counted != kTile) {
        for (size_t c = 0; c < p.dim; ++c) to_keys[c * kTile + i] = keys[c];
      }
      PackValue(p, keys + width, padded_count, to_value);
    }
  }
  return used;
}

// The two functions around MultiplyTile stay apart from the loops that call them: an engine has no
// register left to give in them, and what a caller holds would be written out and read back within.

CLIPGLOT_NOINLINE void Float32::ScoreTile(const Scratch& s, size_t dim, size_t row, size_t key,
                                          float* scores) {
  const float* const bias = s.bias.data() + key;
  TileSums<F32x4> sums;
  sums.r0a = sums.r0b = Splat(bias[0]);
  sums.r1a = sums.r1b = Splat(bias[1]);
  sums.r2a = sums.r2b = Splat(bias[2]);
  sums.r3a = sums.r3b = Splat(bias[3]);
  MultiplyTile<Products>(s.keys.data() + key * dim, s.q.data() + row * dim, dim, sums);
  Store(scores, sums.r0a);
  Store(scores + 4, sums.r0b);
  Store(scores + 8, sums.r1a);
  Store(scores + 12, sums.r1b);
  Store(scores + 16, sums.r2a);
  Store(scores + 20, sums.r2b);
  Store(scores + 24, sums.r3a);
  Store(scores + 28, sums.r3b);
}

CLIPGLOT_NOINLINE void Float32::SoftmaxStep(float* scores, size_t keys, float* max, float* sum,
                                            Factors& factors) {
  float* const end = scores + keys * kQueries;
  const F32x4 old_a = Load(max), old_b = Load(max + 4);
  F32x4 max_a = old_a, max_b = old_b;
  RaiseToMax(scores, end, max_a, max_b);
  Store(max, max_a);
  Store(max + 4, max_b);
  // Without a key so far every score is -infinity, and any finite maximum makes its weight 0.
  const F32x4 none = Splat(-std::numeric_limits<float>::infinity()), zero = {};
  const F32x4 shift_a = max_a == none ? zero : max_a, shift_b = max_b == none ? zero : max_b;
  F32x4 sum_a = {}, sum_b = {};
  for (float* at = scores; at != end; at += kQueries) {
    const F32x4 a = simd::Exp2Negative(Load(at) - shift_a);
    const F32x4 b = simd::Exp2Negative(Load(at + 4) - shift_b);
    Store(at, a);
    Store(at + 4, b);
    sum_a += a;
    sum_b += b;
  }
  const F32x4 factor_a = simd::Exp2Negative(old_a - shift_a),
              factor_b = simd::Exp2Negative(old_b - shift_b);
  Store(sum, MulAdd(Load(sum), factor_a, sum_a));
  Store(sum + 4, MulAdd(Load(sum + 4), factor_b, sum_b));
  Store(factors.old, factor_a);
  Store(factors.old + 4, factor_b);
}

CLIPGLOT_NOINLINE void Float32::ValueTile(const Scratch& s, size_t channel, const float* weights,
                                          size_t keys, const Factors& factors, float* o) {
  TileSums<F32x4> sums = {};
  MultiplyTile<Products>(s.values.data() + channel * keys, weights, keys, sums);
  const F32x4 fa = Load(factors.old), fb = Load(factors.old + 4);
  AddScaled(o, fa, sums.r0a);
  AddScaled(o + 4, fb, sums.r0b);
  AddScaled(o + 8, fa, sums.r1a);
  AddScaled(o + 12, fb, sums.r1b);
  AddScaled(o + 16, fa, sums.r2a);
  AddScaled(o + 20, fb, sums.r2b);
  AddScaled(o + 24, fa, sums.r3a);
  AddScaled(o + 28, fb, sums.r3b);
}

}  // namespace clipglot
