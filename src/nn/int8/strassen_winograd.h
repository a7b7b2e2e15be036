// Product of int16 for many rows by fewer multiplications, for Int8Isa::kI16Madd. Private to nn.
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

// Rows from which it is faster than the kernels of kernels_i16_madd.cc.
inline constexpr size_t kStrassenMinRows = 16;
inline constexpr size_t kStrassenBlockRows = 128;  // a block: the rows that are halved together
inline constexpr size_t kStrassenPanels = 4;       // of four outputs each, computed at once
inline constexpr size_t kStrassenOutputs = 4 * kStrassenPanels;

struct StrassenRow {
  float step;
  int32_t offsets[2];  // to take off the sums of the outputs of either half
};

// A block's activations: for each chunk of columns and each of seven sums of quarters, int16 [half
// the rows][columns of the chunk], two rows interleaved four columns at a time.
constexpr uint64_t StrassenBlockValues(uint64_t rows, size_t columns) {
  return 7 * ((rows + 1) / 2) * (Int8PaddedColumns(columns) / 2);
}
// What PackStrassenRows needs.
constexpr uint64_t StrassenScratchValues(size_t columns) {
  return uint64_t{2} * Int8PaddedColumns(columns);
}

// Quantises the rows of a block (1 <= rows <= kStrassenBlockRows) from pair `begin` to `end` - 1;
// pair p is row p and row p + half, if there is one, half being rows / 2 rounded up. `begin` is
// even, and `end` too or half. `x` [rows, columns]; `block`: StrassenBlockValues; `params` [rows].
void PackStrassenRows(const float* x, size_t rows, size_t columns, size_t begin, size_t end,
                      int16_t* scratch, int16_t* block, StrassenRow* params);

// Panels (panel.h) of kStrassenOutputs outputs, null where one is missing.
using PanelGroup = const uint8_t* [kStrassenPanels];

// What the weights' own products add to the sums of rows of either half.
struct StrassenOffsets {
  int32_t of[2][kStrassenOutputs];
};
StrassenOffsets StrassenOffsetsOf(const PanelGroup& panels, size_t columns);

// For all rows of a block: sums[r][o] = Σ (q - zero_point) · w, plus StrassenRow's offset of o's
// half, plus StrassenOffsets' of r's half and o. `sums` [2 · half][kStrassenOutputs].
void StrassenWinogradGemm(const int16_t* block, size_t rows, const PanelGroup& panels,
                          size_t columns, int32_t* sums);

// y = (sum - both offsets) · step · scale + bias, for rows of one half. `sums`, `params`, `y`: from
// its first row on; `tails`: of the group's panels; `outputs`: those that y has room for; `stride`:
// of y, in floats. All outputs of a row are written together, since rows often lie so far apart
// that few of them fit into the first cache.
void FinishStrassen(const int32_t* sums, const uint8_t* const* tails, size_t row_half,
                    const StrassenRow* params, size_t rows, size_t outputs, float* y,
                    size_t stride);

}  // namespace clipglot
