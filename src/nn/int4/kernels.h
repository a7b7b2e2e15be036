// The inner loops of the product with 4-bit weights, and the one table of what differs between its
// paths. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/int4/panel.h"
#include "nn/int4/quantize.h"
#include "nn/int8/isa.h"

namespace clipglot {

// totals[r][o] += Σ_block (x's scale · w's scale) · Σ_i x_i w_i, for a few rows and a panel.
struct Int4Tile {
  const uint8_t* w;        // packed or unpacked
  const void* x;           // as Int4Path::quantize lays them, with scales and offsets
  const int32_t* offsets;  // [blocks][rows]
  const float* scales;     // [blocks][rows]
  size_t blocks;
  float* totals;  // [rows][kInt4PanelOutputs]
};
// `units`, `vectors`: of a block, Int4Units and kInt4Vectors; variables, lest loops are unrolled,
// which would take more registers than there are.
using Int4Kernel = void (*)(const Int4Tile& tile, size_t units, size_t vectors);

// One row of the table.
struct Int4Path {
  // Units of activations are int8 of four columns; else int16 of two.
  bool bytes;
  // Rows from which weights are unpacked once instead of in the inner loop.
  size_t unpack_min_rows;
  // As QuantizeInt4Rows.
  void (*quantize)(const float* x, size_t rows, size_t columns, uint8_t* q, float* scales,
                   int32_t* offsets);
  // For 1 ... kInt4Rows rows, by panels that are packed and unpacked.
  Int4Kernel packed[kInt4Rows], unpacked[kInt4Rows];
  // Unpacks `blocks` blocks of a panel.
  void (*unpack)(const uint8_t* packed, size_t blocks, uint8_t* to);
};
// Where bytes are multiplied the second operand is 0 ... 15, so kU8S8Dot and kS8S8Dot are one path.
const Int4Path& Int4PathOf(Int8Isa isa);

}  // namespace clipglot
