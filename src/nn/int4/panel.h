// How 4-bit weights (base/q4.h) lie in memory for the kernels that read them. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/q4.h"
#include "base/tensor.h"
#include "nn/int4/quantize.h"

namespace clipglot {

// A panel is eight outputs. Packed, each of its blocks takes kInt4PackedBytes: for both groups of
// four outputs four vectors of 16 bytes, each 4 outputs by 8 columns; then 8 scales in bfloat16.
// Byte k (0 ... 3) of an output holds column k in its low half and column k + 4 in its high half.
inline constexpr size_t kInt4PanelOutputs = 8, kInt4Groups = 2;
inline constexpr size_t kInt4Vectors = 4, kInt4VectorColumns = 8;
inline constexpr size_t kInt4ValueBytes = kInt4Groups * kInt4Vectors * 16;
inline constexpr size_t kInt4PackedBytes = kInt4ValueBytes + kInt4PanelOutputs * sizeof(uint16_t);

// Writes the panel of eight outputs from `first` on, Q4RowBlocks(weight.columns) blocks; outputs
// that are missing are zero.
void PackInt4Panel(const Matrix& weight, size_t first, uint8_t* to);

// Unpacked, once for many rows: for each unit of the activations (quantize.h) and each group a
// vector of four outputs; then 8 scales in float.
constexpr size_t Int4UnpackedBytes(bool bytes) {
  return Int4Units(bytes) * kInt4Groups * 16 + kInt4PanelOutputs * sizeof(float);
}
inline constexpr size_t kInt4ChunkBlocks = 32;  // unpacked at once: they stay in the first cache

}  // namespace clipglot
