// 8-bit weights where bytes are multiplied by pairs in int16 (DotWay::kNarrow). Private to nn.
//
// There a lane of int16 takes the products of two neighbouring columns in each of four steps before
// it is widened: eight products of a weight with 0 ... kGroupMost. That fits if the lane's positive
// weights, and its negative ones, sum to no more than kNarrowMost. In trained weights they mostly
// do: the largest weight of a row is 127, the others are a fraction of it. Where they do not, three
// things are tried in turn, so that all sums stay the exact integers:
// - Other steps of the same group of columns are put together. The n quads of a group take one step
//   of each of its quarters, the quarters in any order and each shifted, as is best for a panel and
//   group.
// - A panel in which many lanes would still not fit is summed over two steps.
// - Some weights are taken out of the panel and kept as a rest that is multiplied alone.
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

inline constexpr size_t kNarrowSteps = 4, kNarrowFewSteps = 2;  // summed in int16
static_assert(kNarrowSteps == kGroupQuarters && kGroupColumns % kQ8ColumnMultiple == 0);
inline constexpr int kNarrowMost = 32767 / kGroupMost;
static_assert(128 * kGroupMost <= 32767);  // one weight always fits

// What belongs to a panel's weights of one group of columns.
struct NarrowGroup {
  int32_t sums[kPanelOutputs];
  uint8_t starts[kNarrowSteps];  // of the quads' steps: 2 n · quarter + shift
};

// Weights of one step that were taken out, the others zero.
struct NarrowRest {
  int8_t weights[kVectorBytes];
  uint32_t position;  // of their activations (GroupPosition), counted from the row's first
};

// What a panel has besides its bytes. In these vector 4 c + j of a group belongs to the activations
// at position starts[j] + c (GroupPosition): step (shift + c) mod n of a quarter of n steps.
struct NarrowPanel {
  bool few_steps = false;  // kNarrowFewSteps, else kNarrowSteps
  const NarrowGroup* groups = nullptr;
  std::span<const NarrowRest> rests;
};

class NarrowWeights {
 public:
  // `panels`: all of a matrix, one after the other; they are put in order, and what would overflow
  // is taken out of them. `workspace`: whose threads do it, or null. Errors: kOutOfMemory.
  static Result<NarrowWeights> Create(std::span<uint8_t> panels, size_t columns,
                                      Workspace::Impl* workspace = nullptr);
  NarrowPanel panel(size_t index) const;
  size_t bytes() const { return groups_.size() + rests_.size(); }

 private:
  size_t groups_of_panel_ = 0;
  AlignedBuffer groups_, rests_;
  std::vector<uint32_t> begin_;     // of each panel's rests, and their number
  std::vector<uint8_t> few_steps_;  // of each panel
};

}  // namespace clipglot
