// Attention in float32. Private to nn.
#pragma once

#include <cstddef>

#include "nn/attention/chunk.h"

namespace clipglot {

// An Arithmetic of chunk.h.
struct Float32 {
  using Operand = float;
  static constexpr size_t kNumbers = 1;
  using Scratch = ChunkScratch<float, 1>;
  struct Factors {
    float old[kQueries];  // by what the sums so far must shrink
  };

  // Packs `count` queries from row `first` of head `head` into s.q, times ScoreScale, and zeros up
  // to a multiple of kQueries.
  static void PackQueries(const AttentionProblem& p, size_t head, size_t first, size_t count,
                          const Scratch& s);

  // Packs `count` keys (at most BlockKeys) and values from row `first`. Keys that are left out, and
  // those that fill up to padded_count, are zero in both and -infinity in s.bias. Returns how many
  // keys count; if none does, s is not to be used.
  static size_t PackBlock(const AttentionProblem& p, size_t head, size_t first, size_t count,
                          size_t padded_count, const Scratch& s);

  // scores [4][8] of keys key ... key + 3 and queries row ... row + 7.
  static void ScoreTile(const Scratch& s, size_t dim, size_t row, size_t key, float* scores);

  // The scores of a group [keys][8] become weights; raises `max` [8] and updates `sum` [8].
  static void SoftmaxStep(float* scores, size_t keys, float* max, float* sum, Factors& factors);

  // o [4][8]: scales it and adds the values of channels channel ... channel + 3, weighted.
  static void ValueTile(const Scratch& s, size_t channel, const float* weights, size_t keys,
                        const Factors& factors, float* o);
};

}  // namespace clipglot
