#include "vision/position_grid.h"

#include <algorithm>
#include <cmath>

namespace clipglot {
namespace {

constexpr size_t kTaps = 4;
struct Taps {
  size_t at[kTaps];
  float weight[kTaps];
};

// Which places make place k of `size`, and how much of each.
Taps TapsOf(size_t k, size_t grid, size_t size) {
  constexpr float a = -0.75f;
  const float place =
      (static_cast<float>(k) + 0.5f) * static_cast<float>(grid) / static_cast<float>(size) - 0.5f;
  const float below = std::floor(place), t = place - below;
  const auto near = [](float x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };  // |x| <= 1
  const auto far = [](float x) {
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  };  // 1 < |x| < 2
  Taps taps = {.at = {}, .weight = {far(t + 1), near(t), near(1 - t), far(2 - t)}};
  for (size_t i = 0; i < kTaps; ++i) {
    const float at =
        std::clamp(below - 1 + static_cast<float>(i), 0.0f, static_cast<float>(grid - 1));
    taps.at[i] = static_cast<size_t>(at);
  }
  return taps;
}

}  // namespace

void ResizePositions(std::span<const float> from, size_t grid, size_t width, size_t size,
                     std::span<float> to) {
  for (size_t row = 0; row < size; ++row) {
    const Taps rows = TapsOf(row, grid, size);
    for (size_t column = 0; column < size; ++column) {
      const Taps columns = TapsOf(column, grid, size);
      const std::span<float> out = to.subspan((row * size + column) * width, width);
      std::ranges::fill(out, 0.0f);
      for (size_t r = 0; r < kTaps; ++r) {
        for (size_t c = 0; c < kTaps; ++c) {
          const float weight = rows.weight[r] * columns.weight[c];
          const float* numbers = &from[(rows.at[r] * grid + columns.at[c]) * width];
          for (size_t i = 0; i < width; ++i) out[i] += weight * numbers[i];
        }
      }
    }
  }
}

}  // namespace clipglot
