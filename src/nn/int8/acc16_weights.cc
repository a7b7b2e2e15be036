#include "nn/int8/acc16_weights.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::I16x8;
using simd::I8x16;

constexpr size_t kGroupSteps = kGroupColumns / kInt8Step;

// Weights of one or more steps summed by lanes: positive and negative ones apart.
struct LaneSums {
  I16x8 positive, negative;

  static LaneSums Of(I8x16 w) {
    const I8x16 zero = {};
    const I8x16 above = w & (I8x16)(w > zero);
    const I16x8 all = simd::PromoteEvenToI16(w) + simd::PromoteOddToI16(w);
    const I16x8 positive = simd::PromoteEvenToI16(above) + simd::PromoteOddToI16(above);
    return {positive, all - positive};
  }
  friend LaneSums operator+(const LaneSums& a, const LaneSums& b) {
    return {a.positive + b.positive, a.negative + b.negative};
  }
  // All ones in lanes that do not fit.
  I16x8 Unfit() const {
    return (I16x8)((positive > simd::SplatI16(kAcc16MaxWeightSum)) |
                   (negative < simd::SplatI16(-kAcc16MaxWeightSum)));
  }
  bool Fits() const {
    const auto halves = (simd::I64x2)Unfit();
    return (halves[0] | halves[1]) == 0;
  }
};

size_t Count(I16x8 mask) {
  size_t count = 0;
  for (size_t l = 0; l < simd::kLanes16; ++l) count += mask[l] != 0 ? 1 : 0;
  return count;
}

// A step's sums by lanes as bytes, of positive weights and of negative ones without their sign: 255
// stands for 255 and more, which does not fit in any case.
simd::U8x16 ProfileOf(const LaneSums& sums) {
  return simd::DemoteToU8(sums.positive, -sums.negative);
}
bool Fits(simd::U8x16 profile) { return !simd::AnyAbove(profile, kAcc16MaxWeightSum); }
static_assert(kAcc16MaxWeightSum < 255);

// How one group of a panel is put together.
struct Order {
  std::array<uint8_t, kAcc16SpillEvery> starts = {};  // of Acc16Group
  size_t unfit = 0;                                   // quads, or pairs
};

// A group's steps by quarters.
struct Steps {
  simd::U8x16 profiles[kGroupSteps];
  size_t quarter;
  // Steps c + shift (mod quarter) of quarter q, of which each takes the place of step c.
  simd::U8x16 At(size_t q, size_t c, size_t shift) const {
    const size_t step = c + shift;
    return profiles[q * quarter + (step < quarter ? step : step - quarter)];
  }
  uint8_t Start(size_t q, size_t shift) const {
    return static_cast<uint8_t>(2 * q * quarter + shift);
  }
};

// The first order in which all quads fit, or else one of the best; where most do not fit as they
// are it is not worth a search.
CLIPGLOT_NOINLINE Order OrderQuads(const Steps& steps) {
  const size_t n = steps.quarter;
  Order best = {.starts = {}, .unfit = n + 1};
  for (size_t i = 0; i < n * n * n; ++i) {
    const size_t s1 = i % n, s2 = i / n % n, s3 = i / n / n;
    size_t unfit = 0;
    for (size_t c = 0; c < n && unfit < best.unfit; ++c) {
      const simd::U8x16 quad =
          simd::SaturatedAdd(simd::SaturatedAdd(steps.At(0, c, 0), steps.At(1, c, s1)),
                             simd::SaturatedAdd(steps.At(2, c, s2), steps.At(3, c, s3)));
      unfit += Fits(quad) ? 0 : 1;
    }
    if (unfit < best.unfit) {
      best = {{steps.Start(0, 0), steps.Start(1, s1), steps.Start(2, s2), steps.Start(3, s3)},
              unfit};
    }
    if (best.unfit == 0 || (i == 0 && unfit > n / 2)) break;
  }
  return best;
}

// The best of all orders of pairs: the quarters two by two, one of each two shifted.
CLIPGLOT_NOINLINE Order OrderPairs(const Steps& steps) {
  const size_t n = steps.quarter;
  struct Shift {
    size_t shift = 0, unfit;
  };
  const auto best_shift = [&](size_t a, size_t b) {
    Shift best = {.shift = 0, .unfit = n + 1};
    for (size_t shift = 0; shift < n && best.unfit > 0; ++shift) {
      size_t unfit = 0;
      for (size_t c = 0; c < n && unfit < best.unfit; ++c)
        unfit += Fits(simd::SaturatedAdd(steps.At(a, c, 0), steps.At(b, c, shift))) ? 0 : 1;
      if (unfit < best.unfit) best = {.shift = shift, .unfit = unfit};
    }
    return best;
  };
  constexpr size_t kPartners[][kAcc16SpillEvery] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2}};
  Order best = {.starts = {}, .unfit = 2 * n + 1};
  for (const auto& q : kPartners) {
    const Shift first = best_shift(q[0], q[1]), last = best_shift(q[2], q[3]);
    const size_t unfit = first.unfit + last.unfit;
    if (unfit >= best.unfit) continue;
    best = {{steps.Start(q[0], 0), steps.Start(q[1], first.shift), steps.Start(q[2], 0),
             steps.Start(q[3], last.shift)},
            unfit};
    if (unfit == 0) break;
  }
  return best;
}

CLIPGLOT_NOINLINE Steps StepsOf(const uint8_t* at, size_t steps, int32_t* sums) {
  Steps out = {.profiles = {}, .quarter = steps / kAcc16SpillEvery};
  LaneSums sum = {};  // of each lane at most 64 weights
  for (size_t s = 0; s < steps; ++s) {
    const LaneSums of_step = LaneSums::Of(simd::LoadI8(at + s * kVectorBytes));
    out.profiles[s] = ProfileOf(of_step);
    sum = sum + of_step;
  }
  const I16x8 all = sum.positive + sum.negative;
  for (size_t o = 0; o < kPanelOutputs; ++o) sums[o] = all[2 * o] + all[2 * o + 1];
  return out;
}

// The step of a group whose weights are vector `vector`.
size_t StepOf(const uint8_t* starts, size_t quarter, size_t vector) {
  const size_t start = starts[vector % kAcc16SpillEvery];
  return start / (2 * quarter) * quarter +
         (start % (2 * quarter) + vector / kAcc16SpillEvery) % quarter;
}

CLIPGLOT_NOINLINE void PutInOrder(uint8_t* at, size_t quarter, const uint8_t* starts) {
  uint8_t before[kGroupSteps * kVectorBytes];
  const size_t vectors = kAcc16SpillEvery * quarter;
  std::copy_n(at, vectors * kVectorBytes, before);
  for (size_t v = 0; v < vectors; ++v) {
    std::copy_n(before + StepOf(starts, quarter, v) * kVectorBytes, kVectorBytes,
                at + v * kVectorBytes);
  }
}

// Fills in the groups of a panel and puts its vectors in order; `pairs`: room for the order of as
// many groups. Gives whether spilling often is better.
bool Arrange(uint8_t* panel, size_t columns, Acc16Group* groups, Order* pairs) {
  size_t unfit[2] = {};
  const auto each = [&](const auto& work) {
    for (size_t c = 0; c < columns; c += kGroupColumns)
      work(c / kGroupColumns, panel + c * kPanelOutputs,
           std::min(kGroupColumns, columns - c) / kInt8Step);
  };
  each([&](size_t g, const uint8_t* at, size_t steps) {
    const Steps found = StepsOf(at, steps, groups[g].sums);
    const Order quads = OrderQuads(found);
    pairs[g] = quads.unfit == 0 ? quads : OrderPairs(found);
    std::ranges::copy(quads.starts, groups[g].starts);
    unfit[0] += quads.unfit;
    unfit[1] += pairs[g].unfit;
  });
  // A step takes 9/4 instructions of 4, 10/4 of 2, and 3 of an outlier.
  const bool spill_often = unfit[0] > unfit[1] + columns / kInt8Step / 12;
  each([&](size_t g, uint8_t* at, size_t steps) {
    if (spill_often) std::ranges::copy(pairs[g].starts, groups[g].starts);
    PutInOrder(at, steps / kAcc16SpillEvery, groups[g].starts);
  });
  return spill_often;
}

// One weight of each lane that does not fit: of two the one that helps more.
struct Excess {
  I8x16 weights;
  LaneSums left;  // without them
};
Excess ExcessOf(I8x16 w, const LaneSums& sums) {
  const I16x8 zero = {};
  const I16x8 even = simd::PromoteEvenToI16(w), odd = simd::PromoteOddToI16(w);
  const auto above = (I16x8)(sums.positive > simd::SplatI16(kAcc16MaxWeightSum));
  const I16x8 helps_even = (even & above) | (-even & ~above),
              helps_odd = (odd & above) | (-odd & ~above);
  const auto first = (I16x8)(helps_even >= helps_odd);
  const I16x8 unfit = sums.Unfit();
  const I16x8 take_even = unfit & first & (I16x8)(helps_even > zero),
              take_odd = unfit & ~first & (I16x8)(helps_odd > zero);
  const I16x8 taken = (even & take_even) | (odd & take_odd);
  const auto positive = (I16x8)(taken > zero);
  const I16x8 bytes = (take_even & simd::SplatI16(0x00FF)) | (take_odd & ~simd::SplatI16(0x00FF));
  return {.weights = w & (I8x16)bytes,
          .left = {sums.positive - (taken & positive), sums.negative - (taken & ~positive)}};
}

// Takes out of kSteps vectors at `at` what keeps lanes from fitting; `take(vector, weights)` gets
// it, in few vectors that have one weight of a lane at most.
template <size_t kSteps, typename Take>
CLIPGLOT_NOINLINE void TakeOutliers(const uint8_t* at, const Take& take) {
  I8x16 w[kSteps];
  LaneSums sums = {};
  for (size_t s = 0; s < kSteps; ++s) {
    w[s] = simd::LoadI8(at + s * kVectorBytes);
    sums = sums + LaneSums::Of(w[s]);
  }
  while (!sums.Fits()) {
    size_t best = 0, fewest = simd::kLanes16 + 1;
    int largest = 0;  // of what is taken: where no lane can be made to fit at once
    Excess chosen = {};
    for (size_t s = 0; s < kSteps; ++s) {
      const Excess excess = ExcessOf(w[s], sums);
      const size_t count = Count(excess.left.Unfit());
      const LaneSums of_taken = LaneSums::Of(excess.weights);
      int size = 0;
      for (size_t l = 0; l < simd::kLanes16; ++l)
        size += of_taken.positive[l] - of_taken.negative[l];
      if (size == 0 || count > fewest || (count == fewest && size <= largest)) continue;
      best = s;
      fewest = count;
      largest = size;
      chosen = excess;
    }
    take(best, chosen.weights);
    w[best] -= chosen.weights;
    sums = chosen.left;
  }
}

// Calls work(first byte, index of that vector) for each kSteps vectors of a panel that do not fit.
template <size_t kSteps, typename Work>
void EachUnfit(uint8_t* panel, size_t columns, const Work& work) {
  for (size_t v = 0; v < columns / kInt8Step; v += kSteps) {
    uint8_t* at = panel + v * kVectorBytes;
    LaneSums sums = {};
    for (size_t s = 0; s < kSteps; ++s)
      sums = sums + LaneSums::Of(simd::LoadI8(at + s * kVectorBytes));
    if (!sums.Fits()) work(at, v);
  }
}

template <size_t kSteps>
CLIPGLOT_NOINLINE uint32_t CountOutliers(uint8_t* panel, size_t columns) {
  uint32_t count = 0;
  EachUnfit<kSteps>(panel, columns, [&](const uint8_t* at, size_t) {
    TakeOutliers<kSteps>(at, [&](size_t, I8x16) { ++count; });
  });
  return count;
}

// Takes all outliers out of a panel.
template <size_t kSteps>
CLIPGLOT_NOINLINE void Split(uint8_t* panel, size_t columns, const Acc16Group* groups,
                             Outlier* outliers) {
  EachUnfit<kSteps>(panel, columns, [&](uint8_t* at, size_t first) {
    TakeOutliers<kSteps>(at, [&](size_t s, I8x16 weights) {
      const size_t group = first / kGroupSteps, in_group = first % kGroupSteps + s;
      const size_t quarter =
          std::min(kGroupSteps, columns / kInt8Step - group * kGroupSteps) / kAcc16SpillEvery;
      const size_t step = StepOf(groups[group].starts, quarter, in_group);
      std::memcpy(outliers->weights, &weights, sizeof(weights));
      outliers->position =
          static_cast<uint32_t>(group * kGroupPositions + GroupPosition(step, quarter));
      ++outliers;
      const I8x16 kept = simd::LoadI8(at + s * kVectorBytes) - weights;
      std::memcpy(at + s * kVectorBytes, &kept, sizeof(kept));
    });
  });
}

}  // namespace

Result<Acc16Weights> Acc16Weights::Create(std::span<uint8_t> panels, size_t columns,
                                          Workspace::Impl* workspace) {
  const size_t panel_bytes = PanelBytes(columns), padded = Int8PaddedColumns(columns),
               count = panels.size() / panel_bytes;
  Acc16Weights out;
  out.groups_of_panel_ = Groups(columns);
  CLIPGLOT_ASSIGN_OR_RETURN(out.groups_,
                            AlignedBuffer::TryAllocateArray<Acc16Group>(
                                uint64_t{count} * out.groups_of_panel_, "sums of 8-bit weights"));
  auto* groups = out.groups_.as<Acc16Group>().data();
  out.begin_.assign(count + 1, 0);
  out.spill_often_.assign(count, 0);
  const size_t each = out.groups_of_panel_;
  std::vector<Order> pairs(each * (workspace == nullptr ? 1 : workspace->threads));
  RunPacking(workspace, count, 2 * panels.size(), [&](size_t thread, size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p) {
      uint8_t* panel = panels.data() + p * panel_bytes;
      const bool often = Arrange(panel, padded, groups + p * each, pairs.data() + thread * each);
      out.spill_often_[p] = often ? 1 : 0;
      out.begin_[p + 1] = often ? CountOutliers<kAcc16SpillOften>(panel, padded)
                                : CountOutliers<kAcc16SpillEvery>(panel, padded);
    }
  });
  for (size_t p = 0; p < count; ++p) out.begin_[p + 1] += out.begin_[p];
  if (out.begin_[count] == 0) return out;
  CLIPGLOT_ASSIGN_OR_RETURN(out.outliers_, AlignedBuffer::TryAllocateArray<Outlier>(
                                               out.begin_[count], "outliers of 8-bit weights"));
  auto* outliers = out.outliers_.as<Outlier>().data();
  RunPacking(workspace, count, panels.size() / 4, [&](size_t, size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p) {
      if (out.begin_[p] == out.begin_[p + 1]) continue;
      const auto split =
          out.spill_often_[p] != 0 ? Split<kAcc16SpillOften> : Split<kAcc16SpillEvery>;
      split(panels.data() + p * panel_bytes, padded, groups + p * each, outliers + out.begin_[p]);
    }
  });
  return out;
}

Acc16Panel Acc16Weights::panel(size_t index) const {
  Acc16Panel out = {.spill_often = spill_often_[index] != 0,
                    .groups = groups_.as<Acc16Group>().data() + index * groups_of_panel_,
                    .outliers = {}};
  if (begin_[index] != begin_[index + 1]) {
    out.outliers =
        outliers_.as<Outlier>().subspan(begin_[index], begin_[index + 1] - begin_[index]);
  }
  return out;
}

}  // namespace clipglot
