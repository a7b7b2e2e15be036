// Int8Isa::kU8S8Dot and kS8S8Dot: dot products of four bytes, added to int32.
#include "nn/int8/finish.h"
#include "nn/int8/kernels.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::I32x4;
using simd::I8x16;

template <size_t R, size_t G>
CLIPGLOT_NOINLINE void MultiplyDot(const Int8Tile& tile) {
  const uint8_t* w[G];
  for (size_t g = 0; g < G; ++g) w[g] = tile.panels + g * tile.panel_bytes;
  const uint8_t* x = tile.x;
  const auto* rows = reinterpret_cast<const Int8Row*>(tile.params);
  I32x4 sum[R][G] = {};
  for (size_t c = tile.columns; c > 0; c -= kInt8Step) {
    I8x16 weights[G];
    for (size_t g = 0; g < G; ++g) {
      weights[g] = simd::LoadI8(w[g]);
      w[g] += kVectorBytes;
    }
    for (size_t r = 0; r < R; ++r) {
      const I8x16 four = simd::SplatI8Quad(x + r * kInt8Step);
      for (size_t g = 0; g < G; ++g)
        sum[r][g] = simd::SumOfMulQuadAccumulate(weights[g], four, sum[r][g], tile.x_unsigned);
    }
    x += kInt8Step * R;
  }
  for (size_t g = 0; g < G; ++g) {
    for (size_t r = 0; r < R; ++r)
      Finish(sum[r][g], w[g], rows[r], tile.y + r * tile.stride + g * kPanelOutputs);
  }
}

}  // namespace

const MicroKernel kDotKernels[6] = {
    {MultiplyDot<1, 4>, 4, MultiplyDot<1, 1>}, {MultiplyDot<2, 4>, 4, MultiplyDot<2, 1>},
    {MultiplyDot<3, 2>, 2, MultiplyDot<3, 1>}, {MultiplyDot<4, 2>, 2, MultiplyDot<4, 1>},
    {MultiplyDot<5, 2>, 2, MultiplyDot<5, 1>}, {MultiplyDot<6, 2>, 2, MultiplyDot<6, 1>}};

}  // namespace clipglot
