// Attention in whole numbers: what surrounds the kernels of attention_int16_kernel.h.
//
// A row of queries or keys and a channel of a block's values become int16 with one step each. Their
// rounding is far below that of layers with 8-bit weights: 1/5792 of a row's largest number (heads
// of 64) and 1/16368 of a channel's, where those have 1/127.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/limits.h"
#include "base/math.h"
#include "nn/attention/chunk.h"
#include "nn/attention/int16_kernel.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;

// One thread's part of Workspace::Impl::attention.
struct Scratch {
  int32_t* q;       // as AttentionBlockInt16 has them
  float* o;         // [chunk / 8][padded_dim][8 queries]
  int32_t* keys;    // as there
  int32_t* values;  // as there
  float* scores;
  float *q_steps, *key_steps, *value_steps, *max, *sum, *bias;
  int32_t* value_starts;

  explicit Scratch(float* at)
      : q(reinterpret_cast<int32_t*>(at)),
        o(at + kChunkFloats / 2),
        keys(reinterpret_cast<int32_t*>(o + kChunkFloats)),
        values(keys + kBlockFloats / 2),
        scores(reinterpret_cast<float*>(values + kBlockFloats / 2)),
        q_steps(scores + kMaxGroups * kMaxBlock * kQueries),
        key_steps(q_steps + kMaxChunk),
        value_steps(key_steps + kMaxBlock),
        max(value_steps + kMaxHeadDim),
        sum(max + kMaxChunk),
        bias(sum + kMaxChunk),
        value_starts(reinterpret_cast<int32_t*>(bias + kMaxBlock)) {}
};
static_assert(kChunkFloats / 2 + kChunkFloats + kBlockFloats + kMaxGroups * kMaxBlock * kQueries +
                  3 * kMaxChunk + 2 * kMaxBlock + 2 * kMaxHeadDim <=
              kAttentionScratchFloats);

// What rows that do not count are read from.
alignas(16) constexpr float kZeros[kMaxHeadDim] = {};

// x · inverse to the nearest integer; below 2^15 it stands in the low half of these bits.
inline I32x4 Round(F32x4 x, F32x4 inverse) {
  return std::bit_cast<I32x4>(x * inverse + simd::Splat(simd::kRoundingMagic));
}

// A row to int16 of up to +-most; gives its step, NaN for a row that is not finite.
float QuantizeRow(const float* x, size_t dim, float most, int32_t* pairs) {
  F32x4 largest = {}, poison = {};  // poison: zero, or NaN
  const F32x4 zero = {};
  const size_t whole = RoundDown(dim, simd::kLanes);
  const F32x4 last = simd::LoadN(x + whole, dim - whole);
  const auto look = [&](F32x4 v) {
    largest = simd::Max(largest, simd::Abs(v));
    poison += v * zero;
  };
  for (size_t c = 0; c < whole; c += simd::kLanes) look(simd::Load(x + c));
  look(last);
  const float top = simd::ReduceMax(largest);
  const F32x4 inverse = simd::Splat(top < simd::kMinQuantizedRange ? 0.0f : most / top);
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
  return (top < simd::kMinQuantizedRange ? 0.0f : top / most) + simd::ReduceSum(poison);
}

// Four rows (dim channels each), quantised, to columns of pairs `to` [dim / 2][4], `to_step` apart.
CLIPGLOT_NOINLINE void PackRows(const float* const (&rows)[kTile], size_t dim, int32_t* to,
                                size_t to_step, float* steps) {
  int32_t pairs[kTile][kMaxHeadDim / 2];
  const auto most = static_cast<float>(Int16Most(dim));
  for (size_t i = 0; i < kTile; ++i) steps[i] = QuantizeRow(rows[i], dim, most, pairs[i]);
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

// Packs `count` queries from row `first` of head `head`, filled up with zeros to a multiple of
// kQueries, their steps times log2(e) / sqrt(dim), since the weights are powers of 2. Clears the
// sums.
void StartChunk(const AttentionProblem& p, size_t head, size_t first, size_t count,
                const Scratch& s) {
  constexpr double kLog2E = 1.4426950408889634;
  const float scale = static_cast<float>(kLog2E / std::sqrt(static_cast<double>(p.dim)));
  const size_t padded = RoundUp(count, kQueries);
  for (size_t r = 0; r < padded; r += kTile) {
    const float* rows[kTile];
    for (size_t i = 0; i < kTile; ++i)
      rows[i] = r + i < count ? p.query(first + r + i, head) : kZeros;
    PackRows(rows, p.dim, s.q + RoundDown(r, kQueries) * (p.dim / 2) + r % kQueries, kQueries,
             s.q_steps + r);
    for (size_t i = 0; i < kTile; ++i) s.q_steps[r + i] *= scale;
  }
  for (size_t r = 0; r < padded; ++r) {
    s.max[r] = -std::numeric_limits<float>::infinity();
    s.sum[r] = 0;
  }
  for (size_t i = 0; i < padded * p.padded_dim; ++i) s.o[i] = 0;
}

// Packs four channels of the values from channel `first` on: `rows` [count], count being even, of
// which `load` reads four numbers.
template <typename LoadFour>
void PackChannels(const float* const* rows, size_t count, size_t first, const LoadFour& load,
                  const Scratch& s) {
  int32_t* to = s.values + first * (count / 2);
  const F32x4 zero = {}, most = simd::Splat(kInt16ValueMost);
  F32x4 largest = {}, poison = {};
  for (size_t j = 0; j < count; ++j) {
    const F32x4 v = load(rows[j] + first);
    largest = simd::Max(largest, simd::Abs(v));
    poison += v * zero;
  }
  const auto nothing = largest < simd::Splat(simd::kMinQuantizedRange);
  const F32x4 inverse = nothing ? zero : most / largest;
  const I16x8 ones = simd::SplatI16(1);
  I32x4 sums = {};
  for (size_t j = 0; j < count; j += 2, to += kTile) {
    const I32x4 low = Round(load(rows[j] + first), inverse),
                high = Round(load(rows[j + 1] + first), inverse);
    const I32x4 pairs = (low & simd::SplatI32(0xFFFF)) | (high << 16);
    std::memcpy(to, &pairs, sizeof(pairs));
    sums += simd::WidenMulPairwiseAdd((I16x8)pairs, ones);
  }
  simd::Store(s.value_steps + first, (nothing ? zero : largest / most) + poison);
  static_assert(kInt16WeightZero == -(1 << 15));
  const simd::U32x4 starts = (simd::U32x4)sums << 15;  // modulo 2^32, as all sums with it
  std::memcpy(s.value_starts + first, &starts, sizeof(starts));
}

// Packs the values `rows` [count], count being even; fills in steps and starts.
CLIPGLOT_NOINLINE void PackValues(const float* const* rows, size_t count, const AttentionProblem& p,
                                  const Scratch& s) {
  size_t c = 0;
  for (; c + kTile <= p.dim; c += kTile) PackChannels(rows, count, c, simd::Load, s);
  if (c < p.dim) {
    const auto load = [&](const float* from) { return simd::LoadN(from, p.dim - c); };
    PackChannels(rows, count, c, load, s);
  }
}

// Packs `count` keys (<= BlockKeys) and values from row `first`. Keys that are left out, and the
// filling up to padded_count, are zero in both and -infinity in `bias`. Gives how many keys count.
size_t PackBlock(const AttentionProblem& p, size_t head, size_t first, size_t count,
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
    PackRows(keys, p.dim, s.keys + tile * (p.dim / 2), kTile, s.key_steps + tile);
  }
  if (used > 0) PackValues(values, padded_count, p, s);
  return used;
}

}  // namespace

void AttendChunkInt16(const AttentionProblem& p, size_t head, size_t first, size_t count,
                      float* scratch) {
  const Scratch s(scratch);
  StartChunk(p, head, first, count, s);
  MeetBlocks(
      p, count,
      [&](size_t key, size_t keys, size_t padded) {
        return PackBlock(p, head, key, keys, padded, s);
      },
      [&](size_t row, size_t groups, size_t keys) {
        AttendBlock(AttentionBlockInt16{.keys = s.keys,
                                        .values = s.values,
                                        .value_starts = s.value_starts,
                                        .key_steps = s.key_steps,
                                        .value_steps = s.value_steps,
                                        .bias = s.bias,
                                        .count = keys,
                                        .dim = p.dim,
                                        .padded_dim = p.padded_dim,
                                        .groups = groups,
                                        .q = s.q + row * (p.dim / 2),
                                        .q_steps = s.q_steps + row,
                                        .o = s.o + row * p.padded_dim,
                                        .scores = s.scores,
                                        .max = s.max + row,
                                        .sum = s.sum + row});
      });
  FinishChunk(p, head, first, count, s.o, s.sum);
}

}  // namespace clipglot
