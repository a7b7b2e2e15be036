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
  kI16Madd,  // int16 by pairs
  kDot,      // bytes by fours, one instruction where the machine has it
  kAcc16,    // bytes by pairs in int16, which hold a block: 16 products stay within 127 · 8 · 16
};

// Where a product of bytes is relaxed its second operand is 0 ... 15, so every engine gives the
// same.
template <Sums sums>
inline I32x4 Multiply(I8x16 x, I8x16 w, I32x4 sum) {
  if constexpr (sums == Sums::kI16Madd) return sum + simd::WidenMulPairwiseAdd((I16x8)w, (I16x8)x);
  if constexpr (sums == Sums::kDot)
    return simd::SumOfMulQuadAccumulate(x, w, sum, /*b_unsigned=*/true);
  return (I32x4)((I16x8)sum + simd::MulPairwiseAddI8U8(x, w));
}

// Calls multiply(w) for all units of a block, one after the other; w: kInt4Groups vectors. `units`
// is a variable, lest the loop is unrolled, which would take more registers than there are.
template <typename Work>
inline void EachUnpacked(const uint8_t* from, size_t units, const Work& multiply) {
  for (; units > 0; --units, from += kInt4Groups * 16) {
    const I8x16 w[kInt4Groups] = {simd::LoadI8(from), simd::LoadI8(from + 16)};
    multiply(w);
  }
}
// The same from packed weights.
template <bool bytes, typename Work>
inline void EachPacked(const uint8_t* from, size_t vectors, const Work& multiply) {
  for (; vectors > 0; --vectors, from += 16) {
    I16x8 packed[kInt4Groups];
    for (size_t g = 0; g < kInt4Groups; ++g)
      packed[g] = simd::LoadI16(from + g * kInt4Vectors * 16);
    for (int i = 0; i < static_cast<int>(Int4Units(bytes) / kInt4Vectors); ++i) {
      I8x16 w[kInt4Groups];
      for (size_t g = 0; g < kInt4Groups; ++g)
        w[g] = bytes ? simd::NibblesOfI8((I8x16)packed[g], i)
                     : (I8x16)simd::NibblesOfI16(packed[g], i);
      multiply(w);
    }
  }
}

template <size_t R, Sums sums, bool unpacked>
CLIPGLOT_NOINLINE void MultiplyPanel(const Int4Tile& tile, size_t units, size_t vectors) {
  constexpr bool bytes = sums != Sums::kI16Madd;
  const uint8_t* w = tile.w;
  const auto* x = static_cast<const uint8_t*>(tile.x);
  const int32_t* offsets = tile.offsets;
  const float* scales = tile.scales;
  [[maybe_unused]] const I16x8 ones = simd::LoadI16(simd::FromMemory(simd::kOnes16));
  // Where weights are unpacked on the way totals are kept in registers as far as they go; else
  // these are full of sums.
  float local[R * kInt4PanelOutputs];
  float* totals = unpacked ? tile.totals : local;
  if constexpr (!unpacked) std::memcpy(local, tile.totals, sizeof(local));
  for (size_t b = tile.blocks; b > 0; --b) {
    if constexpr (unpacked) totals = simd::FromMemory(totals);
    I32x4 acc[R][kInt4Groups];
    for (size_t r = 0; r < R; ++r) {
      for (size_t g = 0; g < kInt4Groups; ++g) acc[r][g] = simd::SplatI32(offsets[r]);
    }
    const auto multiply = [&](const I8x16(&weights)[kInt4Groups]) {
      for (size_t r = 0; r < R; ++r) {
        const I8x16 unit = simd::SplatI8Quad(x + r * kInt4UnitBytes);
        for (size_t g = 0; g < kInt4Groups; ++g)
          acc[r][g] = Multiply<sums>(unit, weights[g], acc[r][g]);
      }
      x += R * kInt4UnitBytes;
    };
    if constexpr (unpacked) {
      EachUnpacked(w, units, multiply);
    } else {
      EachPacked<bytes>(w, vectors, multiply);
    }
    F32x4 scale[kInt4Groups];
    for (size_t g = 0; g < kInt4Groups; ++g) {
      scale[g] =
          unpacked
              ? simd::Load(reinterpret_cast<const float*>(w + units * kInt4Groups * 16) + g * 4)
              : simd::LoadBF16(w + kInt4ValueBytes + g * 8);
    }
    for (size_t r = 0; r < R; ++r) {
      const F32x4 step = simd::Splat(scales[r]);
      for (size_t g = 0; g < kInt4Groups; ++g) {
        const I32x4 sum =
            sums == Sums::kAcc16 ? simd::WidenMulPairwiseAdd((I16x8)acc[r][g], ones) : acc[r][g];
        float* total = totals + r * kInt4PanelOutputs + g * 4;
        simd::Store(total,
                    simd::MulAdd(simd::ConvertToF32(sum) * step, scale[g], simd::Load(total)));
      }
    }
    w += unpacked ? Int4UnpackedBytes(bytes) : kInt4PackedBytes;
    offsets += R;
    scales += R;
  }
  if constexpr (!unpacked) std::memcpy(tile.totals, local, sizeof(local));
}

template <bool bytes>
void Unpack(const uint8_t* packed, size_t blocks, uint8_t* to) {
  for (size_t b = 0; b < blocks; ++b, packed += kInt4PackedBytes, to += Int4UnpackedBytes(bytes)) {
    uint8_t* unit = to;
    EachPacked<bytes>(packed, kInt4Vectors, [&](const I8x16(&w)[kInt4Groups]) {
      std::memcpy(unit, w, sizeof(w));
      unit += sizeof(w);
    });
    for (size_t g = 0; g < kInt4Groups; ++g) {
      const F32x4 scale = simd::LoadBF16(packed + kInt4ValueBytes + g * 8);
      std::memcpy(unit + g * sizeof(scale), &scale, sizeof(scale));
    }
  }
}

template <Sums sums>
constexpr Int4Path MakePath(size_t unpack_min_rows, decltype(Int4Path::quantize) quantize) {
  constexpr bool bytes = sums != Sums::kI16Madd;
  return {.bytes = bytes,
          .unpack_min_rows = unpack_min_rows,
          .quantize = quantize,
          .packed = {MultiplyPanel<1, sums, false>, MultiplyPanel<2, sums, false>,
                     MultiplyPanel<3, sums, false>, MultiplyPanel<4, sums, false>},
          .unpacked = {MultiplyPanel<1, sums, true>, MultiplyPanel<2, sums, true>,
                       MultiplyPanel<3, sums, true>, MultiplyPanel<4, sums, true>},
          .unpack = Unpack<bytes>};
}

constexpr Int4Path kI16MaddPath = MakePath<Sums::kI16Madd>(5, QuantizeInt4Rows<Int4Layout::kI16>);
// In a build that cannot have relaxed dot products their kernels are left out; natively they are
// plain steps.
#if !defined(__wasm__) || defined(__wasm_relaxed_simd__)
constexpr Int4Path kDotPath = MakePath<Sums::kDot>(5, QuantizeInt4Rows<Int4Layout::kBytes>);
constexpr Int4Path kAcc16Path = MakePath<Sums::kAcc16>(24, QuantizeInt4Rows<Int4Layout::kAcc16>);
#endif

}  // namespace

const Int4Path& Int4PathOf([[maybe_unused]] Int8Isa isa) {
#if !defined(__wasm__) || defined(__wasm_relaxed_simd__)
  if (isa == Int8Isa::kAcc16) return kAcc16Path;
  if (isa != Int8Isa::kI16Madd) return kDotPath;
#endif
  return kI16MaddPath;
}

}  // namespace clipglot
