// The inner loops of the int8 products, a file for each kind of instruction. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/int8/acc16_weights.h"
#include "nn/int8/isa.h"

namespace clipglot {

// What a row of activations has besides its values where it has one step and one zero point:
// y = (Σ q w - offset · Σ w) · step · scale + bias.
struct Int8Row {
  float step;
  int32_t offset;
};

// What one call of a kernel computes: a few rows by a few panels.
struct Int8Tile {
  const uint8_t* panels;  // panel.h
  size_t panel_bytes;
  size_t columns;           // a multiple of kInt8ColumnMultiple
  const uint8_t* x;         // the rows' values and
  const std::byte* params;  // what they have besides, as Int8Path::quantize gives both
  bool x_unsigned;          // Int8Path::activations_unsigned
  Acc16Panel acc16;         // of kAcc16
  float* y;
  size_t stride;  // of y, in floats
};

// For 1, 2, ... rows.
extern const MicroKernel kI16MaddKernels[6], kDotKernels[6], kAcc16Kernels[8];
inline constexpr size_t kMaxPanels = 4, kMaxKernelRows = 8;  // of one call

}  // namespace clipglot
