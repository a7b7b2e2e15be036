// Int8Isa::kAcc16: products of bytes accumulated in int16, which spills into int32 in time
// (acc16_weights.h).
#include <algorithm>
#include <bit>

#include "nn/int8/finish.h"
#include "nn/int8/kernels.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;
using simd::I8x16;

// Calls work(r, element r of `from` in all lanes) for r = 0 ... R - 1: one load for four elements.
template <size_t R, typename Work>
[[gnu::always_inline]] inline void EachSplat(const int32_t* from, const Work& work) {
  CLIPGLOT_UNROLL
  for (size_t r = 0; r + 4 <= R; r += 4) {
    const I32x4 four = simd::LoadI32(from + r);
    work(r, __builtin_shufflevector(four, four, 0, 0, 0, 0));
    work(r + 1, __builtin_shufflevector(four, four, 1, 1, 1, 1));
    work(r + 2, __builtin_shufflevector(four, four, 2, 2, 2, 2));
    work(r + 3, __builtin_shufflevector(four, four, 3, 3, 3, 3));
  }
  CLIPGLOT_UNROLL
  for (size_t r = R / 4 * 4; r < R; ++r) work(r, simd::SplatI32(from[r]));
}

// A row's groups of columns have steps and zero points of their own
// (QuantizeRowAcc16); vectors of weights are in the order that Acc16Panel tells.
template <size_t R, size_t kSpillEvery>
CLIPGLOT_NOINLINE void MultiplyPairs(const Int8Tile& tile) {
  constexpr size_t kStepBytes = R * kInt8Step;
  const uint8_t* w = tile.panels;
  const uint8_t* x = tile.x;
  const auto* params = reinterpret_cast<const int32_t*>(tile.params);
  const Acc16Group* group = tile.acc16.groups;
  const Outlier* outlier = tile.acc16.outliers.data();
  const Outlier* const outliers_end = outlier + tile.acc16.outliers.size();
  const I16x8 ones = simd::LoadI16(simd::FromMemory(simd::kOnes16));
  F32x4 total[R] = {};
  size_t positions = 0;
  for (size_t left = tile.columns; left > 0; ++group, params += 2 * R) {
    const size_t columns = std::min(left, kGroupColumns);
    const uint8_t* at[kAcc16SpillEvery];
    for (size_t j = 0; j < kAcc16SpillEvery; ++j) at[j] = x + group->starts[j] * kStepBytes;
    I32x4 sum[R];
    const auto of_weights = (I16x8)simd::LoadI32(group->sums);
    EachSplat<R>(params + R, [&](size_t r, I32x4 zero) {
      sum[r] = simd::WidenMulPairwiseAdd(of_weights, (I16x8)zero);
    });
    positions += kGroupPositions;
    for (; outlier != outliers_end && outlier->position < positions; ++outlier) {
      const I8x16 weights = simd::LoadI8(outlier->weights);
      const uint8_t* four = tile.x + outlier->position * kStepBytes;
      CLIPGLOT_UNROLL
      for (size_t r = 0; r < R; ++r)
        sum[r] += simd::WidenMulPairwiseAdd(
            simd::MulPairwiseAddI8U8(weights, simd::SplatI8Quad(four + r * kInt8Step)), ones);
    }
    size_t c = columns / kInt8ColumnMultiple;
    do {
      I8x16 weights[kAcc16SpillEvery];
      for (size_t j = 0; j < kAcc16SpillEvery; ++j) weights[j] = simd::LoadI8(w + j * kVectorBytes);
      CLIPGLOT_UNROLL
      for (size_t r = 0; r < R; ++r) {
        for (size_t j = 0; j < kAcc16SpillEvery; j += kSpillEvery) {
          I16x8 pairs =
              simd::MulPairwiseAddI8U8(weights[j], simd::SplatI8Quad(at[j] + r * kInt8Step));
          for (size_t i = j + 1; i < j + kSpillEvery; ++i)
            pairs += simd::MulPairwiseAddI8U8(weights[i], simd::SplatI8Quad(at[i] + r * kInt8Step));
          sum[r] += simd::WidenMulPairwiseAdd(pairs, ones);
        }
      }
      w += kAcc16SpillEvery * kVectorBytes;
      for (const uint8_t*& p : at) p += kStepBytes;
    } while (--c > 0);
    // An integer below 2^24: exact.
    EachSplat<R>(params, [&](size_t r, I32x4 step) {
      total[r] = simd::MulAdd(simd::ConvertToF32(sum[r]), std::bit_cast<F32x4>(step), total[r]);
    });
    x += kGroupPositions * kStepBytes;
    left -= columns;
  }
  const auto* tail = reinterpret_cast<const PanelTail*>(w);
  const F32x4 scales = simd::Load(tail->scales), bias = simd::Load(tail->bias);
  float* y = tile.y;
  const size_t stride = tile.stride;
  CLIPGLOT_UNROLL
  for (size_t r = 0; r < R; ++r, y += stride) simd::Store(y, simd::MulAdd(total[r], scales, bias));
}

template <size_t R>
void MultiplyAcc16(const Int8Tile& tile) {
  tile.acc16.spill_often ? MultiplyPairs<R, kAcc16SpillOften>(tile)
                         : MultiplyPairs<R, kAcc16SpillEvery>(tile);
}

}  // namespace

const MicroKernel kAcc16Kernels[8] = {
    {MultiplyAcc16<1>, 1, MultiplyAcc16<1>}, {MultiplyAcc16<2>, 1, MultiplyAcc16<2>},
    {MultiplyAcc16<3>, 1, MultiplyAcc16<3>}, {MultiplyAcc16<4>, 1, MultiplyAcc16<4>},
    {MultiplyAcc16<5>, 1, MultiplyAcc16<5>}, {MultiplyAcc16<6>, 1, MultiplyAcc16<6>},
    {MultiplyAcc16<7>, 1, MultiplyAcc16<7>}, {MultiplyAcc16<8>, 1, MultiplyAcc16<8>}};

}  // namespace clipglot
