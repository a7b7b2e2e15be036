#include "nn/linear_q8.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "nn/dot_way.h"
#include "nn/quantize.h"
#include "nn/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I16x8;
using simd::I32x4;
using simd::I8x16;

// A panel is four outputs: for each four columns 16 bytes, four of each output; then its tail.
constexpr size_t kPanelOutputs = 4;
constexpr size_t kVectorBytes = kPanelOutputs * kQ8Step;
struct PanelTail {
  int32_t sums[kPanelOutputs];  // of an output's weights
  float scales[kPanelOutputs];
  float bias[kPanelOutputs];
  int32_t wide_offsets[2][kPanelOutputs];  // WideOffsets
};
constexpr size_t PanelBytes(size_t in) {
  return Q8PaddedColumns(in) * kPanelOutputs + sizeof(PanelTail);
}

// What belongs to a row of activations: y = (Σ q w - offset · Σ w) · step · scale + bias.
struct Row {
  float step;
  int32_t offset;
};

// What one call of a kernel computes: R rows by G panels.
struct Tile {
  const uint8_t* panels;
  size_t panel_bytes;
  size_t columns;  // a multiple of kQ8ColumnMultiple
  const uint8_t* x;
  const Row* rows;
  float* y;
  size_t stride;  // of y, in floats
  bool x_unsigned;
};

inline I32x4 LoadI32(const void* from) {
  I32x4 out;
  std::memcpy(&out, from, sizeof(out));
  return out;
}
// `sum`: Σ (q - zero_point) · w.
inline void Scale(I32x4 sum, const uint8_t* tail, float step, float* y) {
  const auto* scales = reinterpret_cast<const float*>(tail + offsetof(PanelTail, scales));
  const auto* bias = reinterpret_cast<const float*>(tail + offsetof(PanelTail, bias));
  simd::Store(y, simd::MultiplyAdd(simd::ToFloat(sum) * simd::Splat(step), simd::Load(scales),
                                   simd::Load(bias)));
}
inline void Finish(I32x4 sum, const uint8_t* tail, const Row& row, float* y) {
  const I32x4 sums = LoadI32(tail + offsetof(PanelTail, sums));
  Scale(sum - sums * simd::SplatI32(row.offset), tail, row.step, y);
}

// What WideProduct gave for rows of one half; `outputs`: those that y has room for. All of a row
// are written together, since rows often lie so far apart that few of them fit into the first
// cache.
CLIPGLOT_ROW_FUNCTION void FinishWide(const int32_t* sums, const uint8_t* const* tails,
                                      size_t row_half, const WideRow* params, size_t rows,
                                      size_t outputs, float* y, size_t stride) {
  for (size_t r = 0; r < rows; ++r, sums += kWideOutputs, y += stride) {
    for (size_t p = 0; p * kPanelOutputs < outputs; ++p) {
      const uint8_t* tail = tails[p];
      const I32x4 of_weights =
          LoadI32(tail + offsetof(PanelTail, wide_offsets) + row_half * sizeof(of_weights));
      const int32_t of_row = params[r].offsets[p / (kWidePanels / 2)];
      const I32x4 sum = simd::SubtractWrapping(
          simd::SubtractWrapping(LoadI32(sums + p * kPanelOutputs), of_weights),
          simd::SplatI32(of_row));
      float part[kPanelOutputs];
      const size_t left = outputs - p * kPanelOutputs;
      Scale(sum, tail, params[r].step, left < kPanelOutputs ? part : y + p * kPanelOutputs);
      if (left < kPanelOutputs) std::copy_n(part, left, y + p * kPanelOutputs);
    }
  }
}

// Bytes by bytes, for kUnsigned and kSigned.
template <size_t R, size_t G>
CLIPGLOT_ROW_FUNCTION void MultiplyBytes(const Tile& tile) {
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
      const I8x16 four = simd::SplatBytes(x + r * kQ8Step);
      for (size_t g = 0; g < G; ++g)
        sum[r][g] = simd::DotBytes(weights[g], four, sum[r][g], tile.x_unsigned);
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
CLIPGLOT_ROW_FUNCTION void MultiplyWide(const Tile& tile) {
  const uint8_t* w = tile.panels;
  const uint8_t* x = tile.x;
  constexpr size_t kQuadBytes = kQ8Step * sizeof(int16_t);
  I32x4 sum[R][2] = {};  // two outputs each, columns 0 and 1 apart from 2 and 3
  for (size_t c = tile.columns; c > 0; c -= kQ8ColumnMultiple) {
    for (size_t step = 0; step < kQ8ColumnMultiple / kQ8Step; ++step) {
      const I16x8 low = simd::WidenI8(w + step * kVectorBytes);
      const I16x8 high = simd::WidenI8(w + step * kVectorBytes + kVectorBytes / 2);
      for (size_t r = 0; r < R; ++r) {
        const I16x8 quad = simd::SplatQuad(x + (step * R + r) * kQuadBytes);
        sum[r][0] += simd::Dot(low, quad);
        sum[r][1] += simd::Dot(high, quad);
      }
    }
    w += kQ8ColumnMultiple * kPanelOutputs;
    x += kQ8ColumnMultiple * R * sizeof(int16_t);
  }
  for (size_t r = 0; r < R; ++r)
    Finish(simd::AddPairs(sum[r][0], sum[r][1]), w, tile.rows[r], tile.y + r * tile.stride);
}

using Kernel = void (*)(const Tile&);
// By way: how many rows a kernel takes at most; for each number of rows the kernel for as many
// panels as its registers hold, and the one for a single panel.
struct Choice {
  Kernel wide;
  size_t panels;
  Kernel narrow;
};
constexpr Choice kWideKernels[] = {
    {MultiplyWide<1>, 1, MultiplyWide<1>}, {MultiplyWide<2>, 1, MultiplyWide<2>},
    {MultiplyWide<3>, 1, MultiplyWide<3>}, {MultiplyWide<4>, 1, MultiplyWide<4>},
    {MultiplyWide<5>, 1, MultiplyWide<5>}, {MultiplyWide<6>, 1, MultiplyWide<6>}};
constexpr Choice kByteKernels[] = {
    {MultiplyBytes<1, 4>, 4, MultiplyBytes<1, 1>}, {MultiplyBytes<2, 4>, 4, MultiplyBytes<2, 1>},
    {MultiplyBytes<3, 2>, 2, MultiplyBytes<3, 1>}, {MultiplyBytes<4, 2>, 2, MultiplyBytes<4, 1>},
    {MultiplyBytes<5, 2>, 2, MultiplyBytes<5, 1>}, {MultiplyBytes<6, 2>, 2, MultiplyBytes<6, 1>}};
constexpr size_t kMostPanels = 4, kMostRows = 6;

// In a build that cannot have relaxed dot products their kernels are left out; natively the tests
// run them in plain steps.
#if defined(__wasm_simd128__) && !defined(__wasm_relaxed_simd__)
constexpr bool kOnlyWide = true;
#else
constexpr bool kOnlyWide = false;
#endif

std::span<const Choice> Kernels(DotWay way) {
  if (kOnlyWide || way == DotWay::kWide) return kWideKernels;
  return kByteKernels;
}

// How many of `left` rows go together next: as many as a kernel takes; the last two groups are
// about even. Of int16, eight rows are quicker as five and three than as four and four.
size_t NextRows(size_t left, DotWay way) {
  if (left <= kMostRows) return left;
  const size_t half = (left + 1) / 2;
  return half >= kMostRows ? kMostRows : way == DotWay::kWide && half == 4 ? 5 : half;
}

// A block is the rows that pass over a piece of the weights while it stays in the first cache; its
// activations stay in the second. A multiple of what any kernel takes.
constexpr size_t kBlockMultiple = 12;
constexpr size_t kBlockRows = 96, kBlockBytes = 256 << 10;
size_t RowsOfBlock(size_t rows, size_t row_bytes) {
  const size_t most = std::clamp(kBlockBytes / row_bytes, kBlockMultiple, kBlockRows);
  const size_t blocks = (rows + most - 1) / most;
  const size_t even = (rows + blocks - 1) / blocks;
  return (even + kBlockMultiple - 1) / kBlockMultiple * kBlockMultiple;
}

// One task takes so many panels of a block.
constexpr size_t kTaskPanels = 16;

// Four outputs from `first` on; those that are missing are zero.
CLIPGLOT_ROW_FUNCTION void PackPanel(const Matrix& weight, std::span<const float> bias,
                                     size_t first, uint8_t* to) {
  const size_t in = weight.columns, outputs = std::min(kPanelOutputs, weight.rows - first);
  const int8_t* from = weight.i8().data() + first * in;
  PanelTail tail = {};
  I32x4 sums[kPanelOutputs] = {};
  size_t c = 0;
  if (outputs == kPanelOutputs) {
    for (; c + 16 <= in; c += 16, to += 16 * kPanelOutputs) {
      I32x4 v[kPanelOutputs];
      for (size_t o = 0; o < kPanelOutputs; ++o) {
        const I8x16 bytes = simd::LoadI8(from + o * in + c);
        sums[o] += simd::AddFours(bytes);
        v[o] = (I32x4)bytes;
      }
      simd::Transpose(v);
      std::memcpy(to, v, sizeof(v));
    }
  }
  for (size_t o = 0; o < outputs; ++o)
    tail.sums[o] = sums[o][0] + sums[o][1] + sums[o][2] + sums[o][3];
  for (; c < Q8PaddedColumns(in); c += kQ8Step, to += kVectorBytes) {
    int8_t values[kPanelOutputs][kQ8Step] = {};
    for (size_t o = 0; o < outputs; ++o) {
      for (size_t k = 0; k < kQ8Step && c + k < in; ++k) {
        values[o][k] = from[o * in + c + k];
        tail.sums[o] += values[o][k];
      }
    }
    std::memcpy(to, values, sizeof(values));
  }
  std::copy_n(weight.scales.begin() + static_cast<ptrdiff_t>(first), outputs, tail.scales);
  if (!bias.empty()) std::copy_n(bias.begin() + static_cast<ptrdiff_t>(first), outputs, tail.bias);
  std::memcpy(to, &tail, sizeof(tail));
}

}  // namespace

Result<LinearQ8> LinearQ8::Create(const Matrix& weight, std::span<const float> bias) {
  LinearQ8 out;
  out.in_ = weight.columns;
  out.out_ = weight.rows;
  const size_t panels = (weight.rows + kPanelOutputs - 1) / kPanelOutputs;
  CLIPGLOT_ASSIGN_OR_RETURN(
      out.panels_,
      AlignedBuffer::TryAllocate(uint64_t{panels} * PanelBytes(weight.columns), "8-bit weights"));
  for (size_t p = 0; p < panels; ++p) {
    PackPanel(weight, bias, p * kPanelOutputs,
              out.panels_.as<uint8_t>().data() + p * PanelBytes(weight.columns));
  }
  for (size_t p = 0; p < panels; p += kWidePanels) {
    const uint8_t* group[kWidePanels];
    out.Group(p, group);
    const WideOffsets offsets = OffsetsOf(group, weight.columns);
    for (size_t i = 0; i < kWidePanels && p + i < panels; ++i) {
      auto* to = out.panels_.as<uint8_t>().data() + (p + i + 1) * PanelBytes(weight.columns) -
                 sizeof(PanelTail) + offsetof(PanelTail, wide_offsets);
      for (const auto& of_half : offsets.of)
        to = std::copy_n(reinterpret_cast<const uint8_t*>(of_half + i * kPanelOutputs),
                         sizeof(I32x4), to);
    }
  }
  return out;
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
  CLIPGLOT_RETURN_IF_ERROR(workspace.ReserveQ8(rows, in_));
  for (size_t r = 0; r < rows; r += kQ8PassRows) {
    const size_t count = std::min(kQ8PassRows, rows - r);
    const bool wide = workspace.way == DotWay::kWide && count >= kWideProductLeast;
    (this->*(wide ? &LinearQ8::RunWidePass : &LinearQ8::RunPass))(
        x + r * in_, count, y + r * out_, pool_ns / rows * count, workspace);
  }
  return OkStatus();
}

void LinearQ8::RunPass(const float* x, size_t rows, float* y, uint64_t pool_ns,
                       Workspace::Impl& workspace) const {
  const DotWay way = workspace.way;
  const std::span<const Choice> kernels = Kernels(way);
  const size_t columns = Q8PaddedColumns(in_), row_bytes = columns * Q8ValueBytes(way);
  const size_t block_rows = RowsOfBlock(rows, row_bytes);
  auto* q = workspace.quantized.as<uint8_t>().data();
  static_assert(sizeof(Row) <= kQ8RowParamBytes && sizeof(WideRow) <= kQ8RowParamBytes);
  Row* params = workspace.row_params.as<Row>().data();

  // Calls work(first row, how many) for each group of rows that a kernel takes.
  const auto each_group = [&](size_t begin, size_t end, const auto& work) {
    for (size_t r = begin; r < end;) {
      const size_t count = NextRows(end - r, way);
      work(r, count);
      r += count;
    }
  };
  const auto quantize = [&](size_t begin, size_t end) {
    each_group(begin, end, [&](size_t first, size_t count) {
      for (size_t i = 0; i < count; ++i) {
        const RowQuantization row =
            QuantizeRowQ8(x + (first + i) * in_, in_, count, way,
                          q + first * row_bytes + i * kQ8Step * Q8ValueBytes(way));
        params[first + i] = {row.step, way == DotWay::kWide       ? 0
                                       : way == DotWay::kUnsigned ? row.zero_point + 128
                                                                  : row.zero_point};
      }
    });
  };
  {
    const ProfileScope scope(workspace.profile, Work::kQuantization);
    RunRanges(workspace, rows, block_rows, /*nanoseconds=*/uint64_t{rows} * in_,
              [&](size_t begin, size_t end) {
                for (size_t r = begin; r < end; r += block_rows)
                  quantize(r, std::min(r + block_rows, end));
              });
  }

  const size_t panel_bytes = PanelBytes(in_), panels = this->panels();
  const size_t panel_ranges = (panels + kTaskPanels - 1) / kTaskPanels,
               blocks = (rows + block_rows - 1) / block_rows;
  // Panels that one pass over the rows takes.
  const size_t together = kernels[std::min(rows, kMostRows) - 1].panels;
  RunTasks(workspace, panel_ranges * blocks, pool_ns, [&](size_t, size_t index) {
    const size_t first_panel = index % panel_ranges * kTaskPanels,
                 last_panel = std::min(first_panel + kTaskPanels, panels);
    const size_t first_row = index / panel_ranges * block_rows,
                 last_row = std::min(first_row + block_rows, rows);
    for (size_t p = first_panel; p < last_panel; p += together) {
      const size_t stop = std::min(p + together, last_panel);
      each_group(first_row, last_row, [&](size_t first, size_t count) {
        const Choice& choice = kernels[count - 1];
        for (size_t at = p; at < stop;) {
          const bool wide = at + choice.panels <= stop;
          const size_t width = wide ? choice.panels : 1, column = at * kPanelOutputs;
          const bool whole = column + width * kPanelOutputs <= out_;
          float part[kMostRows * kMostPanels * kPanelOutputs];
          const Tile tile = {.panels = panels_.as<uint8_t>().data() + at * panel_bytes,
                             .panel_bytes = panel_bytes,
                             .columns = columns,
                             .x = q + first * row_bytes,
                             .rows = params + first,
                             .y = whole ? y + first * out_ + column : part,
                             .stride = whole ? out_ : width * kPanelOutputs,
                             .x_unsigned = way == DotWay::kUnsigned};
          (wide ? choice.wide : choice.narrow)(tile);
          for (size_t i = 0; !whole && i < count; ++i) {
            std::copy_n(part + i * tile.stride, out_ - column, y + (first + i) * out_ + column);
          }
          at += width;
        }
      });
    }
  });
}

void LinearQ8::RunWidePass(const float* x, size_t rows, float* y, uint64_t pool_ns,
                           Workspace::Impl& workspace) const {
  const size_t blocks = (rows + kWideBlockRows - 1) / kWideBlockRows,
               block_rows = ((rows + blocks - 1) / blocks + 3) / 4 * 4,
               block_values = static_cast<size_t>(WideBlockValues(block_rows, in_));
  const auto rows_of = [&](size_t block) {
    return std::min(block_rows, rows - block * block_rows);
  };
  auto* q = workspace.quantized.as<int16_t>().data();
  WideRow* params = workspace.row_params.as<WideRow>().data();
  {
    const ProfileScope scope(workspace.profile, Work::kQuantization);
    constexpr size_t kTaskPairs = 8;
    const size_t tasks = (block_rows / 2 + kTaskPairs - 1) / kTaskPairs;
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
  const size_t panel_ranges = (panels + kTaskPanels - 1) / kTaskPanels;
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
