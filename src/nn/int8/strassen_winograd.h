// Product of int16 for many rows by fewer multiplications, on machines without an exact dot product
// of bytes (DotWay::kWide). Private to nn.
//
// Sums of integers are exact modulo 2^32, so whatever saves multiplications gives the same bits:
// - Strassen and Winograd: rows, columns and outputs are halved, and seven products of sums of
//   quarters take the place of eight.
// - Winograd's inner product: x0 w0 + x1 w1 = (x0 + w1)(x1 + w0) - x0 x1 - w0 w1. One
//   multiplication and one addition for two of each, and two additions of int16, of which a machine
//   does more at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/int8/quantize.h"

namespace clipglot {

// Rows from which it is faster than MultiplyWide (linear_q8.cc).
inline constexpr size_t kWideProductLeast = 16;
inline constexpr size_t kWideBlockRows = 128;  // a block: the rows that are halved together
inline constexpr size_t kWidePanels = 4;       // of four outputs each, computed at once
inline constexpr size_t kWideOutputs = 4 * kWidePanels;

struct WideRow {
  float step;
  int32_t offsets[2];  // to take off the sums of the outputs of either half
};

// A block's activations: for each chunk of columns and each of seven sums of quarters, int16 [half
// the rows][columns of the chunk], two rows interleaved four columns at a time.
constexpr uint64_t WideBlockValues(uint64_t rows, size_t columns) {
  return 7 * ((rows + 1) / 2) * (Q8PaddedColumns(columns) / 2);
}
// What PackWideRows needs.
constexpr uint64_t WideScratchValues(size_t columns) {
  return uint64_t{2} * Q8PaddedColumns(columns);
}

// Quantises the rows of a block (1 <= rows <= kWideBlockRows) from pair `begin` to `end` - 1; pair
// p is row p and row p + half, if there is one, half being rows / 2 rounded up. `begin` is even,
// and `end` too or half. `x` [rows, columns]; `block`: WideBlockValues; `params` [rows].
void PackWideRows(const float* x, size_t rows, size_t columns, size_t begin, size_t end,
                  int16_t* scratch, int16_t* block, WideRow* params);

// Panels (linear_q8.cc) of kWideOutputs outputs, null where one is missing.
using WidePanels = const uint8_t* [kWidePanels];

// What the weights' own products add to the sums of rows of either half.
struct WideOffsets {
  int32_t of[2][kWideOutputs];
};
WideOffsets OffsetsOf(const WidePanels& panels, size_t columns);

// For all rows of a block: sums[r][o] = Σ (q - zero_point) · w, plus WideRow's offset of o's half,
// plus WideOffsets' of r's half and o. `sums` [2 · half][kWideOutputs].
void WideProduct(const int16_t* block, size_t rows, const WidePanels& panels, size_t columns,
                 int32_t* sums);

}  // namespace clipglot
