#include "nn/int4/kernels.h"

#include <cstring>

#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;
using simd::I8x16;

// How products are summed within a block. Weights have 8 added: sums start from what that adds.
enum class Sums {
  kPairs,   // int16 by pairs
  kBytes,   // bytes by fours, one instruction where the machine has it
  kNarrow,  // bytes by pairs in int16, which hold a block: 16 products stay within 127 · 8 · 16
};

// Where a product of bytes is relaxed its second operand is 0 ... 15, so every engine gives the
// same.
template <Sums sums>
inline I32x4 Multiply(I8x16 x, I8x16 w, I32x4 sum) {
  if constexpr (sums == Sums::kPairs) return sum + simd::WidenMulPairwiseAdd((I16x8)w, (I16x8)x);
  if constexpr (sums == Sums::kBytes)
    return simd::SumOfMulQuadAccumulate(x, w, sum, /*b_unsigned=*/true);
  return (I32x4)((I16x8)sum + simd::MulPairwiseAddI8U8(x, w));
}

// Calls multiply(w) for all units of a block, one after the other; w: kQ4Groups vectors. `units` is
// a variable, lest the loop is unrolled, which would take more registers than there are.
template <typename Work>
inline void EachUnpacked(const uint8_t* from, size_t units, const Work& multiply) {
  for (; units > 0; --units, from += kQ4Groups * 16) {
    const I8x16 w[kQ4Groups] = {simd::LoadI8(from), simd::LoadI8(from + 16)};
    multiply(w);
  }
}
// The same from packed weights.
template <bool bytes, typename Work>
inline void EachPacked(const uint8_t* from, size_t vectors, const Work& multiply) {
  for (; vectors > 0; --vectors, from += 16) {
    I16x8 packed[kQ4Groups];
    for (size_t g = 0; g < kQ4Groups; ++g) packed[g] = simd::LoadI16(from + g * kQ4Vectors * 16);
    for (int i = 0; i < static_cast<int>(Q4Units(bytes) / kQ4Vectors); ++i) {
      I8x16 w[kQ4Groups];
      for (size_t g = 0; g < kQ4Groups; ++g)
        w[g] = bytes ? simd::NibblesOfI8((I8x16)packed[g], i)
                     : (I8x16)simd::NibblesOfI16(packed[g], i);
      multiply(w);
    }
  }
}

template <size_t R, Sums sums, bool unpacked>
CLIPGLOT_NOINLINE void RunTile(const Q4Tile& tile, size_t units, size_t vectors) {
  constexpr bool bytes = sums != Sums::kPairs;
  const uint8_t* w = tile.w;
  const auto* x = static_cast<const uint8_t*>(tile.x);
  const int32_t* offsets = tile.offsets;
  const float* scales = tile.scales;
  [[maybe_unused]] const I16x8 ones = simd::LoadI16(simd::FromMemory(simd::kOnes16));
  // Where weights are unpacked on the way totals are kept in registers as far as they go; else
  // these are full of sums.
  float local[R * kQ4TileOutputs];
  float* totals = unpacked ? tile.totals : local;
  if constexpr (!unpacked) std::memcpy(local, tile.totals, sizeof(local));
  for (size_t b = tile.blocks; b > 0; --b) {
    if constexpr (unpacked) totals = simd::FromMemory(totals);
    I32x4 acc[R][kQ4Groups];
    for (size_t r = 0; r < R; ++r) {
      for (size_t g = 0; g < kQ4Groups; ++g) acc[r][g] = simd::SplatI32(offsets[r]);
    }
    const auto multiply = [&](const I8x16(&weights)[kQ4Groups]) {
      for (size_t r = 0; r < R; ++r) {
        const I8x16 unit = simd::SplatI8Quad(x + r * kQ4UnitBytes);
        for (size_t g = 0; g < kQ4Groups; ++g)
          acc[r][g] = Multiply<sums>(unit, weights[g], acc[r][g]);
      }
      x += R * kQ4UnitBytes;
    };
    if constexpr (unpacked) {
      EachUnpacked(w, units, multiply);
    } else {
      EachPacked<bytes>(w, vectors, multiply);
    }
    F32x4 scale[kQ4Groups];
    for (size_t g = 0; g < kQ4Groups; ++g) {
      scale[g] =
          unpacked ? simd::Load(reinterpret_cast<const float*>(w + units * kQ4Groups * 16) + g * 4)
                   : simd::LoadBF16(w + kQ4ValueBytes + g * 8);
    }
    for (size_t r = 0; r < R; ++r) {
      const F32x4 step = simd::Splat(scales[r]);
      for (size_t g = 0; g < kQ4Groups; ++g) {
        const I32x4 sum =
            sums == Sums::kNarrow ? simd::WidenMulPairwiseAdd((I16x8)acc[r][g], ones) : acc[r][g];
        float* total = totals + r * kQ4TileOutputs + g * 4;
        simd::Store(total,
                    simd::MulAdd(simd::ConvertToF32(sum) * step, scale[g], simd::Load(total)));
      }
    }
    w += unpacked ? Q4UnpackedBytes(bytes) : kQ4PackedBytes;
    offsets += R;
    scales += R;
  }
  if constexpr (!unpacked) std::memcpy(tile.totals, local, sizeof(local));
}

using TileFunction = decltype(&RunTile<1, Sums::kPairs, false>);
template <Sums sums, bool unpacked>
constexpr TileFunction kRunTile[] = {RunTile<1, sums, unpacked>, RunTile<2, sums, unpacked>,
                                     RunTile<3, sums, unpacked>, RunTile<4, sums, unpacked>};
static_assert(std::size(kRunTile<Sums::kPairs, false>) == kQ4Rows);

}  // namespace

void UnpackQ4(const uint8_t* packed, size_t blocks, bool bytes, uint8_t* to) {
  for (size_t b = 0; b < blocks; ++b, packed += kQ4PackedBytes, to += Q4UnpackedBytes(bytes)) {
    uint8_t* unit = to;
    const auto store = [&](const I8x16(&w)[kQ4Groups]) {
      std::memcpy(unit, w, sizeof(w));
      unit += sizeof(w);
    };
    if (bytes) {
      EachPacked<true>(packed, kQ4Vectors, store);
    } else {
      EachPacked<false>(packed, kQ4Vectors, store);
    }
    for (size_t g = 0; g < kQ4Groups; ++g) {
      const F32x4 scale = simd::LoadBF16(packed + kQ4ValueBytes + g * 8);
      std::memcpy(unit + g * sizeof(scale), &scale, sizeof(scale));
    }
  }
}

// Natively the tests run all ways of summing in plain steps.
void MultiplyQ4(const Q4Tile& tile, size_t rows, bool unpacked, [[maybe_unused]] DotWay way) {
  const auto run = [&]<Sums sums>() {
    const auto& functions = unpacked ? kRunTile<sums, true> : kRunTile<sums, false>;
    functions[rows - 1](tile, Q4Units(sums != Sums::kPairs), kQ4Vectors);
  };
#if !defined(__wasm_simd128__) || defined(__wasm_relaxed_simd__)
  if (way == DotWay::kNarrow) return run.operator()<Sums::kNarrow>();
  if (way != DotWay::kWide) return run.operator()<Sums::kBytes>();
#endif
  run.operator()<Sums::kPairs>();
}

}  // namespace clipglot
