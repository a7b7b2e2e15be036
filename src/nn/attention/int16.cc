#include "nn/attention/int16.h"

#include <bit>
#include <cstring>
#include <limits>

#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;

// Rows that do not count are read from here.
alignas(16) constexpr float kZeros[kMaxHeadDim] = {};

// x · inverse to the nearest integer, which stands in the low half of these bits if below 2^15.
inline I32x4 Round(F32x4 x, F32x4 inverse) {
  return std::bit_cast<I32x4>(x * inverse + simd::Splat(simd::kRoundingMagic));
}

// A row to pairs of int16 of magnitude `limit` at most; returns its step, NaN for a row that is not
// finite.
float QuantizeToPairs(const float* x, size_t dim, float limit, int32_t* pairs) {
  F32x4 largest = {}, poison = {};  // poison: zero, or NaN
  const F32x4 zero = {};
  const size_t whole = RoundDown(dim, simd::kLanes);
  const F32x4 last = simd::LoadN(x + whole, dim - whole);
  const auto include = [&](F32x4 v) {
    largest = simd::Max(largest, simd::Abs(v));
    poison += v * zero;
  };
  for (size_t c = 0; c < whole; c += simd::kLanes) include(simd::Load(x + c));
  include(last);
  const float top = simd::ReduceMax(largest);
  const F32x4 inverse = simd::Splat(top < simd::kMinQuantizedRange ? 0.0f : limit / top);
  const I32x4 bias = simd::SplatI32(std::bit_cast<int32_t>(simd::kRoundingMagic));
  size_t c = 0;
  for (; c + simd::kLanes16 <= dim; c += simd::kLanes16) {
    const I16x8 q = simd::DemoteToI16(Round(simd::Load(x + c), inverse) - bias,
                                      Round(simd::Load(x + c + 4), inverse) - bias);
    std::memcpy(pairs + c / 2, &q, sizeof(q));
  }
  if (c < dim) {
    const bool both = whole > c;
    const I32x4 first = Round(both ? simd::Load(x + c) : last, inverse) - bias,
                second = Round(both ? last : zero, inverse) - bias;
    const auto q = (I32x4)simd::DemoteToI16(first, second);
    for (size_t i = 0; c + 2 * i < dim; ++i) pairs[c / 2 + i] = q[i];
  }
  return (top < simd::kMinQuantizedRange ? 0.0f : top / limit) + simd::ReduceSum(poison);
}

// Four rows (dim channels each), quantised, to columns of pairs `to` [dim / 2][4], `to_step` apart.
CLIPGLOT_NOINLINE void PackRows(const float* const (&rows)[kTile], size_t dim, int32_t* to,
                                size_t to_step, float* steps) {
  int32_t pairs[kTile][kMaxHeadDim / 2];
  const auto limit = static_cast<float>(MaxInt16Operand(dim));
  for (size_t i = 0; i < kTile; ++i) steps[i] = QuantizeToPairs(rows[i], dim, limit, pairs[i]);
  const size_t count = dim / 2;
  size_t c = 0;
  for (; c + kTile <= count; c += kTile, to += kTile * to_step) {
    I32x4 v[kTile];
    for (size_t i = 0; i < kTile; ++i) std::memcpy(&v[i], pairs[i] + c, sizeof(v[i]));
    simd::Transpose4x4(v);
    for (size_t i = 0; i < kTile; ++i) std::memcpy(to + i * to_step, &v[i], sizeof(v[i]));
  }
  for (; c < count; ++c, to += to_step) {
    for (size_t i = 0; i < kTile; ++i) to[i] = pairs[i][c];
  }
}

// Packs four channels of the values from channel `first` on: `rows` [count], count being even, of
// which `load` reads four channels.
template <typename LoadFour>
void PackChannels(const float* const* rows, size_t count, size_t first, const LoadFour& load,
                  const Int16::Scratch& s) {
  int32_t* to = s.values.data() + first * (count / 2);
  const F32x4 zero = {}, limit = simd::Splat(kInt16MaxValue);
  F32x4 largest = {}, poison = {};
  for (size_t j = 0; j < count; ++j) {
    const F32x4 v = load(rows[j] + first);
    largest = simd::Max(largest, simd::Abs(v));
    poison += v * zero;
  }
  const auto nothing = largest < simd::Splat(simd::kMinQuantizedRange);
  const F32x4 inverse = nothing ? zero : limit / largest;
  const I16x8 ones = simd::SplatI16(1);
  I32x4 sums = {};
  for (size_t j = 0; j < count; j += 2, to += kTile) {
    const I32x4 low = Round(load(rows[j] + first), inverse),
                high = Round(load(rows[j + 1] + first), inverse);
    const I32x4 pairs = (low & simd::SplatI32(0xFFFF)) | (high << 16);
    std::memcpy(to, &pairs, sizeof(pairs));
    sums += simd::WidenMulPairwiseAdd((I16x8)pairs, ones);
  }
  simd::Store(s.value_steps.data() + first, (nothing ? zero : largest / limit) + poison);
  static_assert(kInt16WeightZero == -(1 << 15));
  const simd::U32x4 offsets = (simd::U32x4)sums << 15;  // modulo 2^32, as all sums with it
  std::memcpy(s.value_offsets.data() + first, &offsets, sizeof(offsets));
}

// Packs the values `rows` [count], count being even; fills in steps and offsets.
CLIPGLOT_NOINLINE void PackValues(const float* const* rows, size_t count, const AttentionProblem& p,
                                  const Int16::Scratch& s) {
  size_t c = 0;
  for (; c + kTile <= p.dim; c += kTile) PackChannels(rows, count, c, simd::Load, s);
  if (c < p.dim) {
    const auto load = [&](const float* from) { return simd::LoadN(from, p.dim - c); };
    PackChannels(rows, count, c, load, s);
  }
}

}  // namespace

void Int16::PackQueries(const AttentionProblem& p, size_t head, size_t first, size_t count,
                        const Scratch& s) {
  const float scale = ScoreScale(p.dim);
  const size_t padded = RoundUp(count, kQueries);
  for (size_t r = 0; r < padded; r += kTile) {
    const float* rows[kTile];
    for (size_t i = 0; i < kTile; ++i)
      rows[i] = r + i < count ? p.query(first + r + i, head) : kZeros;
    PackRows(rows, p.dim, s.q.data() + RoundDown(r, kQueries) * (p.dim / 2) + r % kQueries,
             kQueries, s.q_steps.data() + r);
    for (size_t i = 0; i < kTile; ++i) s.q_steps[r + i] *= scale;
  }
}

size_t Int16::PackBlock(const AttentionProblem& p, size_t head, size_t first, size_t count,
                        size_t padded_count, const Scratch& s) {
  const float* values[kMaxBlock];
  size_t used = 0;
  for (size_t tile = 0; tile < padded_count; tile += kTile) {
    const float* keys[kTile];
    for (size_t i = 0; i < kTile; ++i) {
      const size_t j = tile + i;
      const bool counts = j < count && p.Counts(first + j);
      s.bias[j] = counts ? 0.0f : -std::numeric_limits<float>::infinity();
      keys[i] = counts ? p.key(first + j, head) : kZeros;
      values[j] = counts ? p.value(first + j, head) : kZeros;
      used += counts;
    }
    PackRows(keys, p.dim, s.keys.data() + tile * (p.dim / 2), kTile, s.key_steps.data() + tile);
  }
  if (used > 0) PackValues(values, padded_count, p, s);
  return used;
}

}  // namespace clipglot
