// How 8-bit weights lie in memory, for every kernel that reads them. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/tensor.h"
#include "nn/int8/quantize.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

// A panel is four outputs: for each step of four columns 16 bytes, four of each output; then its
// tail.
inline constexpr size_t kPanelOutputs = 4;
inline constexpr size_t kVectorBytes = kPanelOutputs * kInt8Step;
struct PanelTail {
  int32_t sums[kPanelOutputs];  // of an output's weights
  float scales[kPanelOutputs];
  float bias[kPanelOutputs];
  int32_t strassen_offsets[2][kPanelOutputs];  // of StrassenWinogradGemm
};
constexpr size_t PanelBytes(size_t in) {
  return Int8PaddedColumns(in) * kPanelOutputs + sizeof(PanelTail);
}

// Writes the panel of four outputs from `first` on; those that are missing are zero, and so are its
// strassen_offsets.
void PackPanel(const Matrix& weight, std::span<const float> bias, size_t first, uint8_t* to);

// Panels that one task of a product takes: they stay in the first cache while its rows pass.
inline constexpr size_t kInt8TaskPanels = 16;

// All panels of a matrix.
class Int8Panels {
 public:
  Int8Panels() = default;
  // `weight`: kInt8PerRow and valid; `bias` [rows] or empty; `workspace`: whose threads pack, or
  // null. Errors: kOutOfMemory.
  static Result<Int8Panels> Create(const Matrix& weight, std::span<const float> bias,
                                   Workspace::Impl* workspace);
  size_t in() const { return in_; }
  size_t out() const { return out_; }
  size_t count() const { return bytes_.size() / PanelBytes(in_); }
  const uint8_t* at(size_t index) const {
    return bytes_.as<uint8_t>().data() + index * PanelBytes(in_);
  }
  std::span<uint8_t> bytes() { return bytes_.as<uint8_t>(); }
  size_t size() const { return bytes_.size(); }  // in bytes

 private:
  size_t in_ = 0, out_ = 0;
  AlignedBuffer bytes_;
};

}  // namespace clipglot
