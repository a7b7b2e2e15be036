#include <cmath>
#include <limits>

#include "base/math.h"
#include "nn/attention/chunk.h"
#include "nn/attention/float32_kernel.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;

// One thread's part of Workspace::Impl::attention.
struct Scratch {
  float* q;       // [chunk / 8][dim][8 queries]
  float* o;       // [chunk / 8][padded_dim][8 queries]
  float* keys;    // [keys / 4][dim][4 keys]
  float* values;  // [padded_dim / 4][keys][4 channels]
  float* scores;  // [groups][keys][8 queries]
  float *max, *sum, *bias;

  explicit Scratch(float* at)
      : q(at),
        o(q + kChunkFloats),
        keys(o + kChunkFloats),
        values(keys + kBlockFloats),
        scores(values + kBlockFloats),
        max(scores + kMaxGroups * kMaxBlock * kQueries),
        sum(max + kMaxChunk),
        bias(sum + kMaxChunk) {}
};

// Four rows `from` [4][dim], `from_step` apart, to columns `to` [dim][4], `to_step` apart.
CLIPGLOT_NOINLINE void TransposeRows(const float* from, size_t from_step, size_t dim, float* to,
                                     size_t to_step) {
  size_t c = 0;
  for (; c + kTile <= dim; c += kTile) {
    F32x4 v[kTile];
    for (size_t i = 0; i < kTile; ++i) v[i] = simd::Load(from + i * from_step + c);
    simd::Transpose4x4(v);
    for (size_t i = 0; i < kTile; ++i) simd::Store(to + (c + i) * to_step, v[i]);
  }
  for (; c < dim; ++c) {
    for (size_t r = 0; r < kTile; ++r) to[c * to_step + r] = from[r * from_step + c];
  }
}

// Packs `count` queries from row `first` of head `head`, scaled by log2(e) / sqrt(dim), since the
// weights are powers of 2, and filled up with zeros to a multiple of kQueries. Clears the sums.
void StartChunk(const AttentionProblem& p, size_t head, size_t first, size_t count,
                const Scratch& s) {
  constexpr double kLog2E = 1.4426950408889634;
  const float scale = static_cast<float>(kLog2E / std::sqrt(static_cast<double>(p.dim)));
  const size_t padded = RoundUp(count, kQueries);
  for (size_t r = 0; r < padded; r += 4) {
    float* to = s.q + RoundDown(r, kQueries) * p.dim + r % kQueries;
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
  for (size_t r = 0; r < padded; ++r) {
    s.max[r] = -std::numeric_limits<float>::infinity();
    s.sum[r] = 0;
  }
  for (size_t i = 0; i < padded * p.padded_dim; ++i) s.o[i] = 0;
}

void PackValue(const AttentionProblem& p, const float* value, size_t padded_count, float* to) {
  size_t c = 0;
  for (; c + kTile <= p.dim; c += kTile, to += kTile * padded_count) {
    simd::Store(to, simd::Load(value + c));
  }
  if (c < p.dim) simd::Store(to, simd::LoadN(value + c, p.dim - c));
}

void PackNoKey(const AttentionProblem& p, size_t padded_count, float* to_key, float* to_value) {
  for (size_t c = 0; c < p.dim; ++c) to_key[c * kTile] = 0;
  for (size_t c = 0; c < p.padded_dim; c += kTile) {
    for (size_t i = 0; i < kTile; ++i) to_value[c * padded_count + i] = 0;
  }
}

// Packs `count` keys (<= BlockKeys) and values from row `first`. Keys that are left out, and the
// filling up to padded_count, are zero in both and -infinity in `bias`. Gives how many keys count.
size_t PackBlock(const AttentionProblem& p, size_t head, size_t first, size_t count,
                 size_t padded_count, const Scratch& s) {
  const size_t width = p.heads * p.dim;
  size_t used = 0;
  for (size_t tile = 0; tile < padded_count; tile += kTile) {
    float* to_keys = s.keys + tile * p.dim;
    const float* keys = p.key(first + tile, head);
    size_t counted = 0;
    for (size_t j = tile; j < tile + kTile; ++j) {
      const bool counts = j < count && (p.Counts(first + j));
      s.bias[j] = counts ? 0.0f : -std::numeric_limits<float>::infinity();
      counted += counts;
    }
    used += counted;
    if (counted == kTile) TransposeRows(keys, p.stride(), p.dim, to_keys, kTile);
    for (size_t i = 0; i < kTile; ++i, keys += p.stride()) {
      float* to_value = s.values + (tile + i) * kTile;
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

}  // namespace

void AttendChunkFloat(const AttentionProblem& p, size_t head, size_t first, size_t count,
                      float* scratch) {
  const Scratch s(scratch);
  StartChunk(p, head, first, count, s);
  MeetBlocks(
      p, count,
      [&](size_t key, size_t keys, size_t padded) {
        return PackBlock(p, head, key, keys, padded, s);
      },
      [&](size_t row, size_t groups, size_t keys) {
        AttendBlock(AttentionBlock{.keys = s.keys,
                                   .values = s.values,
                                   .bias = s.bias,
                                   .count = keys,
                                   .dim = p.dim,
                                   .padded_dim = p.padded_dim,
                                   .groups = groups,
                                   .q = s.q + row * p.dim,
                                   .o = s.o + row * p.padded_dim,
                                   .scores = s.scores,
                                   .max = s.max + row,
                                   .sum = s.sum + row});
      });
  FinishChunk(p, head, first, count, s.o, s.sum);
}

}  // namespace clipglot
