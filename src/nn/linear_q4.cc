#include "nn/linear_q4.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "nn/dot_way.h"
#include "nn/quantize_q4.h"
#include "nn/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;

// A tile is what the inner loop computes at once: up to 4 rows of x by 8 outputs (two vectors of
// 4).
constexpr size_t kTileOutputs = 8;
constexpr size_t kGroups = 2;
// What one block of a tile's weights takes: for each group of 4 outputs four vectors of 16 bytes,
// each 4 outputs by 8 columns; then 8 scales.
constexpr size_t kVectors = 4;
constexpr size_t kVectorColumns = 8;
constexpr size_t kValueBytes = kGroups * kVectors * 16;
constexpr size_t kTileBlockBytes = kValueBytes + kTileOutputs * sizeof(uint16_t);

// One task takes so many outputs and rows: the weights stay in the first cache while the rows pass.
constexpr size_t kTaskTiles = 8;
constexpr size_t kTaskRows = 64;

// Which column (0 ... 7) of a vector lies in half `half` (0: low) of byte `byte` (0 ... 3) of an
// output.
constexpr size_t ColumnOf(size_t byte, size_t half) {
#ifdef __wasm_relaxed_simd__
  return 4 * half + byte;  // four bytes at a time
#else
  return 4 * (byte % 2) + 2 * half + byte / 2;  // pairs of 16 bits, by shifts of 0, 4, 8 and 12
#endif
}

// Sums of a block: acc[row][group] += Σ x (w + 8) over the block's columns. `w`: kValueBytes; `x`:
// the block's activations of R rows (quantize_q4.h).
#ifdef __wasm_relaxed_simd__
// Calls multiply(row, group, four columns of x, the same of four outputs) for all of a block.
template <size_t R, typename Multiply>
inline void EachProduct(const uint8_t* w, const Q4Activation* x, const Multiply& multiply) {
  for (size_t v = 0; v < kVectors; ++v) {
    v128_t lower[kGroups], upper[kGroups];
    for (size_t g = 0; g < kGroups; ++g) {
      const v128_t packed = wasm_v128_load(w + (g * kVectors + v) * 16);
      lower[g] = wasm_v128_and(packed, wasm_u8x16_const_splat(15));
      upper[g] = wasm_v128_and(wasm_u16x8_shr(packed, 4), wasm_u8x16_const_splat(15));
    }
    for (size_t r = 0; r < R; ++r) {
      const v128_t a = wasm_v128_load32_splat(x + ((2 * v) * R + r) * 4);
      for (size_t g = 0; g < kGroups; ++g) multiply(r, g, a, lower[g]);
      const v128_t b = wasm_v128_load32_splat(x + ((2 * v + 1) * R + r) * 4);
      for (size_t g = 0; g < kGroups; ++g) multiply(r, g, b, upper[g]);
    }
  }
}

// The second operand of the products is 0 ... 15, so every engine gives the same. `direct`: sums of
// four in int32, one instruction where the machine has it; else sums of two in int16, which hold a
// block: 16 products stay below 127 · 15 · 16 = 30480.
template <size_t R, bool direct>
inline void MultiplyBlock(const uint8_t* w, const Q4Activation* x, I32x4 (&acc)[R][kGroups]) {
  if constexpr (direct) {
    EachProduct<R>(w, x, [&](size_t r, size_t g, v128_t a, v128_t b) {
      acc[r][g] = (I32x4)wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, (v128_t)acc[r][g]);
    });
  } else {
    v128_t sums[R][kGroups];
    for (size_t r = 0; r < R; ++r) sums[r][0] = sums[r][1] = wasm_i16x8_const_splat(0);
    EachProduct<R>(w, x, [&](size_t r, size_t g, v128_t a, v128_t b) {
      sums[r][g] = wasm_i16x8_add(sums[r][g], wasm_i16x8_relaxed_dot_i8x16_i7x16(a, b));
    });
    for (size_t r = 0; r < R; ++r) {
      for (size_t g = 0; g < kGroups; ++g)
        acc[r][g] += (I32x4)wasm_i32x4_extadd_pairwise_i16x8(sums[r][g]);
    }
  }
}
#else
template <size_t R, bool>
inline void MultiplyBlock(const uint8_t* w, const Q4Activation* x, I32x4 (&acc)[R][kGroups]) {
  for (size_t v = 0; v < kVectors; ++v) {
    I16x8 packed[kGroups];
    for (size_t g = 0; g < kGroups; ++g) packed[g] = simd::LoadI16(w + (g * kVectors + v) * 16);
    for (int p = 0; p < 4; ++p) {
      I16x8 value[kGroups];
      for (size_t g = 0; g < kGroups; ++g) value[g] = simd::Nibbles(packed[g], p);
      for (size_t r = 0; r < R; ++r) {
        const I16x8 pair = simd::SplatPair(x + ((v * 4 + static_cast<size_t>(p)) * R + r) * 2);
        for (size_t g = 0; g < kGroups; ++g) acc[r][g] += simd::Dot(value[g], pair);
      }
    }
  }
}
#endif

// R rows by 8 outputs, all columns. `offsets` and `scales`: [blocks][R].
template <size_t R, bool direct>
CLIPGLOT_ROW_FUNCTION void RunTile(const uint8_t* w, const Q4Activation* x, const int32_t* offsets,
                                   const float* scales, size_t blocks, const float* bias, float* y,
                                   size_t stride) {
  F32x4 total[R][kGroups];
  for (size_t r = 0; r < R; ++r) total[r][0] = total[r][1] = F32x4{};
  for (size_t b = 0; b < blocks; ++b) {
    I32x4 acc[R][kGroups];
    // Weights are stored with 8 added: what that adds is taken off.
    for (size_t r = 0; r < R; ++r) acc[r][0] = acc[r][1] = simd::SplatI32(offsets[r]);
    MultiplyBlock<R, direct>(w, x, acc);
    for (size_t g = 0; g < kGroups; ++g) {
      const F32x4 scale = simd::LoadBfloat16(w + kValueBytes + g * 8);
      for (size_t r = 0; r < R; ++r) {
        total[r][g] = simd::MultiplyAdd(simd::ToFloat(acc[r][g]) * simd::Splat(scales[r]), scale,
                                        total[r][g]);
      }
    }
    w += kTileBlockBytes;
    x += kQ4Block * R;
    offsets += R;
    scales += R;
  }
  for (size_t r = 0; r < R; ++r) {
    for (size_t g = 0; g < kGroups; ++g)
      simd::Store(y + r * stride + g * 4, total[r][g] + simd::Load(bias + g * 4));
  }
}

using TileFunction = decltype(&RunTile<1, false>);
constexpr TileFunction kRunTile[] = {RunTile<1, false>, RunTile<2, false>, RunTile<3, false>,
                                     RunTile<4, false>};
static_assert(std::size(kRunTile) == kQ4Rows);
#ifdef __wasm_relaxed_simd__
constexpr TileFunction kRunTileDirect[] = {RunTile<1, true>, RunTile<2, true>, RunTile<3, true>,
                                           RunTile<4, true>};
std::span<const TileFunction> TileFunctions(DotWay way) {
  if (way != DotWay::kWide) return kRunTileDirect;
  return kRunTile;
}
#else
std::span<const TileFunction> TileFunctions(DotWay) { return kRunTile; }
#endif

// Values and scales of 8 outputs, of which the last ones may be missing (then zero).
void PackTile(const Matrix& weight, size_t first, uint8_t* to) {
  const size_t blocks = Q4RowBlocks(weight.columns),
               outputs = std::min(kTileOutputs, weight.rows - first);
  for (size_t b = 0; b < blocks; ++b, to += kTileBlockBytes) {
    std::memset(to, 0x88, kValueBytes);
    std::memset(to + kValueBytes, 0, kTileBlockBytes - kValueBytes);
    for (size_t j = 0; j < outputs; ++j) {
      const std::span<const uint8_t> values = weight.q4_values(first + j);
      const uint16_t scale = weight.q4_scales(first + j)[b];
      std::memcpy(to + kValueBytes + j * sizeof(scale), &scale, sizeof(scale));
      for (size_t v = 0; v < kVectors; ++v) {
        uint8_t* bytes = to + ((j / 4 * kVectors + v) * 4 + j % 4) * 4;
        for (size_t byte = 0; byte < 4; ++byte) {
          unsigned packed = 0;
          for (size_t half = 0; half < 2; ++half) {
            const size_t column = b * kQ4Block + v * kVectorColumns + ColumnOf(byte, half);
            const int value = column < weight.columns ? Q4Value(values, column) : 0;
            packed |= static_cast<unsigned>(value + 8) << (4 * half);
          }
          bytes[byte] = static_cast<uint8_t>(packed);
        }
      }
    }
  }
}

}  // namespace

Result<LinearQ4> LinearQ4::Create(const Matrix& weight, std::span<const float> bias) {
  LinearQ4 out;
  out.in_ = weight.columns;
  out.out_ = weight.rows;
  const size_t tiles = weight.rows / kTileOutputs + (weight.rows % kTileOutputs != 0 ? 1 : 0);
  const size_t tile_bytes = Q4RowBlocks(weight.columns) * kTileBlockBytes;
  CLIPGLOT_ASSIGN_OR_RETURN(
      out.tiles_, AlignedBuffer::TryAllocate(uint64_t{tiles} * tile_bytes, "4-bit weights"));
  for (size_t t = 0; t < tiles; ++t)
    PackTile(weight, t * kTileOutputs, out.tiles_.as<uint8_t>().data() + t * tile_bytes);
  out.bias_.assign(tiles * kTileOutputs, 0.0f);
  std::copy(bias.begin(), bias.end(), out.bias_.begin());
  return out;
}

Status LinearQ4::Run(const float* x, size_t rows, float* y, uint64_t pool_ns,
                     Workspace::Impl& workspace) const {
  CLIPGLOT_RETURN_IF_ERROR(workspace.ReserveQ4(rows, in_));
  const size_t blocks = Q4RowBlocks(in_), padded = blocks * kQ4Block;
  Q4Activation* q = workspace.quantized.as<Q4Activation>().data();
  float* scales = workspace.row_params.as<float>().data();
  int32_t* offsets = workspace.row_params.as<int32_t>().data() + rows * blocks;
  {
    const ProfileScope scope(workspace.profile, Work::kQuantization);
    RunRanges(workspace, rows, /*grain=*/kQ4Rows, /*nanoseconds=*/uint64_t{rows} * in_,
              [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; r += kQ4Rows) {
                  QuantizeQ4Rows(x + r * in_, std::min(kQ4Rows, end - r), in_, q + r * padded,
                                 scales + r * blocks, offsets + r * blocks);
                }
              });
  }

  const std::span<const TileFunction> run_tile = TileFunctions(workspace.way);
  const size_t tiles = bias_.size() / kTileOutputs, tile_bytes = blocks * kTileBlockBytes;
  const size_t tile_ranges = (tiles + kTaskTiles - 1) / kTaskTiles,
               row_ranges = (rows + kTaskRows - 1) / kTaskRows;
  RunTasks(workspace, tile_ranges * row_ranges, pool_ns, [&](size_t, size_t index) {
    const size_t first_tile = index % tile_ranges * kTaskTiles,
                 last_tile = std::min(first_tile + kTaskTiles, tiles);
    const size_t first_row = index / tile_ranges * kTaskRows,
                 last_row = std::min(first_row + kTaskRows, rows);
    for (size_t r = first_row; r < last_row; r += kQ4Rows) {
      const size_t count = std::min(kQ4Rows, last_row - r);
      for (size_t t = first_tile; t < last_tile; ++t) {
        const size_t column = t * kTileOutputs, outputs = std::min(kTileOutputs, out_ - column);
        const bool whole = outputs == kTileOutputs;
        float part[kQ4Rows * kTileOutputs];
        run_tile[count - 1](tiles_.as<uint8_t>().data() + t * tile_bytes, q + r * padded,
                            offsets + r * blocks, scales + r * blocks, blocks,
                            bias_.data() + column, whole ? y + r * out_ + column : part,
                            whole ? out_ : kTileOutputs);
        for (size_t i = 0; !whole && i < count; ++i) {
          std::copy_n(part + i * kTileOutputs, outputs, y + (r + i) * out_ + column);
        }
      }
    }
  });
  return OkStatus();
}

}  // namespace clipglot
