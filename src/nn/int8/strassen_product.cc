#include "nn/int8/strassen_product.h"

#include <algorithm>
#include <cstddef>

#include "base/math.h"

namespace clipglot {

// The panels that StrassenWinogradGemm takes together, from `first` on.
static void GroupOf(const Int8Panels& panels, size_t first,
                    const uint8_t* (&group)[kStrassenPanels]) {
  for (size_t i = 0; i < kStrassenPanels; ++i)
    group[i] = first + i < panels.count() ? panels.at(first + i) : nullptr;
}

void FoldStrassenOffsets(Int8Panels& panels, Workspace::Impl* workspace) {
  const size_t groups = CeilDiv(panels.count(), kStrassenPanels);
  const auto fold = [&](size_t first) {
    const uint8_t* group[kStrassenPanels];
    GroupOf(panels, first, group);
    const StrassenOffsets offsets = StrassenOffsetsOf(group, panels.in());
    for (size_t i = 0; i < kStrassenPanels && first + i < panels.count(); ++i) {
      auto* to = panels.bytes().data() + (first + i + 1) * PanelBytes(panels.in()) -
                 sizeof(PanelTail) + offsetof(PanelTail, strassen_offsets);
      for (const auto& of_half : offsets.of)
        to = std::copy_n(reinterpret_cast<const uint8_t*>(of_half + i * kPanelOutputs),
                         kPanelOutputs * sizeof(int32_t), to);
    }
  };
  RunPacking(workspace, groups, panels.size() / 4, [&](size_t, size_t begin, size_t end) {
    for (size_t g = begin; g < end; ++g) fold(g * kStrassenPanels);
  });
}

struct Int8StrassenProduct::Blocks {
  size_t rows, count, block_rows;
  size_t block_values;  // int16 of one block
  int16_t* values;      // of all blocks; then of each thread StrassenScratchValues
  StrassenRow* params;  // of all rows

  size_t RowsOf(size_t block) const { return std::min(block_rows, rows - block * block_rows); }
};

ScratchNeed Int8StrassenProduct::Scratch(size_t rows, size_t in) {
  const uint64_t blocks = CeilDiv(rows, kStrassenBlockRows);
  return {.activations = blocks *
                         StrassenBlockValues(blocks > 1 ? kStrassenBlockRows : rows + 3, in) *
                         sizeof(int16_t),
          .row_params = uint64_t{rows} * sizeof(StrassenRow),
          .per_thread = StrassenScratchValues(in) * sizeof(int16_t)};
}

void Int8StrassenProduct::Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                              Workspace::Impl& workspace) const {
  const size_t count = CeilDiv(rows, kStrassenBlockRows),
               block_rows = RoundUp(CeilDiv(rows, count), 4);
  const Blocks blocks = {
      .rows = rows,
      .count = count,
      .block_rows = block_rows,
      .block_values = static_cast<size_t>(StrassenBlockValues(block_rows, panels_.in())),
      .values = workspace.activations.as<int16_t>().data(),
      .params = workspace.row_params.as<StrassenRow>().data()};
  QuantizeBlocks(blocks, x, workspace);
  const size_t panel_ranges = CeilDiv(panels_.count(), kInt8TaskPanels);
  RunTasks(workspace, panel_ranges * count, nanoseconds, [&](size_t, size_t index) {
    RunTask(blocks, index / panel_ranges, index % panel_ranges * kInt8TaskPanels, y);
  });
}

void Int8StrassenProduct::QuantizeBlocks(const Blocks& blocks, const float* x,
                                         Workspace::Impl& workspace) const {
  const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
  constexpr size_t kTaskPairs = 8;
  const size_t in = panels_.in(), tasks = CeilDiv(blocks.block_rows / 2, kTaskPairs);
  RunTasks(
      workspace, tasks * blocks.count, /*nanoseconds=*/uint64_t{blocks.rows} * in,
      [&](size_t thread, size_t index) {
        const size_t block = index / tasks, rows = blocks.RowsOf(block), half = (rows + 1) / 2,
                     begin = std::min(index % tasks * kTaskPairs, half);
        PackStrassenRows(
            x + block * blocks.block_rows * in, rows, in, begin, std::min(begin + kTaskPairs, half),
            blocks.values + blocks.count * blocks.block_values + thread * StrassenScratchValues(in),
            blocks.values + block * blocks.block_values, blocks.params + block * blocks.block_rows);
      });
}

// A block's rows by kInt8TaskPanels panels.
void Int8StrassenProduct::RunTask(const Blocks& blocks, size_t block, size_t first_panel,
                                  float* y) const {
  const size_t last_panel = std::min(first_panel + kInt8TaskPanels, panels_.count());
  const size_t first_row = block * blocks.block_rows;
  const size_t rows = blocks.RowsOf(block), half = (rows + 1) / 2;
  alignas(16) int32_t sums[kStrassenBlockRows * kStrassenOutputs];
  for (size_t p = first_panel; p < last_panel; p += kStrassenPanels) {
    const uint8_t* group[kStrassenPanels];
    GroupOf(panels_, p, group);
    StrassenWinogradGemm(blocks.values + block * blocks.block_values, rows, group, panels_.in(),
                         sums);
    const uint8_t* tails[kStrassenPanels];
    for (size_t i = 0; i < kStrassenPanels && group[i] != nullptr; ++i)
      tails[i] = group[i] + PanelBytes(panels_.in()) - sizeof(PanelTail);
    const size_t column = p * kPanelOutputs,
                 outputs = std::min(kStrassenOutputs, panels_.out() - column);
    for (const size_t lower : {0, 1}) {
      const size_t skipped = lower * half, row = first_row + skipped;
      FinishStrassen(sums + skipped * kStrassenOutputs, tails, lower, blocks.params + row,
                     lower == 0 ? half : rows - half, outputs, y + row * panels_.out() + column,
                     panels_.out());
    }
  }
}

}  // namespace clipglot
