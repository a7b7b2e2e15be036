#include "nn/int8/product.h"

#include <algorithm>
#include <cstring>

#include "base/math.h"
#include "nn/int8/kernels.h"
#include "nn/int8/quantize.h"
#include "nn/int8/strassen_product.h"

namespace clipglot {
namespace {

// Rows that a product takes at once: what is made of their activations must fit in memory.
constexpr size_t kPassRows = 1024;

// How many of `left` rows go together next: as many as a kernel takes; the last two groups are
// about even.
size_t NextRows(size_t left, const Int8Path& path) {
  const size_t max = path.kernels.size();
  if (left <= max) return left;
  const size_t half = (left + 1) / 2;
  return half >= max ? max : half == 4 ? path.first_of_eight : half;
}

// Calls work(first row, how many) for each group of rows that a kernel takes.
template <typename Work>
void ForEachRowGroup(size_t begin, size_t end, const Int8Path& path, const Work& work) {
  for (size_t r = begin; r < end;) {
    const size_t count = NextRows(end - r, path);
    work(r, count);
    r += count;
  }
}

// A block is the rows that pass over a piece of the weights while it stays in the first cache; its
// activations stay in the second. A multiple of what a kernel takes at most.
constexpr size_t kBlockRows = 96, kBlockBytes = 256 << 10;
size_t RowsOfBlock(size_t rows, size_t row_bytes, size_t max_of_kernel) {
  const size_t multiple = 2 * max_of_kernel;
  const size_t max = std::clamp(kBlockBytes / row_bytes, multiple, kBlockRows);
  const size_t blocks = CeilDiv(rows, max);
  return RoundUp(CeilDiv(rows, blocks), multiple);
}

// One task takes so many panels of a block; one pass over the rows as many as fill a line of the
// cache of each row of y.
constexpr size_t kTileOutputs = kMaxPanels * kPanelOutputs;
static_assert(kInt8TaskPanels % kMaxPanels == 0);

// The first `outputs` of each row of a tile to `y`. Rows of y often lie so far apart that few of
// them fit into the first cache: each is written once, whole.
void StoreTile(const float* tile, size_t rows, size_t outputs, float* y, size_t stride) {
  for (size_t r = 0; r < rows; ++r, tile += kTileOutputs, y += stride) {
    if (outputs == kTileOutputs) {
      std::memcpy(y, tile, kTileOutputs * sizeof(float));
    } else {
      std::copy_n(tile, outputs, y);
    }
  }
}

}  // namespace

struct Int8Product::Pass {
  const float* x;
  size_t rows;
  float* y;
  size_t block_rows;
  uint8_t* values;    // of all rows, quantised: row_bytes each
  std::byte* params;  // what belongs to them: row_params each
  size_t row_bytes, row_params;
};

Result<std::unique_ptr<Product>> Int8Product::Create(const Matrix& weight,
                                                     std::span<const float> bias,
                                                     const Int8Path& path,
                                                     Workspace::Impl* workspace) {
  auto out = std::unique_ptr<Int8Product>(new Int8Product(path));
  CLIPGLOT_ASSIGN_OR_RETURN(out->panels_, Int8Panels::Create(weight, bias, workspace));
  if (path.acc16_weights) {
    CLIPGLOT_ASSIGN_OR_RETURN(
        out->acc16_, Acc16Weights::Create(out->panels_.bytes(), weight.columns, workspace));
  }
  if (path.strassen_min_rows != kNever) FoldStrassenOffsets(out->panels_, workspace);
  return std::unique_ptr<Product>(std::move(out));
}

ScratchNeed Int8Product::Scratch(size_t rows) const {
  const uint64_t pass = std::min(rows, kPassRows);
  const ScratchNeed need = {
      .activations = pass * Int8PaddedColumns(panels_.in()) * path_.value_bytes,
      .row_params = pass * path_.params_bytes(panels_.in()),
      .per_thread = 0};
  if (path_.strassen_min_rows == kNever) return need;
  return ScratchNeed::Max(need, Int8StrassenProduct::Scratch(pass, panels_.in()));
}

Status Int8Product::Run(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                        Workspace::Impl& workspace) {
  CLIPGLOT_RETURN_IF_ERROR(workspace.Reserve(Scratch(rows)));
  for (size_t r = 0; r < rows; r += kPassRows) {
    const size_t count = std::min(kPassRows, rows - r);
    const uint64_t pass_nanoseconds = nanoseconds / rows * count;
    const float* from = x + r * panels_.in();
    float* to = y + r * panels_.out();
    count >= path_.strassen_min_rows
        ? Int8StrassenProduct(panels_).Run(from, count, to, pass_nanoseconds, workspace)
        : RunPass(from, count, to, pass_nanoseconds, workspace);
  }
  return OkStatus();
}

void Int8Product::RunPass(const float* x, size_t rows, float* y, uint64_t nanoseconds,
                          Workspace::Impl& workspace) const {
  const size_t row_bytes = Int8PaddedColumns(panels_.in()) * path_.value_bytes;
  const Pass pass = {.x = x,
                     .rows = rows,
                     .y = y,
                     .block_rows = RowsOfBlock(rows, row_bytes, path_.kernels.size()),
                     .values = workspace.activations.as<uint8_t>().data(),
                     .params = workspace.row_params.data(),
                     .row_bytes = row_bytes,
                     .row_params = path_.params_bytes(panels_.in())};
  QuantizeBlocks(pass, workspace);
  const size_t panel_ranges = CeilDiv(panels_.count(), kInt8TaskPanels),
               blocks = CeilDiv(rows, pass.block_rows);
  RunTasks(workspace, panel_ranges * blocks, nanoseconds, [&](size_t, size_t index) {
    ForEachTile(pass, index / panel_ranges, index % panel_ranges * kInt8TaskPanels);
  });
}

void Int8Product::QuantizeBlocks(const Pass& pass, Workspace::Impl& workspace) const {
  const ProfileScope scope(workspace.profile, ProfileCategory::kQuantization);
  const size_t in = panels_.in();
  const auto quantize = [&](size_t first, size_t count) {
    path_.quantize(pass.x + first * in, count, in, pass.values + first * pass.row_bytes,
                   pass.params + first * pass.row_params);
  };
  RunRanges(workspace, pass.rows, pass.block_rows, /*nanoseconds=*/uint64_t{pass.rows} * in,
            [&](size_t begin, size_t end) {
              for (size_t r = begin; r < end; r += pass.block_rows)
                ForEachRowGroup(r, std::min(r + pass.block_rows, end), path_, quantize);
            });
}

// All tiles of a block's rows and kInt8TaskPanels panels.
void Int8Product::ForEachTile(const Pass& pass, size_t block, size_t first_panel) const {
  const size_t last_panel = std::min(first_panel + kInt8TaskPanels, panels_.count());
  const size_t first_row = block * pass.block_rows,
               last_row = std::min(first_row + pass.block_rows, pass.rows);
  for (size_t p = first_panel; p < last_panel; p += kMaxPanels) {
    const size_t stop = std::min(p + kMaxPanels, last_panel), column = p * kPanelOutputs,
                 outputs = std::min((stop - p) * kPanelOutputs, panels_.out() - column);
    ForEachRowGroup(first_row, last_row, path_, [&](size_t first, size_t count) {
      alignas(16) float tile[kMaxKernelRows * kTileOutputs];
      RunTile(pass, first, count, p, stop, tile);
      StoreTile(tile, count, outputs, pass.y + first * panels_.out() + column, panels_.out());
    });
  }
}

// A few rows by panels `first_panel` to `last_panel` - 1, at most kMaxPanels.
void Int8Product::RunTile(const Pass& pass, size_t first_row, size_t rows, size_t first_panel,
                          size_t last_panel, float* y) const {
  const MicroKernel& kernel = path_.kernels[rows - 1];
  for (size_t p = first_panel; p < last_panel;) {
    const bool many = p + kernel.panels <= last_panel;
    const Int8Tile tile = {.panels = panels_.at(p),
                           .panel_bytes = PanelBytes(panels_.in()),
                           .columns = Int8PaddedColumns(panels_.in()),
                           .x = pass.values + first_row * pass.row_bytes,
                           .params = pass.params + first_row * pass.row_params,
                           .x_unsigned = path_.activations_unsigned,
                           .acc16 = path_.acc16_weights ? acc16_.panel(p) : Acc16Panel{},
                           .y = y + (p - first_panel) * kPanelOutputs,
                           .stride = kTileOutputs};
    (many ? kernel.many : kernel.one)(tile);
    p += many ? kernel.panels : 1;
  }
}

}  // namespace clipglot
