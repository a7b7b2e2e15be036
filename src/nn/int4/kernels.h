// The inner loops of the product with 4-bit weights (linear_q4.h). Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/q4.h"
#include "nn/int4/quantize.h"
#include "nn/int8/isa.h"

namespace clipglot {

// A tile is eight outputs. Packed, each of its blocks takes kQ4PackedBytes: for both groups of four
// outputs four vectors of 16 bytes, each 4 outputs by 8 columns; then 8 scales in bfloat16. Byte k
// (0 ... 3) of an output holds column k in its low half and column k + 4 in its high half.
inline constexpr size_t kQ4TileOutputs = 8, kQ4Groups = 2;
inline constexpr size_t kQ4Vectors = 4, kQ4VectorColumns = 8;
inline constexpr size_t kQ4ValueBytes = kQ4Groups * kQ4Vectors * 16;
inline constexpr size_t kQ4PackedBytes = kQ4ValueBytes + kQ4TileOutputs * sizeof(uint16_t);

// Unpacked, once for many rows: for each unit of the activations (quantize_q4.h) and each group a
// vector of four outputs; then 8 scales in float.
constexpr size_t Q4UnpackedBytes(bool bytes) {
  return Q4Units(bytes) * kQ4Groups * 16 + kQ4TileOutputs * sizeof(float);
}
inline constexpr size_t kQ4ChunkBlocks = 32;  // unpacked at once: they stay in the first cache
void UnpackQ4(const uint8_t* packed, size_t blocks, bool bytes, uint8_t* to);

// totals[r][o] += Σ_block (x's scale · w's scale) · Σ_i x_i w_i, r = 0 ... rows - 1 of a group.
struct Q4Tile {
  const uint8_t* w;        // packed or unpacked
  const void* x;           // as QuantizeQ4Rows lays them, with scales and offsets
  const int32_t* offsets;  // [blocks][rows]
  const float* scales;     // [blocks][rows]
  size_t blocks;
  float* totals;  // [rows][kQ4TileOutputs]
};
void MultiplyQ4(const Q4Tile& tile, size_t rows, bool unpacked, DotWay way);

}  // namespace clipglot
