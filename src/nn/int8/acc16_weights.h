// 8-bit weights for Int8Isa::kAcc16. Private to nn.
//
// There a lane of int16 accumulates the products of two neighbouring columns in each of
// kAcc16SpillEvery steps before it is spilled into int32: eight products of a weight with 0 ...
// kGroupMax. That fits if the lane's positive weights, and its negative ones, sum to no more than
// kAcc16MaxWeightSum. In trained weights they mostly do: the largest weight of a row is 127, the
// others are a fraction of it. Where they do not, three things are tried in turn, so that all sums
// stay the exact integers:
// - Other steps of the same group of columns are put together. The n quads of a group take one step
//   of each of its quarters, the quarters in any order and each shifted, as is best for a panel and
//   group.
// - A panel in which many lanes would still not fit is spilled twice as often.
// - Some weights, the outliers, are taken out of the panel and multiplied apart.
// FBGEMM and Caffe2 (fully_connected_dnnlowp_acc16_op) accumulate in int16 in the same way, with
// outliers apart; what is new here is the order of steps, and that nothing is rounded or clipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "nn/int8/panel.h"
#include "nn/int8/quantize.h"
#include "nn/runtime/workspace_impl.h"

namespace clipglot {

inline constexpr size_t kAcc16SpillEvery = 4, kAcc16SpillOften = 2;  // steps
static_assert(kAcc16SpillEvery == kGroupQuarters && kGroupColumns % kInt8ColumnMultiple == 0);
inline constexpr int kAcc16MaxWeightSum = 32767 / kGroupMax;
static_assert(128 * kGroupMax <= 32767);  // one weight always fits

// What belongs to a panel's weights of one group of columns.
struct Acc16Group {
  int32_t sums[kPanelOutputs];
  uint8_t starts[kAcc16SpillEvery];  // of the quads' steps: 2 n · quarter + shift
};

// Weights of one step that were taken out of their panel, the others zero.
struct Outlier {
  int8_t weights[kVectorBytes];
  uint32_t position;  // of their activations (GroupPosition), counted from the row's first
};

// What a panel has besides its bytes. In these vector 4 c + j of a group belongs to the activations
// at position starts[j] + c (GroupPosition): step (shift + c) mod n of a quarter of n steps.
struct Acc16Panel {
  bool spill_often = false;  // after kAcc16SpillOften steps, else kAcc16SpillEvery
  const Acc16Group* groups = nullptr;
  std::span<const Outlier> outliers;
};

class Acc16Weights {
 public:
  // `panels`: all of a matrix, one after the other; they are put in order, and what would overflow
  // is taken out of them. `workspace`: whose threads do it, or null. Errors: kOutOfMemory.
  static Result<Acc16Weights> Create(std::span<uint8_t> panels, size_t columns,
                                     Workspace::Impl* workspace = nullptr);
  Acc16Panel panel(size_t index) const;
  size_t bytes() const { return groups_.size() + outliers_.size(); }

 private:
  size_t groups_of_panel_ = 0;
  AlignedBuffer groups_, outliers_;
  std::vector<uint32_t> begin_;       // of each panel's outliers, and their number
  std::vector<uint8_t> spill_often_;  // of each panel
};

}  // namespace clipglot
