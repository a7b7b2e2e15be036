#include "nn/int8/product.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/math.h"
#include "nn/int8/kernels.h"
#include "nn/int8/quantize.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

// How many of `left` rows go together next: as many as a kernel takes; the last two groups are
// about even. Of int16, eight rows are quicker as five and three than as four and four.
size_t NextRows(size_t left, size_t most, DotWay way) {
  if (left <= most) return left;
  const size_t half = (left + 1) / 2;
  return half >= most ? most : way == DotWay::kWide && half == 4 ? 5 : half;
}

// A block is the rows that pass over a piece of the weights while it stays in the first cache; its
// activations stay in the second. A multiple of what a kernel takes at most.
constexpr size_t kBlockRows = 96, kBlockBytes = 256 << 10;
size_t RowsOfBlock(size_t rows, size_t row_bytes, size_t most_of_kernel) {
  const size_t multiple = 2 * most_of_kernel;
  const size_t most = std::clamp(kBlockBytes / row_bytes, multiple, kBlockRows);
  const size_t blocks = CeilDiv(rows, most);
  return RoundUp(CeilDiv(rows, blocks), multiple);
}

// One task takes so many panels of a block; one pass over the rows as many as fill a line of the
// cache of each row of y.
constexpr size_t kTaskPanels = 16, kTogether = kQ8MostPanels;
constexpr size_t kTogetherOutputs = kTogether * kPanelOutputs;
static_assert(kTaskPanels % kTogether == 0);

}  // namespace

Result<LinearQ8> LinearQ8::Create(const Matrix& weight, std::span<const float> bias, DotWay way,
                                  Workspace::Impl* workspace) {
  LinearQ8 out;
  out.in_ = weight.columns;
  out.out_ = weight.rows;
  out.way_ = way;
  const size_t panels = CeilDiv(weight.rows, kPanelOutputs);
  CLIPGLOT_ASSIGN_OR_RETURN(
      out.panels_,
      AlignedBuffer::TryAllocate(uint64_t{panels} * PanelBytes(weight.columns), "8-bit weights"));
  const std::span<uint8_t> bytes = out.panels_.as<uint8_t>();
  RunPacking(workspace, panels, bytes.size() / 2, [&](size_t, size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p)
      PackPanel(weight, bias, p * kPanelOutputs, bytes.data() + p * PanelBytes(weight.columns));
  });
  if (way == DotWay::kNarrow) {
    CLIPGLOT_ASSIGN_OR_RETURN(out.narrow_, NarrowWeights::Create(bytes, weight.columns, workspace));
  }
  if (way == DotWay::kWide) out.AddWideOffsets(workspace);
  return out;
}

void LinearQ8::AddWideOffsets(Workspace::Impl* workspace) {
  const size_t groups = CeilDiv(panels(), kWidePanels);
  const auto add = [&](size_t first) {
    const uint8_t* group[kWidePanels];
    Group(first, group);
    const WideOffsets offsets = OffsetsOf(group, in_);
    for (size_t i = 0; i < kWidePanels && first + i < panels(); ++i) {
      auto* to = panels_.as<uint8_t>().data() + (first + i + 1) * PanelBytes(in_) -
                 sizeof(PanelTail) + offsetof(PanelTail, wide_offsets);
      for (const auto& of_half : offsets.of)
        to = std::copy_n(reinterpret_cast<const uint8_t*>(of_half + i * kPanelOutputs),
                         kPanelOutputs * sizeof(int32_t), to);
    }
  };
  RunPacking(workspace, groups, panels_.size() / 4, [&](size_t, size_t begin, size_t end) {
    for (size_t g = begin; g < end; ++g) add(g * kWidePanels);
  });
}

size_t LinearQ8::panels() const { return panels_.size() / PanelBytes(in_); }

void LinearQ8::Group(size_t first, const uint8_t* (&group)[kWidePanels]) const {
  for (size_t i = 0; i < kWidePanels; ++i) {
    const size_t p = first + i;
    group[i] = p < panels() ? panels_.as<uint8_t>().data() + p * PanelBytes(in_) : nullptr;
  }
}

Status LinearQ8::Run(const float* x, size_t rows, float* y, uint64_t pool_ns,
                     Workspace::Impl& workspace) const {
  CLIPGLOT_RETURN_IF_ERROR(workspace.ReserveQ8(rows, in_, way_));
  for (size_t r = 0; r < rows; r += kQ8PassRows) {
    const size_t count = std::min(kQ8PassRows, rows - r);
    const bool wide = way_ == DotWay::kWide && count >= kWideProductLeast;
    (this->*(wide ? &LinearQ8::RunWidePass : &LinearQ8::RunPass))(
        x + r * in_, count, y + r * out_, pool_ns / rows * count, workspace);
  }
  return OkStatus();
}

void LinearQ8::RunPass(const float* x, size_t rows, float* y, uint64_t pool_ns,
                       Workspace::Impl& workspace) const {
  const DotWay way = way_;
  const std::span<const Q8Choice> kernels = Q8Kernels(way);
  const size_t most_rows = kernels.size();
  const size_t columns = Q8PaddedColumns(in_), row_bytes = columns * Q8ValueBytes(way);
  const size_t block_rows = RowsOfBlock(rows, row_bytes, most_rows);
  auto* q = workspace.quantized.as<uint8_t>().data();
  static_assert(sizeof(Q8Row) <= kQ8RowParamBytes && sizeof(WideRow) <= kQ8RowParamBytes);
  Q8Row* params = workspace.row_params.as<Q8Row>().data();
  auto* group_params = workspace.row_params.as<int32_t>().data();  // instead, of kNarrow
  const size_t row_params = 2 * Groups(in_);

  // Calls work(first row, how many) for each group of rows that a kernel takes.
  const auto each_group = [&](size_t begin, size_t end, const auto& work) {
    for (size_t r = begin; r < end;) {
      const size_t count = NextRows(end - r, most_rows, way);
      work(r, count);
      r += count;
    }
  };
  const auto quantize = [&](size_t begin, size_t end) {
    each_group(begin, end, [&](size_t first, size_t count) {
      for (size_t i = 0; i < count; ++i) {
        const float* from = x + (first + i) * in_;
        uint8_t* to = q + first * row_bytes;
        if (way == DotWay::kNarrow) {
          QuantizeRowInGroups(from, in_, count, to + i * kQ8Step,
                              group_params + first * row_params + i);
          continue;
        }
        const RowQuantization row =
            QuantizeRowQ8(from, in_, count, way, to + i * kQ8Step * Q8ValueBytes(way));
        params[first + i] = {row.step, way == DotWay::kWide       ? 0
                                       : way == DotWay::kUnsigned ? row.zero_point + 128
                                                                  : row.zero_point};
      }
    });
  };
  {
    const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
    RunRanges(workspace, rows, block_rows, /*nanoseconds=*/uint64_t{rows} * in_,
              [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; r += block_rows)
                  quantize(r, std::min(r + block_rows, end));
              });
  }

  const size_t panel_bytes = PanelBytes(in_), panels = this->panels();
  const size_t panel_ranges = CeilDiv(panels, kTaskPanels), blocks = CeilDiv(rows, block_rows);
  RunTasks(workspace, panel_ranges * blocks, pool_ns, [&](size_t, size_t index) {
    const size_t first_panel = index % panel_ranges * kTaskPanels,
                 last_panel = std::min(first_panel + kTaskPanels, panels);
    const size_t first_row = index / panel_ranges * block_rows,
                 last_row = std::min(first_row + block_rows, rows);
    for (size_t p = first_panel; p < last_panel; p += kTogether) {
      const size_t stop = std::min(p + kTogether, last_panel), column = p * kPanelOutputs,
                   outputs = std::min((stop - p) * kPanelOutputs, out_ - column);
      each_group(first_row, last_row, [&](size_t first, size_t count) {
        const Q8Choice& choice = kernels[count - 1];
        // Rows of y often lie so far apart that few of them fit into the first cache: each is
        // written once, whole.
        alignas(16) float tile_y[kQ8MostRows * kTogetherOutputs];
        for (size_t at = p; at < stop;) {
          const bool wide = at + choice.panels <= stop;
          const Q8Tile tile = {.panels = panels_.as<uint8_t>().data() + at * panel_bytes,
                               .panel_bytes = panel_bytes,
                               .columns = columns,
                               .x = q + first * row_bytes,
                               .rows = params + first,
                               .params = group_params + first * row_params,
                               .narrow = way == DotWay::kNarrow ? narrow_.panel(at) : NarrowPanel{},
                               .y = tile_y + (at - p) * kPanelOutputs,
                               .stride = kTogetherOutputs,
                               .x_unsigned = way == DotWay::kUnsigned};
          (wide ? choice.wide : choice.narrow)(tile);
          at += wide ? choice.panels : 1;
        }
        for (size_t i = 0; i < count; ++i) {
          float* to = y + (first + i) * out_ + column;
          const float* from = tile_y + i * kTogetherOutputs;
          if (outputs == kTogetherOutputs) {
            std::memcpy(to, from, kTogetherOutputs * sizeof(float));
          } else {
            std::copy_n(from, outputs, to);
          }
        }
      });
    }
  });
}

void LinearQ8::RunWidePass(const float* x, size_t rows, float* y, uint64_t pool_ns,
                           Workspace::Impl& workspace) const {
  const size_t blocks = CeilDiv(rows, kWideBlockRows),
               block_rows = RoundUp(CeilDiv(rows, blocks), 4),
               block_values = static_cast<size_t>(WideBlockValues(block_rows, in_));
  const auto rows_of = [&](size_t block) {
    return std::min(block_rows, rows - block * block_rows);
  };
  auto* q = workspace.quantized.as<int16_t>().data();
  WideRow* params = workspace.row_params.as<WideRow>().data();
  {
    const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
    constexpr size_t kTaskPairs = 8;
    const size_t tasks = CeilDiv(block_rows / 2, kTaskPairs);
    RunTasks(workspace, tasks * blocks, /*nanoseconds=*/uint64_t{rows} * in_,
             [&](size_t thread, size_t index) {
               const size_t block = index / tasks, count = rows_of(block), half = (count + 1) / 2,
                            begin = std::min(index % tasks * kTaskPairs, half);
               PackWideRows(x + block * block_rows * in_, count, in_, begin,
                            std::min(begin + kTaskPairs, half),
                            q + blocks * block_values + thread * WideScratchValues(in_),
                            q + block * block_values, params + block * block_rows);
             });
  }

  const size_t panel_bytes = PanelBytes(in_), panels = this->panels();
  const size_t panel_ranges = CeilDiv(panels, kTaskPanels);
  RunTasks(workspace, panel_ranges * blocks, pool_ns, [&](size_t, size_t index) {
    const size_t first_panel = index % panel_ranges * kTaskPanels,
                 last_panel = std::min(first_panel + kTaskPanels, panels);
    const size_t block = index / panel_ranges, first_row = block * block_rows;
    const size_t count = rows_of(block), half = (count + 1) / 2;
    alignas(16) int32_t sums[kWideBlockRows * kWideOutputs];
    for (size_t p = first_panel; p < last_panel; p += kWidePanels) {
      const uint8_t* group[kWidePanels];
      Group(p, group);
      WideProduct(q + block * block_values, count, group, in_, sums);
      const uint8_t* tails[kWidePanels];
      for (size_t i = 0; i < kWidePanels && group[i] != nullptr; ++i)
        tails[i] = group[i] + panel_bytes - sizeof(PanelTail);
      const size_t column = p * kPanelOutputs, outputs = std::min(kWideOutputs, out_ - column);
      for (const size_t lower : {0, 1}) {
        const size_t skipped = lower * half, row = first_row + skipped;
        FinishWide(sums + skipped * kWideOutputs, tails, lower, params + row,
                   lower == 0 ? half : count - half, outputs, y + row * out_ + column, out_);
      }
    }
  });
}

}  // namespace clipglot
