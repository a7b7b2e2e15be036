// 4-bit weights: how they lie in memory and in a pack, for those who write, read and multiply them.
//
// A row is cut into blocks of 32 columns, the last one may be shorter. A weight is scale[block] ·
// value with value in -8 ... 7, stored as value + 8, the even column in the low half of a byte.
// Scales are bfloat16: the upper half of a float32, so they have its range and are read by a shift.
// A scale may be negative: then a block's largest weight takes the -8, which has no counterpart.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/math.h"

namespace clipglot {

inline constexpr size_t kQ4Block = 32;

// Of one row: bytes of its values (an odd last column leaves half a byte, which is 8) and number of
// its scales.
constexpr size_t Q4RowBytes(size_t columns) { return CeilDiv(columns, 2); }
constexpr size_t Q4RowBlocks(size_t columns) { return CeilDiv(columns, kQ4Block); }

constexpr float Q4Scale(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// The value of one column, -8 ... 7. `row`: Q4RowBytes.
constexpr int Q4Value(std::span<const uint8_t> row, size_t column) {
  return static_cast<int>(row[column / 2] >> (column % 2 * 4) & 15) - 8;
}

// out[c] = weight of column c. `values` Q4RowBytes(out.size()), `scales` Q4RowBlocks(out.size()).
inline void DequantizeQ4Row(std::span<const uint8_t> values, std::span<const uint16_t> scales,
                            std::span<float> out) {
  for (size_t c = 0; c < out.size(); ++c) {
    out[c] = Q4Scale(scales[c / kQ4Block]) * static_cast<float>(Q4Value(values, c));
  }
}

}  // namespace clipglot
