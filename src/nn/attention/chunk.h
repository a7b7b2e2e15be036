// One task of attention, in floats and in whole numbers. Private to nn.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/math.h"
#include "nn/attention/float32_kernel.h"

namespace clipglot {

// One sequence: what every task reads.
struct AttentionProblem {
  const float* qkv;
  size_t rows, heads, dim;
  size_t padded_dim;        // rounded up to kTile
  const uint8_t* key_mask;  // null: every key counts
  float* out;

  size_t stride() const { return 3 * heads * dim; }
  // Of row `row` and head `head`.
  const float* query(size_t row, size_t head) const { return qkv + row * stride() + head * dim; }
  const float* key(size_t row, size_t head) const { return query(row, heads + head); }
  const float* value(size_t row, size_t head) const { return query(row, 2 * heads + head); }
  bool Counts(size_t row) const { return key_mask == nullptr || key_mask[row] != 0; }
};

// `count` queries (at most ChunkRows) of one head, from row `first` on, against all keys.
// `scratch`: kAttentionScratchFloats.
void AttendChunkFloat(const AttentionProblem& problem, size_t head, size_t first, size_t count,
                      float* scratch);
void AttendChunkInt16(const AttentionProblem& problem, size_t head, size_t first, size_t count,
                      float* scratch);

// The order in which `count` queries meet all keys. pack(first key, keys, keys with filling up)
// gives how many of a block's keys count; attend(first row, groups, keys with filling up) takes the
// block into a few groups of queries.
template <typename Pack, typename Attend>
void MeetBlocks(const AttentionProblem& p, size_t count, const Pack& pack, const Attend& attend) {
  const size_t block = BlockKeys(p.padded_dim);
  for (size_t key = 0; key < p.rows; key += block) {
    const size_t keys = std::min(p.rows - key, block), padded = RoundUp(keys, kTile);
    if (pack(key, keys, padded) == 0) continue;
    for (size_t row = 0; row < count; row += kMaxGroups * kQueries)
      attend(row, std::min(CeilDiv(count - row, kQueries), kMaxGroups), padded);
  }
}

// Divides `o` [count / 8][padded_dim][8 queries] by the sums of weights, back to rows.
void FinishChunk(const AttentionProblem& problem, size_t head, size_t first, size_t count,
                 const float* o, const float* sum);

}  // namespace clipglot
