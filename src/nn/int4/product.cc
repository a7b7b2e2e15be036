#include "nn/int4/product.h"

#include <algorithm>

#include "base/checked.h"
#include "base/math.h"

namespace clipglot {
namespace {

// One task takes so many panels and rows: a panel's weights stay in the first cache while the rows
// pass.
constexpr size_t kTaskPanels = 8;
constexpr size_t kTaskRows = 128;
static_assert(kTaskRows % kInt4Rows == 0);

}  // namespace

struct Int4Product::Call {
  const float* x;
  size_t rows;
  float* y;
  size_t blocks;     // of a row
  size_t row_bytes;  // of its units
  uint8_t* values;   // of all rows
  float* scales;     // [rows, blocks]
  int32_t* offsets;  // [rows, blocks]
  bool unpack;
};

Result<std::unique_ptr<Product>> Int4Product::Create(const Matrix& weight,
                                                     std::span<const float> bias, Int8Isa isa,
                                                     Workspace::Impl* workspace) {
  auto out = std::unique_ptr<Int4Product>(new Int4Product(Int4PathOf(isa)));
  out->in_ = weight.columns;
  out->out_ = weight.rows;
  const size_t panels = CeilDiv(weight.rows, kInt4PanelOutputs);
  const size_t panel_bytes = Q4RowBlocks(weight.columns) * kInt4PackedBytes;
  CLIPGLOT_ASSIGN_OR_RETURN(
      out->panels_, AlignedBuffer::TryAllocate(uint64_t{panels} * panel_bytes, "4-bit weights"));
  uint8_t* to = out->panels_.as<uint8_t>().data();
  RunPacking(workspace, panels, out->panels_.size(), [&](size_t, size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p)
      PackInt4Panel(weight, p * kInt4PanelOutputs, to + p * panel_bytes);
  });
  out->bias_.assign(panels * kInt4PanelOutputs, 0.0f);
  std::copy(bias.begin(), bias.end(), out->bias_.begin());
  return std::unique_ptr<Product>(std::move(out));
}

ScratchNeed Int4Product::Scratch(size_t rows) const {
  // UINT64_MAX where it does not fit, which no workspace can reserve.
  const auto all = [&](uint64_t block_bytes) {
    const auto blocks = CheckedMul(rows, Q4RowBlocks(in_));
    return blocks ? CheckedMul(*blocks, block_bytes).value_or(UINT64_MAX) : UINT64_MAX;
  };
  return {.activations = all(Int4Units(path_.bytes) * kInt4UnitBytes),
          .row_params = all(sizeof(float) + sizeof(int32_t)),
          .per_thread = 0};
}

Status Int4Product::Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                        Workspace::Impl& workspace) {
  CLIPGLOT_RETURN_IF_ERROR(workspace.Reserve(Scratch(rows)));
  const size_t blocks = Q4RowBlocks(in_);
  const Call call = {.x = x,
                     .rows = rows,
                     .y = y,
                     .blocks = blocks,
                     .row_bytes = blocks * Int4Units(path_.bytes) * kInt4UnitBytes,
                     .values = workspace.activations.as<uint8_t>().data(),
                     .scales = workspace.row_params.as<float>().data(),
                     .offsets = workspace.row_params.as<int32_t>().data() + rows * blocks,
                     .unpack = rows >= path_.unpack_min_rows};
  QuantizeRows(call, workspace);
  const size_t panels = bias_.size() / kInt4PanelOutputs;
  const size_t panel_ranges = CeilDiv(panels, kTaskPanels), row_ranges = CeilDiv(rows, kTaskRows);
  RunTasks(workspace, panel_ranges * row_ranges, nanoseconds, [&](size_t, size_t index) {
    RunTask(call, index % panel_ranges * kTaskPanels, index / panel_ranges * kTaskRows);
  });
  return OkStatus();
}

void Int4Product::QuantizeRows(const Call& call, Workspace::Impl& workspace) const {
  const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
  RunRanges(workspace, call.rows, /*grain=*/kInt4Rows,
            /*nanoseconds=*/uint64_t{call.rows} * in_, [&](size_t begin, size_t end) {
              for (size_t r = begin; r < end; r += kInt4Rows) {
                path_.quantize(call.x + r * in_, std::min(kInt4Rows, end - r), in_,
                               call.values + r * call.row_bytes, call.scales + r * call.blocks,
                               call.offsets + r * call.blocks);
              }
            });
}

void Int4Product::RunTask(const Call& call, size_t first_panel, size_t first_row) const {
  const size_t last_panel = std::min(first_panel + kTaskPanels, bias_.size() / kInt4PanelOutputs),
               last_row = std::min(first_row + kTaskRows, call.rows);
  alignas(16) float totals[kTaskRows * kInt4PanelOutputs];
  for (size_t p = first_panel; p < last_panel; ++p) {
    SumPanel(call, p, first_row, last_row, totals);
    StorePanel(call, p, first_row, last_row, totals);
  }
}

// totals [rows][kInt4PanelOutputs] = the products of rows by a panel, without bias.
void Int4Product::SumPanel(const Call& call, size_t panel, size_t first_row, size_t last_row,
                           float* totals) const {
  alignas(16) uint8_t unpacked[kInt4ChunkBlocks * Int4UnpackedBytes(/*bytes=*/false)];
  std::fill_n(totals, (last_row - first_row) * kInt4PanelOutputs, 0.0f);
  const size_t chunk = call.unpack ? kInt4ChunkBlocks : call.blocks,
               unit_bytes = call.row_bytes / call.blocks;  // of a block
  for (size_t b = 0; b < call.blocks; b += chunk) {
    const size_t count = std::min(chunk, call.blocks - b);
    const uint8_t* w = panels_.as<uint8_t>().data() + (panel * call.blocks + b) * kInt4PackedBytes;
    if (call.unpack) path_.unpack(w, count, unpacked);
    for (size_t r = first_row; r < last_row; r += kInt4Rows) {
      const size_t together = std::min(kInt4Rows, last_row - r);
      const Int4Tile tile = {.w = call.unpack ? unpacked : w,
                             .x = call.values + r * call.row_bytes + b * together * unit_bytes,
                             .offsets = call.offsets + r * call.blocks + b * together,
                             .scales = call.scales + r * call.blocks + b * together,
                             .blocks = count,
                             .totals = totals + (r - first_row) * kInt4PanelOutputs};
      (call.unpack ? path_.unpacked : path_.packed)[together - 1](tile, Int4Units(path_.bytes),
                                                                  kInt4Vectors);
    }
  }
}

void Int4Product::StorePanel(const Call& call, size_t panel, size_t first_row, size_t last_row,
                             const float* totals) const {
  const size_t column = panel * kInt4PanelOutputs,
               outputs = std::min(kInt4PanelOutputs, out_ - column);
  for (size_t r = first_row; r < last_row; ++r) {
    const float* total = totals + (r - first_row) * kInt4PanelOutputs;
    float sums[kInt4PanelOutputs];
    for (size_t o = 0; o < kInt4PanelOutputs; ++o) sums[o] = total[o] + bias_[column + o];
    std::copy_n(sums, outputs, call.y + r * out_ + column);
  }
}

}  // namespace clipglot
