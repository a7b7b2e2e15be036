// Integer attention (int16 inputs, int32 accumulation). Private to nn.
//
// A row of queries or keys and a channel of a block's values become int16 with one step each. Their
// rounding is far below that of layers with 8-bit weights: 1/5792 of a row's largest magnitude
// (heads of 64) and 1/16368 of a channel's, where those have 1/127. An operand is a pair of two
// channels or of two keys: one instruction multiplies four pairs and adds the two products of each.
// The sums are exact in int32.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "nn/attention/chunk.h"

namespace clipglot {

// The largest magnitude of a query or key for which a sum of `dim` products fits int32.
inline int32_t MaxInt16Operand(size_t dim) {
  return static_cast<int32_t>(std::sqrt(2147483647.0 / static_cast<double>(dim)));
}

// The weights of a block sum to at most kInt16WeightSum (and half a unit more for each key, by
// rounding), and each is at most kInt16MaxWeight. Values get the bits that the weights leave: where
// all keys have the same value each rounding of it counts in full.
inline constexpr int kInt16WeightSum = 1 << 17, kInt16MaxWeight = 65535,
                     kInt16MaxValue = 2147483647 / (kInt16WeightSum + static_cast<int>(kMaxBlock));
static_assert(kInt16MaxValue <= 32767);
// What stands for a weight of 0, so that 16 bits hold them all.
inline constexpr int kInt16WeightZero = -32768;

// An Arithmetic of chunk.h.
struct Int16 {
  using Operand = int32_t;  // a pair of int16, the first in the low half
  static constexpr size_t kNumbers = 2;
  struct Scratch : ChunkScratch<Operand, kNumbers> {
    std::span<float> q_steps;          // [chunk]: what one unit is worth, times ScoreScale
    std::span<float> key_steps;        // [keys]
    std::span<float> value_steps;      // [padded_dim]
    std::span<int32_t> value_offsets;  // [padded_dim]: -kInt16WeightZero · sum of the values

    explicit Scratch(ScratchCursor& from)
        : ChunkScratch(from),
          q_steps(from.Take<float>(kMaxChunk)),
          key_steps(from.Take<float>(kMaxBlock)),
          value_steps(from.Take<float>(kMaxHeadDim)),
          value_offsets(from.Take<int32_t>(kMaxHeadDim)) {}
    static constexpr size_t kBytes = ChunkScratch::kBytes +
                                     (kMaxChunk + kMaxBlock + kMaxHeadDim) * sizeof(float) +
                                     kMaxHeadDim * sizeof(int32_t);
  };
  struct Factors {
    float old[kQueries];    // by what the sums so far must shrink
    float block[kQueries];  // what a unit of the block's sums is worth
  };

  // Packs `count` queries from row `first` of head `head` into s.q and s.q_steps, and zeros up to a
  // multiple of kQueries.
  static void PackQueries(const AttentionProblem& p, size_t head, size_t first, size_t count,
                          const Scratch& s);

  // Packs `count` keys (at most BlockKeys) and values from row `first`. Keys that are left out, and
  // those that fill up to padded_count, are zero in both and -infinity in s.bias. Returns how many
  // keys count; if none does, s is not to be used.
  static size_t PackBlock(const AttentionProblem& p, size_t head, size_t first, size_t count,
                          size_t padded_count, const Scratch& s);

  // scores [4][8] of keys key ... key + 3 and queries row ... row + 7.
  static void ScoreTile(const Scratch& s, size_t dim, size_t row, size_t key, float* scores);

  // The scores of a group [keys][8] become weights, pairs of int16 [keys / 2][8] in their place;
  // raises `max` [8] and updates `sum` [8]. A weight is relative to the block's own maximum, so
  // that a far larger score in another block takes no digits from it.
  static void SoftmaxStep(float* scores, size_t keys, float* max, float* sum, Factors& factors);

  // o [4][8]: scales it and adds the values of channels channel ... channel + 3, weighted.
  static void ValueTile(const Scratch& s, size_t channel, const float* weights, size_t keys,
                        const Factors& factors, float* o);
};

}  // namespace clipglot
