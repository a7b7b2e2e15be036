#include "vision/patch_grid.h"

#include <algorithm>

#include "vision/position_grid.h"

namespace clipglot {
namespace {

Status AllocatePositions(const VisionConfig& config, PatchGrid& grid) {
  CLIPGLOT_ASSIGN_OR_RETURN(grid.own_positions,
                            AlignedBuffer::TryAllocateArray<float>(
                                uint64_t{grid.side} * grid.side * config.width, "positions"));
  grid.positions = std::as_const(grid.own_positions).as<float>();
  return OkStatus();
}

}  // namespace

PatchGrid FullGrid(const VisionConfig& config, std::span<const float> positions) {
  PatchGrid grid;
  grid.side = grid.patches = config.grid();
  grid.image_size = config.image_size;
  grid.rotary = VisionRotary(grid.side, config.head_width, config.rotary_base,
                             config.rope_reference, config.rope_interpolate);
  grid.positions = positions;
  return grid;
}

Result<PatchGrid> ScaledGrid(const VisionConfig& config, std::span<const float> positions,
                             size_t side) {
  PatchGrid grid;
  grid.side = grid.patches = side;
  // The same part of the picture is read as with all patches.
  grid.image_size = config.image_size * side / config.grid();
  grid.rotary = VisionRotary(side, config.head_width, config.rotary_base, config.rope_reference,
                             config.rope_interpolate);
  if (positions.empty()) return grid;
  CLIPGLOT_RETURN_IF_ERROR(AllocatePositions(config, grid));
  ResizePositions(positions, config.grid(), config.width, side, grid.own_positions.as<float>());
  return grid;
}

Result<PatchGrid> SampledGrid(const VisionConfig& config, const PatchGrid& full, size_t side) {
  PatchGrid grid;
  grid.side = side;
  grid.patches = full.patches;
  grid.image_size = full.image_size;
  const size_t pairs = full.rotary.pairs, width = config.width;
  grid.rotary.positions = side * side;
  grid.rotary.pairs = pairs;
  if (!full.positions.empty()) CLIPGLOT_RETURN_IF_ERROR(AllocatePositions(config, grid));
  for (size_t i = 0; i < side * side; ++i) {
    const size_t place = grid.Place(i / side) * full.side + grid.Place(i % side);
    const auto append = [&](const std::vector<float>& from, std::vector<float>& to) {
      const auto begin = from.begin() + static_cast<ptrdiff_t>(place * pairs);
      to.insert(to.end(), begin, begin + static_cast<ptrdiff_t>(pairs));
    };
    append(full.rotary.cos, grid.rotary.cos);
    append(full.rotary.sin, grid.rotary.sin);
    if (full.positions.empty()) continue;
    const std::span<const float> position = full.positions.subspan(place * width, width);
    std::copy(position.begin(), position.end(),
              grid.own_positions.as<float>().subspan(i * width, width).begin());
  }
  return grid;
}

}  // namespace clipglot
