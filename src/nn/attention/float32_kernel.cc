#include "nn/attention/float32_kernel.h"

#include <limits>

#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::Load;
using simd::MulAdd;
using simd::Splat;
using simd::Store;

// The sums of a tile, in eight registers: row i, lanes 0-3 (a) and 4-7 (b).
struct Sums {
  F32x4 r0a, r0b, r1a, r1b, r2a, r2b, r3a, r3b;
};

// s[i][j] += Σ_k a[k][i] · b[k][j]: a [depth][4], b [depth][8]. Written so that eight sums, two
// loads of b and one of a fill the machine's sixteen registers; unrolled, the compiler keeps more
// of `a` at hand than fits, and the loop runs at two thirds of the speed.
inline void Multiply(const float* a, const float* b, size_t depth, Sums& s) {
  const float* const end = b + depth * kQueries;
  for (; b != end; a += kTile, b += kQueries) {
    const F32x4 ba = Load(b), bb = Load(b + 4);
    const F32x4 x0 = Splat(a[0]);
    s.r0a = MulAdd(x0, ba, s.r0a);
    s.r0b = MulAdd(x0, bb, s.r0b);
    const F32x4 x1 = Splat(a[1]);
    s.r1a = MulAdd(x1, ba, s.r1a);
    s.r1b = MulAdd(x1, bb, s.r1b);
    const F32x4 x2 = Splat(a[2]);
    s.r2a = MulAdd(x2, ba, s.r2a);
    s.r2b = MulAdd(x2, bb, s.r2b);
    const F32x4 x3 = Splat(a[3]);
    s.r3a = MulAdd(x3, ba, s.r3a);
    s.r3b = MulAdd(x3, bb, s.r3b);
  }
}

// The two functions around Multiply stay apart from the loops that call them: an engine has no
// register left to give in them, and what a caller holds would be written out and read back within.

// Scores of eight queries and four keys: keys [dim][4], q [dim][8], bias [4], scores [4][8].
CLIPGLOT_NOINLINE void ScoreTile(const float* keys, const float* q, size_t dim, const float* bias,
                                 float* scores) {
  Sums s;
  s.r0a = s.r0b = Splat(bias[0]);
  s.r1a = s.r1b = Splat(bias[1]);
  s.r2a = s.r2b = Splat(bias[2]);
  s.r3a = s.r3b = Splat(bias[3]);
  Multiply(keys, q, dim, s);
  Store(scores, s.r0a);
  Store(scores + 4, s.r0b);
  Store(scores + 8, s.r1a);
  Store(scores + 12, s.r1b);
  Store(scores + 16, s.r2a);
  Store(scores + 20, s.r2b);
  Store(scores + 24, s.r3a);
  Store(scores + 28, s.r3b);
}

// The scores of a group become weights; `factor` [8]: by what the sums so far must shrink.
CLIPGLOT_NOINLINE void SoftmaxStep(float* scores, size_t keys, float* max, float* sum,
                                   float* factor) {
  float* const end = scores + keys * kQueries;
  const F32x4 old_a = Load(max), old_b = Load(max + 4);
  F32x4 max_a = old_a, max_b = old_b;
  for (const float* at = scores; at != end; at += 4 * kQueries) {
    // Four at a time first: the chain from one maximum to the next is what this loop waits for.
    const F32x4 a =
        simd::Max(simd::Max(Load(at), Load(at + 8)), simd::Max(Load(at + 16), Load(at + 24)));
    const F32x4 b =
        simd::Max(simd::Max(Load(at + 4), Load(at + 12)), simd::Max(Load(at + 20), Load(at + 28)));
    max_a = simd::Max(max_a, a);
    max_b = simd::Max(max_b, b);
  }
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
  Store(factor, factor_a);
  Store(factor + 4, factor_b);
}

inline void AddScaled(float* c, F32x4 factor, F32x4 sum) { Store(c, MulAdd(Load(c), factor, sum)); }

// Four channels of the values for eight queries: values [keys][4], weights [keys][8], factor [8],
// o [4][8].
CLIPGLOT_NOINLINE void ValueTile(const float* values, const float* weights, size_t keys,
                                 const float* factor, float* o) {
  Sums s = {};
  Multiply(values, weights, keys, s);
  const F32x4 fa = Load(factor), fb = Load(factor + 4);
  AddScaled(o, fa, s.r0a);
  AddScaled(o + 4, fb, s.r0b);
  AddScaled(o + 8, fa, s.r1a);
  AddScaled(o + 12, fb, s.r1b);
  AddScaled(o + 16, fa, s.r2a);
  AddScaled(o + 20, fb, s.r2b);
  AddScaled(o + 24, fa, s.r3a);
  AddScaled(o + 28, fb, s.r3b);
}

}  // namespace

void AttendBlock(const AttentionBlock& p) {
  for (size_t key = 0; key < p.count; key += kTile) {
    for (size_t g = 0; g < p.groups; ++g) {
      ScoreTile(p.keys + key * p.dim, p.q + g * p.dim * kQueries, p.dim, p.bias + key,
                p.scores + (g * p.count + key) * kQueries);
    }
  }
  float factors[kMaxGroups * kQueries];
  for (size_t g = 0; g < p.groups; ++g) {
    SoftmaxStep(p.scores + g * p.count * kQueries, p.count, p.max + g * kQueries,
                p.sum + g * kQueries, factors + g * kQueries);
  }
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    for (size_t g = 0; g < p.groups; ++g) {
      ValueTile(p.values + c * p.count, p.scores + g * p.count * kQueries, p.count,
                factors + g * kQueries, p.o + (g * p.padded_dim + c) * kQueries);
    }
  }
}

}  // namespace clipglot
