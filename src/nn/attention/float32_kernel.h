// The inner loops of attention: a few groups of eight queries of one head against a block of keys.
// Private to nn.
//
// Eight queries lie side by side in the lanes, so that maxima, sums and corrections of the softmax
// need no step across lanes: scores are [key][8 queries], sums of values [channel][8 queries].
// Groups come in fours, so that a tile of keys or values comes once from the L2 cache for all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/math.h"

namespace clipglot {

inline constexpr size_t kQueries = 8;    // queries of a group
inline constexpr size_t kMaxGroups = 4;  // groups that go through a block together
inline constexpr size_t kTile = 4;       // keys, or channels of values, side by side in packed form
inline constexpr size_t kMaxBlock = 128;  // keys packed at a time
inline constexpr size_t kMaxChunk = 672;  // queries that share the packing: an image takes two
// With heads of 64 channels a block's keys and values take 64 KiB, the scores and queries of four
// groups 24 KiB. Larger heads get fewer rows.
inline constexpr size_t kBlockFloats = kMaxBlock * 64;
inline constexpr size_t kChunkFloats = kMaxChunk * 64;

constexpr size_t BlockKeys(size_t padded_dim) {
  const size_t keys = RoundDown(kBlockFloats / padded_dim, kTile);
  return keys < kMaxBlock ? keys : kMaxBlock;
}
constexpr size_t ChunkRows(size_t padded_dim) {
  const size_t rows = RoundDown(kChunkFloats / padded_dim, kQueries);
  return rows < kMaxChunk ? rows : kMaxChunk;
}

// Scratch of one thread: queries, outputs, keys, values, scores, running maxima and sums, mask.
inline constexpr size_t kAttentionScratchFloats = 2 * kChunkFloats + 2 * kBlockFloats +
                                                  kMaxGroups * kMaxBlock * kQueries +
                                                  2 * kMaxChunk + kMaxBlock;

// One block of keys, and the groups that it meets. All sums run over channels, then keys, in their
// order, whatever the groups.
struct AttentionBlock {
  const float* keys;    // [keys / 4][dim][4 keys]
  const float* values;  // [padded_dim / 4][keys][4 channels]
  const float* bias;    // [keys]: 0, or -infinity for a key that does not count
  size_t count;         // keys, a multiple of 4
  size_t dim, padded_dim;
  size_t groups;   // 1 ... kMaxGroups
  const float* q;  // [groups][dim][8], times log2(e) / sqrt(dim)
  float* o;        // [groups][padded_dim][8]: running sums of values
  float* scores;   // [groups][keys][8], scratch
  float* max;      // [groups][8]: running maximum of the scores
  float* sum;      // [groups][8]: running sums of the weights 2^(score - max)
};

// Takes the block's keys into o, max and sum.
void AttendBlock(const AttentionBlock& block);

}  // namespace clipglot
