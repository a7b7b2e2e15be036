// The inner loops of attention: a few queries of one head against a block of keys. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clipglot {

inline constexpr size_t kMaxHeadDim = 256;
inline constexpr size_t kPanel = 8;        // keys or channels side by side in a packed panel
inline constexpr size_t kTileRows = 4;     // queries done together
inline constexpr size_t kBlockKeys = 64;   // keys packed at a time: K and V of 64 channels fill half of a 64 KiB L1
inline constexpr size_t kMaxChunk = 256;   // queries that share the packing
inline constexpr size_t kChunkFloats = kMaxChunk * 64;

// Queries of one task: as many as kChunkFloats hold, a multiple of kTileRows.
constexpr size_t ChunkRows(size_t padded_dim) {
  const size_t rows = kChunkFloats / padded_dim / kTileRows * kTileRows;
  return rows < kMaxChunk ? rows : kMaxChunk;
}

// Scratch of one thread: queries, outputs, keys, values, scores, running maxima and sums, mask.
inline constexpr size_t kAttentionScratchFloats = 2 * kChunkFloats + 2 * kBlockKeys * kMaxHeadDim +
                                                  kTileRows * kBlockKeys + 2 * kMaxChunk + kBlockKeys;

// c[r, j] (rows apart by ldc) = Σ_k a[r, k] · panel[k, j] for 4 rows (apart by lda) and 8 columns.
void TileProduct(const float* a, size_t lda, const float* panel, size_t depth, float* c, size_t ldc);

// c[r, j] = c[r, j] · scale[r] + Σ_k a[r, k] · panel[k, j].
void TileAccumulate(const float* a, size_t lda, const float* panel, size_t depth, const float* scale, float* c,
                    size_t ldc);

// One row of scores [keys] (a multiple of 8) becomes e^(score - max); `max` and `sum` run on. Gives the factor by which
// what was summed before must shrink: e^(old max - new max).
// `bias`: null, or [keys] of 0 and -infinity to add first.
float SoftmaxStep(float* scores, size_t keys, const float* bias, float& max, float& sum);

}  // namespace clipglot
