// Int8Isa::kI16Madd: pairs of int16 multiplied, and the two products added to int32.
#include "nn/int8/finish.h"
#include "nn/int8/kernels.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::I16x8;
using simd::I32x4;

// The weights of one panel are widened as they are read.
template <size_t R>
CLIPGLOT_NOINLINE void MultiplyI16Madd(const Int8Tile& tile) {
  const uint8_t* w = tile.panels;
  const uint8_t* x = tile.x;
  const auto* rows = reinterpret_cast<const Int8Row*>(tile.params);
  constexpr size_t kQuadBytes = kInt8Step * sizeof(int16_t);
  I32x4 sum[R][2] = {};  // two outputs each, columns 0 and 1 apart from 2 and 3
  for (size_t c = tile.columns; c > 0; c -= kInt8ColumnMultiple) {
    for (size_t step = 0; step < kInt8ColumnMultiple / kInt8Step; ++step) {
      const I16x8 low = simd::LoadI8AsI16(w + step * kVectorBytes);
      const I16x8 high = simd::LoadI8AsI16(w + step * kVectorBytes + kVectorBytes / 2);
      for (size_t r = 0; r < R; ++r) {
        const I16x8 quad = simd::SplatI16Quad(x + (step * R + r) * kQuadBytes);
        sum[r][0] += simd::WidenMulPairwiseAdd(low, quad);
        sum[r][1] += simd::WidenMulPairwiseAdd(high, quad);
      }
    }
    w += kInt8ColumnMultiple * kPanelOutputs;
    x += kInt8ColumnMultiple * R * sizeof(int16_t);
  }
  for (size_t r = 0; r < R; ++r)
    Finish(simd::PairwiseAdd(sum[r][0], sum[r][1]), w, rows[r], tile.y + r * tile.stride);
}

}  // namespace

const MicroKernel kI16MaddKernels[6] = {
    {MultiplyI16Madd<1>, 1, MultiplyI16Madd<1>}, {MultiplyI16Madd<2>, 1, MultiplyI16Madd<2>},
    {MultiplyI16Madd<3>, 1, MultiplyI16Madd<3>}, {MultiplyI16Madd<4>, 1, MultiplyI16Madd<4>},
    {MultiplyI16Madd<5>, 1, MultiplyI16Madd<5>}, {MultiplyI16Madd<6>, 1, MultiplyI16Madd<6>}};

}  // namespace clipglot
