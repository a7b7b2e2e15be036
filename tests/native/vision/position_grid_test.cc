// Interpolated positions, against torch.nn.functional.interpolate(x, size, mode="bicubic",
// align_corners=False).
#include "vision/position_grid.h"

#include <gtest/gtest.h>

#include <vector>

namespace clipglot {
namespace {

constexpr size_t kGrid = 5;
// (7 r² + 3 c + 5 r c) mod 11 - 5 at row r, column c.
std::vector<float> Numbers(size_t width) {
  std::vector<float> numbers;
  for (size_t place = 0; place < kGrid * kGrid; ++place) {
    const size_t r = place / kGrid, c = place % kGrid;
    for (size_t i = 0; i < width; ++i) {
      const float number = static_cast<float>((7 * r * r + 3 * c + 5 * r * c) % 11) - 5;
      numbers.push_back(number * static_cast<float>(i + 1));
    }
  }
  return numbers;
}

TEST(ResizePositions, GivesWhatPyTorchGives) {
  const std::vector<float> wanted[] = {
      {5.0f},
      {-0.9286041259765625f, 4.7013092041015625f, -0.486328125f, 2.15960693359375f},
      {-2.524690866470337f, -1.074073076248169f, 0.15775099396705627f, 1.518519639968872f, 5.0f,
       -3.1296310424804688f, -1.235253930091858f, -2.814816474914551f, 0.5510988831520081f},
      {-4.039499759674072f, -1.0884733200073242f, 3.7300782203674316f, -2.622169256210327f,
       2.139087200164795f, 0.03730893135070801f, 0.1599586009979248f, 0.5087759494781494f,
       2.678652286529541f, -0.20353198051452637f, -0.6578373908996582f, -2.304413080215454f,
       -2.3133344650268555f, -1.8589668273925781f, -0.3931694030761719f, 0.6614179611206055f}};
  constexpr size_t kWidth = 3;
  const std::vector<float> from = Numbers(kWidth);
  for (size_t size = 1; size < kGrid; ++size) {
    std::vector<float> to(size * size * kWidth, 99);
    ResizePositions(from, kGrid, kWidth, size, to);
    for (size_t i = 0; i < to.size(); ++i) {
      const auto factor = static_cast<float>(i % kWidth + 1);
      EXPECT_NEAR(to[i], factor * wanted[size - 1][i / kWidth], 4e-6 * factor) << size << " " << i;
    }
  }
  std::vector<float> same(from.size());
  ResizePositions(from, kGrid, kWidth, kGrid, same);
  EXPECT_EQ(same, from);
}

}  // namespace
}  // namespace clipglot
