// How 8-bit weights lie in memory, for every kernel that reads them. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/tensor.h"
#include "nn/int8/quantize.h"

namespace clipglot {

// A panel is four outputs: for each step of four columns 16 bytes, four of each output; then its
// tail.
inline constexpr size_t kPanelOutputs = 4;
inline constexpr size_t kVectorBytes = kPanelOutputs * kQ8Step;
struct PanelTail {
  int32_t sums[kPanelOutputs];  // of an output's weights
  float scales[kPanelOutputs];
  float bias[kPanelOutputs];
  int32_t wide_offsets[2][kPanelOutputs];  // WideOffsets
};
constexpr size_t PanelBytes(size_t in) {
  return Q8PaddedColumns(in) * kPanelOutputs + sizeof(PanelTail);
}

// Writes the panel of four outputs from `first` on; those that are missing are zero, and so are its
// wide_offsets.
void PackPanel(const Matrix& weight, std::span<const float> bias, size_t first, uint8_t* to);

}  // namespace clipglot
