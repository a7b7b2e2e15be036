#include "nn/int8/kernels.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "nn/int8/panel.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;
using simd::I8x16;

// `sum`: Σ (q - zero_point) · step · w.
inline void Scale(F32x4 sum, const uint8_t* tail, float* y) {
  const auto* scales = reinterpret_cast<const float*>(tail + offsetof(PanelTail, scales));
  const auto* bias = reinterpret_cast<const float*>(tail + offsetof(PanelTail, bias));
  simd::Store(y, simd::MulAdd(sum, simd::Load(scales), simd::Load(bias)));
}
inline void Finish(I32x4 sum, const uint8_t* tail, const Q8Row& row, float* y) {
  const I32x4 sums = simd::LoadI32(tail + offsetof(PanelTail, sums));
  Scale(simd::ConvertToF32(sum - sums * simd::SplatI32(row.offset)) * simd::Splat(row.step), tail,
        y);
}

// Bytes by bytes, for kUnsigned and kSigned.
template <size_t R, size_t G>
CLIPGLOT_NOINLINE void MultiplyBytes(const Q8Tile& tile) {
  const uint8_t* w[G];
  for (size_t g = 0; g < G; ++g) w[g] = tile.panels + g * tile.panel_bytes;
  const uint8_t* x = tile.x;
  I32x4 sum[R][G] = {};
  for (size_t c = tile.columns; c > 0; c -= kQ8Step) {
    I8x16 weights[G];
    for (size_t g = 0; g < G; ++g) {
      weights[g] = simd::LoadI8(w[g]);
      w[g] += kVectorBytes;
    }
    for (size_t r = 0; r < R; ++r) {
      const I8x16 four = simd::SplatI8Quad(x + r * kQ8Step);
      for (size_t g = 0; g < G; ++g)
        sum[r][g] = simd::SumOfMulQuadAccumulate(weights[g], four, sum[r][g], tile.x_unsigned);
    }
    x += kQ8Step * R;
  }
  for (size_t g = 0; g < G; ++g) {
    for (size_t r = 0; r < R; ++r)
      Finish(sum[r][g], w[g], tile.rows[r], tile.y + r * tile.stride + g * kPanelOutputs);
  }
}

// Pairs of int16: the weights of one panel are widened as they are read.
template <size_t R>
CLIPGLOT_NOINLINE void MultiplyWide(const Q8Tile& tile) {
  const uint8_t* w = tile.panels;
  const uint8_t* x = tile.x;
  constexpr size_t kQuadBytes = kQ8Step * sizeof(int16_t);
  I32x4 sum[R][2] = {};  // two outputs each, columns 0 and 1 apart from 2 and 3
  for (size_t c = tile.columns; c > 0; c -= kQ8ColumnMultiple) {
    for (size_t step = 0; step < kQ8ColumnMultiple / kQ8Step; ++step) {
      const I16x8 low = simd::LoadI8AsI16(w + step * kVectorBytes);
      const I16x8 high = simd::LoadI8AsI16(w + step * kVectorBytes + kVectorBytes / 2);
      for (size_t r = 0; r < R; ++r) {
        const I16x8 quad = simd::SplatI16Quad(x + (step * R + r) * kQuadBytes);
        sum[r][0] += simd::WidenMulPairwiseAdd(low, quad);
        sum[r][1] += simd::WidenMulPairwiseAdd(high, quad);
      }
    }
    w += kQ8ColumnMultiple * kPanelOutputs;
    x += kQ8ColumnMultiple * R * sizeof(int16_t);
  }
  for (size_t r = 0; r < R; ++r)
    Finish(simd::PairwiseAdd(sum[r][0], sum[r][1]), w, tile.rows[r], tile.y + r * tile.stride);
}

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

// Bytes by pairs in int16. A row's groups of columns have steps and zero points of their own
// (QuantizeRowInGroups); vectors of weights are in the order that NarrowPanel tells.
template <size_t R, size_t kSteps>
CLIPGLOT_NOINLINE void MultiplyPairs(const Q8Tile& tile) {
  constexpr size_t kStepBytes = R * kQ8Step;
  const uint8_t* w = tile.panels;
  const uint8_t* x = tile.x;
  const int32_t* params = tile.params;
  const NarrowGroup* group = tile.narrow.groups;
  const NarrowRest* rest = tile.narrow.rests.data();
  const NarrowRest* const rests_end = rest + tile.narrow.rests.size();
  const I16x8 ones = simd::LoadI16(simd::FromMemory(simd::kOnes16));
  F32x4 total[R] = {};
  size_t positions = 0;
  for (size_t left = tile.columns; left > 0; ++group, params += 2 * R) {
    const size_t columns = std::min(left, kGroupColumns);
    const uint8_t* at[kNarrowSteps];
    for (size_t j = 0; j < kNarrowSteps; ++j) at[j] = x + group->starts[j] * kStepBytes;
    I32x4 sum[R];
    const auto of_weights = (I16x8)simd::LoadI32(group->sums);
    EachSplat<R>(params + R, [&](size_t r, I32x4 zero) {
      sum[r] = simd::WidenMulPairwiseAdd(of_weights, (I16x8)zero);
    });
    positions += kGroupPositions;
    for (; rest != rests_end && rest->position < positions; ++rest) {
      const I8x16 weights = simd::LoadI8(rest->weights);
      const uint8_t* four = tile.x + rest->position * kStepBytes;
      CLIPGLOT_UNROLL
      for (size_t r = 0; r < R; ++r)
        sum[r] += simd::WidenMulPairwiseAdd(
            simd::MulPairwiseAddI8U8(weights, simd::SplatI8Quad(four + r * kQ8Step)), ones);
    }
    size_t c = columns / kQ8ColumnMultiple;
    do {
      I8x16 weights[kNarrowSteps];
      for (size_t j = 0; j < kNarrowSteps; ++j) weights[j] = simd::LoadI8(w + j * kVectorBytes);
      CLIPGLOT_UNROLL
      for (size_t r = 0; r < R; ++r) {
        for (size_t j = 0; j < kNarrowSteps; j += kSteps) {
          I16x8 pairs =
              simd::MulPairwiseAddI8U8(weights[j], simd::SplatI8Quad(at[j] + r * kQ8Step));
          for (size_t i = j + 1; i < j + kSteps; ++i)
            pairs += simd::MulPairwiseAddI8U8(weights[i], simd::SplatI8Quad(at[i] + r * kQ8Step));
          sum[r] += simd::WidenMulPairwiseAdd(pairs, ones);
        }
      }
      w += kNarrowSteps * kVectorBytes;
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
void MultiplyNarrow(const Q8Tile& tile) {
  tile.narrow.few_steps ? MultiplyPairs<R, kNarrowFewSteps>(tile)
                        : MultiplyPairs<R, kNarrowSteps>(tile);
}

constexpr Q8Choice kWideKernels[] = {
    {MultiplyWide<1>, 1, MultiplyWide<1>}, {MultiplyWide<2>, 1, MultiplyWide<2>},
    {MultiplyWide<3>, 1, MultiplyWide<3>}, {MultiplyWide<4>, 1, MultiplyWide<4>},
    {MultiplyWide<5>, 1, MultiplyWide<5>}, {MultiplyWide<6>, 1, MultiplyWide<6>}};
constexpr Q8Choice kByteKernels[] = {
    {MultiplyBytes<1, 4>, 4, MultiplyBytes<1, 1>}, {MultiplyBytes<2, 4>, 4, MultiplyBytes<2, 1>},
    {MultiplyBytes<3, 2>, 2, MultiplyBytes<3, 1>}, {MultiplyBytes<4, 2>, 2, MultiplyBytes<4, 1>},
    {MultiplyBytes<5, 2>, 2, MultiplyBytes<5, 1>}, {MultiplyBytes<6, 2>, 2, MultiplyBytes<6, 1>}};
constexpr Q8Choice kNarrowKernels[] = {
    {MultiplyNarrow<1>, 1, MultiplyNarrow<1>}, {MultiplyNarrow<2>, 1, MultiplyNarrow<2>},
    {MultiplyNarrow<3>, 1, MultiplyNarrow<3>}, {MultiplyNarrow<4>, 1, MultiplyNarrow<4>},
    {MultiplyNarrow<5>, 1, MultiplyNarrow<5>}, {MultiplyNarrow<6>, 1, MultiplyNarrow<6>},
    {MultiplyNarrow<7>, 1, MultiplyNarrow<7>}, {MultiplyNarrow<8>, 1, MultiplyNarrow<8>}};
static_assert(std::size(kNarrowKernels) == kQ8MostRows);

// In a build that cannot have relaxed dot products their kernels are left out; natively the tests
// run them in plain steps.
#if defined(__wasm_simd128__) && !defined(__wasm_relaxed_simd__)
constexpr bool kOnlyWide = true;
#else
constexpr bool kOnlyWide = false;
#endif

}  // namespace

std::span<const Q8Choice> Q8Kernels(DotWay way) {
  if (kOnlyWide || way == DotWay::kWide) return kWideKernels;
  if (way == DotWay::kNarrow) return kNarrowKernels;
  return kByteKernels;
}

CLIPGLOT_NOINLINE void FinishWide(const int32_t* sums, const uint8_t* const* tails, size_t row_half,
                                  const WideRow* params, size_t rows, size_t outputs, float* y,
                                  size_t stride) {
  for (size_t r = 0; r < rows; ++r, sums += kWideOutputs, y += stride) {
    for (size_t p = 0; p * kPanelOutputs < outputs; ++p) {
      const uint8_t* tail = tails[p];
      const I32x4 of_weights =
          simd::LoadI32(tail + offsetof(PanelTail, wide_offsets) + row_half * sizeof(of_weights));
      const int32_t of_row = params[r].offsets[p / (kWidePanels / 2)];
      const I32x4 sum =
          simd::SubWrapping(simd::SubWrapping(simd::LoadI32(sums + p * kPanelOutputs), of_weights),
                            simd::SplatI32(of_row));
      float part[kPanelOutputs];
      const size_t left = outputs - p * kPanelOutputs;
      Scale(simd::ConvertToF32(sum) * simd::Splat(params[r].step), tail,
            left < kPanelOutputs ? part : y + p * kPanelOutputs);
      if (left < kPanelOutputs) std::copy_n(part, left, y + p * kPanelOutputs);
    }
  }
}

}  // namespace clipglot
