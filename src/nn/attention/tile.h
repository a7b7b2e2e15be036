// What the kernels of both arithmetics share. Private to nn.
#pragma once

#include <cstddef>

#include "nn/attention/chunk.h"
#include "nn/simd/simd.h"

namespace clipglot {

// The sums of a tile, in eight registers: row i, lanes 0-3 (a) and 4-7 (b).
template <typename Vector>
struct TileSums {
  Vector r0a, r0b, r1a, r1b, r2a, r2b, r3a, r3b;
};

// s[i][j] += Σ_k a[k][i] · b[k][j]: a [depth][4], b [depth][8]. Products has Splat(a's element),
// Load(pointer into b) and MulAdd(x, y, sum). Written so that eight sums, two loads of b and one of
// a fill the machine's sixteen registers; unrolled, the compiler keeps more of `a` at hand than
// fits, and the loop runs at two thirds of the speed.
template <typename Products, typename Operand, typename Vector>
inline void MultiplyTile(const Operand* a, const Operand* b, size_t depth, TileSums<Vector>& s) {
  const Operand* const end = b + depth * kQueries;
  for (; b != end; a += kTile, b += kQueries) {
    const auto ba = Products::Load(b), bb = Products::Load(b + 4);
    const auto x0 = Products::Splat(a[0]);
    s.r0a = Products::MulAdd(x0, ba, s.r0a);
    s.r0b = Products::MulAdd(x0, bb, s.r0b);
    const auto x1 = Products::Splat(a[1]);
    s.r1a = Products::MulAdd(x1, ba, s.r1a);
    s.r1b = Products::MulAdd(x1, bb, s.r1b);
    const auto x2 = Products::Splat(a[2]);
    s.r2a = Products::MulAdd(x2, ba, s.r2a);
    s.r2b = Products::MulAdd(x2, bb, s.r2b);
    const auto x3 = Products::Splat(a[3]);
    s.r3a = Products::MulAdd(x3, ba, s.r3a);
    s.r3b = Products::MulAdd(x3, bb, s.r3b);
  }
}

// Raises the maxima of eight queries (lanes 0-3 in a, 4-7 in b) to those of scores [keys][8], keys
// being a multiple of four.
inline void RaiseToMax(const float* scores, const float* end, simd::F32x4& max_a,
                       simd::F32x4& max_b) {
  using simd::Load;
  using simd::Max;
  for (const float* at = scores; at != end; at += 4 * kQueries) {
    // Four at a time first: the chain from one maximum to the next is what this loop waits for.
    const simd::F32x4 a = Max(Max(Load(at), Load(at + 8)), Max(Load(at + 16), Load(at + 24)));
    const simd::F32x4 b = Max(Max(Load(at + 4), Load(at + 12)), Max(Load(at + 20), Load(at + 28)));
    max_a = Max(max_a, a);
    max_b = Max(max_b, b);
  }
}

}  // namespace clipglot
