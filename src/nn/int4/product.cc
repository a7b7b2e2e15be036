#include "nn/int4/product.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/math.h"
#include "nn/int4/kernels.h"

namespace clipglot {
namespace {

// One task takes so many tiles and rows: a tile's weights stay in the first cache while the rows
// pass.
constexpr size_t kTaskTiles = 8;
constexpr size_t kTaskRows = 128;
static_assert(kTaskRows % kQ4Rows == 0);
// From so many rows on weights are unpacked once instead of in the inner loop.
size_t UnpackRows(DotWay way) { return way == DotWay::kNarrow ? 24 : 5; }

// Values and scales of 8 outputs, of which the last ones may be missing (then zero).
CLIPGLOT_NOINLINE void PackTile(const Matrix& weight, size_t first, uint8_t* to) {
  const size_t blocks = Q4RowBlocks(weight.columns),
               outputs = std::min(kQ4TileOutputs, weight.rows - first);
  for (size_t b = 0; b < blocks; ++b, to += kQ4PackedBytes) {
    std::memset(to, 0x88, kQ4ValueBytes);
    std::memset(to + kQ4ValueBytes, 0, kQ4PackedBytes - kQ4ValueBytes);
    for (size_t j = 0; j < outputs; ++j) {
      const std::span<const uint8_t> values = weight.q4_values(first + j);
      const uint16_t scale = weight.q4_scales(first + j)[b];
      std::memcpy(to + kQ4ValueBytes + j * sizeof(scale), &scale, sizeof(scale));
      for (size_t v = 0; v < kQ4Vectors; ++v) {
        uint8_t* bytes = to + ((j / 4 * kQ4Vectors + v) * 4 + j % 4) * 4;
        for (size_t byte = 0; byte < 4; ++byte) {
          unsigned packed = 0;
          for (size_t half = 0; half < 2; ++half) {
            const size_t column = b * kQ4Block + v * kQ4VectorColumns + byte + half * 4;
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

Result<LinearQ4> LinearQ4::Create(const Matrix& weight, std::span<const float> bias,
                                  Workspace::Impl* workspace) {
  LinearQ4 out;
  out.in_ = weight.columns;
  out.out_ = weight.rows;
  const size_t tiles = CeilDiv(weight.rows, kQ4TileOutputs);
  const size_t tile_bytes = Q4RowBlocks(weight.columns) * kQ4PackedBytes;
  CLIPGLOT_ASSIGN_OR_RETURN(
      out.tiles_, AlignedBuffer::TryAllocate(uint64_t{tiles} * tile_bytes, "4-bit weights"));
  uint8_t* to = out.tiles_.as<uint8_t>().data();
  RunPacking(workspace, tiles, out.tiles_.size(), [&](size_t, size_t begin, size_t end) {
    for (size_t t = begin; t < end; ++t) PackTile(weight, t * kQ4TileOutputs, to + t * tile_bytes);
  });
  out.bias_.assign(tiles * kQ4TileOutputs, 0.0f);
  std::copy(bias.begin(), bias.end(), out.bias_.begin());
  return out;
}

Status LinearQ4::Run(const float* x, size_t rows, float* y, uint64_t pool_ns,
                     Workspace::Impl& workspace) const {
  CLIPGLOT_RETURN_IF_ERROR(workspace.ReserveQ4(rows, in_));
  const size_t blocks = Q4RowBlocks(in_);
  const bool bytes = Q4Bytes(workspace.way);
  const bool unpack = rows >= UnpackRows(workspace.way);
  const size_t row_bytes = blocks * Q4Units(bytes) * kQ4UnitBytes;
  auto* q = workspace.quantized.as<uint8_t>().data();
  float* scales = workspace.row_params.as<float>().data();
  int32_t* offsets = workspace.row_params.as<int32_t>().data() + rows * blocks;
  {
    const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
    RunRanges(workspace, rows, /*grain=*/kQ4Rows, /*nanoseconds=*/uint64_t{rows} * in_,
              [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; r += kQ4Rows) {
                  QuantizeQ4Rows(x + r * in_, std::min(kQ4Rows, end - r), in_, workspace.way,
                                 q + r * row_bytes, scales + r * blocks, offsets + r * blocks);
                }
              });
  }

  const size_t tiles = bias_.size() / kQ4TileOutputs;
  const size_t tile_ranges = CeilDiv(tiles, kTaskTiles), row_ranges = CeilDiv(rows, kTaskRows);
  RunTasks(workspace, tile_ranges * row_ranges, pool_ns, [&](size_t, size_t index) {
    const size_t first_tile = index % tile_ranges * kTaskTiles,
                 last_tile = std::min(first_tile + kTaskTiles, tiles);
    const size_t first_row = index / tile_ranges * kTaskRows,
                 last_row = std::min(first_row + kTaskRows, rows);
    alignas(16) uint8_t unpacked[kQ4ChunkBlocks * Q4UnpackedBytes(/*bytes=*/false)];
    alignas(16) float totals[kTaskRows * kQ4TileOutputs];
    for (size_t t = first_tile; t < last_tile; ++t) {
      std::fill_n(totals, (last_row - first_row) * kQ4TileOutputs, 0.0f);
      const size_t chunk = unpack ? kQ4ChunkBlocks : blocks;
      for (size_t b = 0; b < blocks; b += chunk) {
        const size_t count = std::min(chunk, blocks - b);
        const uint8_t* w = tiles_.as<uint8_t>().data() + (t * blocks + b) * kQ4PackedBytes;
        if (unpack) UnpackQ4(w, count, bytes, unpacked);
        for (size_t r = first_row; r < last_row; r += kQ4Rows) {
          const size_t together = std::min(kQ4Rows, last_row - r);
          MultiplyQ4({.w = unpack ? unpacked : w,
                      .x = q + r * row_bytes + b * together * (row_bytes / blocks),
                      .offsets = offsets + r * blocks + b * together,
                      .scales = scales + r * blocks + b * together,
                      .blocks = count,
                      .totals = totals + (r - first_row) * kQ4TileOutputs},
                     together, unpack, workspace.way);
        }
      }
      const size_t column = t * kQ4TileOutputs, outputs = std::min(kQ4TileOutputs, out_ - column);
      for (size_t r = first_row; r < last_row; ++r) {
        const float* total = totals + (r - first_row) * kQ4TileOutputs;
        float sums[kQ4TileOutputs];
        for (size_t o = 0; o < kQ4TileOutputs; ++o) sums[o] = total[o] + bias_[column + o];
        std::copy_n(sums, outputs, y + r * out_ + column);
      }
    }
  });
  return OkStatus();
}

}  // namespace clipglot
