// The inner loops of attention: eight queries of one head against a block of keys. Private to nn.
//
// Queries lie side by side in the lanes, so that maxima, sums and corrections of the softmax need
// no step across lanes: scores are [key][8 queries], sums of values [channel][8 queries].
#pragma once

#include <cstddef>
#include <cstdint>

namespace clipglot {

inline constexpr size_t kMaxHeadDim = 256;
inline constexpr size_t kQueries = 8;  // queries done together
inline constexpr size_t kTile = 4;     // keys, or channels of values, side by side in packed form
inline constexpr size_t kMaxBlock = 128;  // keys packed at a time
inline constexpr size_t kMaxChunk = 512;  // queries that share the packing
// With heads of 64 channels a chunk's queries and outputs take 256 KiB, a block's keys and values
// 64 KiB: together they stay in a 512 KiB L2 cache. Larger heads get fewer rows.
inline constexpr size_t kBlockFloats = kMaxBlock * 64;
inline constexpr size_t kChunkFloats = kMaxChunk * 64;

constexpr size_t BlockKeys(size_t padded_dim) {
  const size_t keys = kBlockFloats / padded_dim / kTile * kTile;
  return keys < kMaxBlock ? keys : kMaxBlock;
}
constexpr size_t ChunkRows(size_t padded_dim) {
  const size_t rows = kChunkFloats / padded_dim / kQueries * kQueries;
  return rows < kMaxChunk ? rows : kMaxChunk;
}

// Scratch of one thread: queries, outputs, keys, values, scores, running maxima and sums, mask.
inline constexpr size_t kAttentionScratchFloats =
    2 * kChunkFloats + 2 * kBlockFloats + kMaxBlock * kQueries + 2 * kMaxChunk + kMaxBlock;

// c[i][j] = Σ_k a[k][i] · b[k][j]: a [depth][4], b [depth][8], c [4][8].
void TileProduct(const float* a, const float* b, size_t depth, float* c);

// c[i][j] = c[i][j] · factor[j] + Σ_k a[k][i] · b[k][j].
void TileAccumulate(const float* a, const float* b, size_t depth, const float* factor, float* c);

// scores [keys][8] become e^(score - max); `max` and `sum` [8] run on from block to block. factor
// [8]: by what the sums so far must shrink, e^(old max - new max). `bias`: null, or [keys] of 0 and
// -infinity to add to the scores first.
void SoftmaxStep(float* scores, size_t keys, const float* bias, float* max, float* sum,
                 float* factor);

}  // namespace clipglot
