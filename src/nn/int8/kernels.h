// The inner loops of the product with 8-bit weights (linear_q8.h). Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nn/int8/acc16_weights.h"
#include "nn/int8/isa.h"
#include "nn/int8/strassen_winograd.h"

namespace clipglot {

// What belongs to a row of activations: y = (Σ q w - offset · Σ w) · step · scale + bias.
struct Q8Row {
  float step;
  int32_t offset;
};

// What one call of a kernel computes: a few rows by a few panels.
struct Q8Tile {
  const uint8_t* panels;
  size_t panel_bytes;
  size_t columns;  // a multiple of kQ8ColumnMultiple
  const uint8_t* x;
  const Q8Row* rows;      // not of kNarrow
  const int32_t* params;  // of kNarrow: as QuantizeRowInGroups gives them
  NarrowPanel narrow;     // of kNarrow
  float* y;
  size_t stride;  // of y, in floats
  bool x_unsigned;
};

// By way, for each number of rows from one on: the kernel for as many panels as its registers hold,
// and the one for a single panel.
using Q8Kernel = void (*)(const Q8Tile&);
struct Q8Choice {
  Q8Kernel wide;
  size_t panels;
  Q8Kernel narrow;
};
std::span<const Q8Choice> Q8Kernels(DotWay way);
inline constexpr size_t kQ8MostPanels = 4, kQ8MostRows = 8;

// What WideProduct gave for rows of one half; `outputs`: those that y has room for. All of a row
// are written together, since rows often lie so far apart that few of them fit into the first
// cache.
void FinishWide(const int32_t* sums, const uint8_t* const* tails, size_t row_half,
                const WideRow* params, size_t rows, size_t outputs, float* y, size_t stride);

}  // namespace clipglot
