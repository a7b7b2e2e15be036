#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/testing.h"
#include "support/golden.h"

namespace clipglot {
namespace {

using testing::MakeWorkspace;
using testing::RandomValues;
using testing::Values;

TEST(TextRotary, AnglesAreThoseOfTheFormula) {
  for (const size_t head_dim : {2u, 16u, 64u}) {
    for (const double base : {10000.0, 20000.0}) {
      const RotaryTable table = TextRotary(600, head_dim, base);
      ASSERT_EQ(table.positions, 600u);
      ASSERT_EQ(table.pairs, head_dim / 2);
      for (size_t p = 0; p < table.positions; ++p) {
        for (size_t j = 0; j < table.pairs; ++j) {
          const double angle =
              static_cast<double>(p) *
              std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(head_dim));
          // The angle is rounded to float32: relative error of a few 2^-24.
          const double tolerance = 1e-7 + 2e-7 * angle;
          ASSERT_NEAR(table.cos[p * table.pairs + j], std::cos(angle), tolerance) << p << " " << j;
          ASSERT_NEAR(table.sin[p * table.pairs + j], std::sin(angle), tolerance) << p << " " << j;
        }
      }
    }
  }
}

// golden-a: 4 x 4 patches, heads of 32 channels, base 10000, reference 16; a table entry per
// channel, where two adjacent channels share an angle.
TEST(VisionRotary, AgreesWithUpstreamsTables) {
  const auto golden =
      testing::GoldenTensors::Load(testing::TestData("golden-a/expected.safetensors"));
  const std::vector<float> cos = golden.F32("rope.vision_cos"), sin = golden.F32("rope.vision_sin");
  ASSERT_EQ(cos.size(), 16u * 32u);
  ASSERT_EQ(sin.size(), 16u * 32u);
  const RotaryTable table = VisionRotary(4, 32, 10000, 16, true);
  ASSERT_EQ(table.positions, 16u);
  ASSERT_EQ(table.pairs, 16u);
  for (size_t p = 0; p < 16; ++p) {
    for (size_t channel = 0; channel < 32; ++channel) {
      EXPECT_NEAR(table.cos[p * 16 + channel / 2], cos[p * 32 + channel], 1e-6)
          << p << " " << channel;
      EXPECT_NEAR(table.sin[p * 16 + channel / 2], sin[p * 32 + channel], 1e-6)
          << p << " " << channel;
    }
  }
}

TEST(VisionRotary, RowThenColumnOnGridsThatDoNotDivideTheReference) {
  for (const bool interpolate : {true, false}) {
    for (const size_t grid : {1u, 3u, 7u, 36u}) {
      const size_t head_dim = 64;
      const RotaryTable table = VisionRotary(grid, head_dim, 10000, 16, interpolate);
      for (size_t p = 0; p < grid * grid; ++p) {
        for (size_t j = 0; j < 32; ++j) {
          const double index = static_cast<double>(j < 16 ? p / grid : p % grid);
          const double coordinate = interpolate ? index / static_cast<double>(grid) * 16 : index;
          const double angle =
              coordinate * std::pow(10000.0, -4.0 * static_cast<double>(j % 16) / head_dim);
          ASSERT_NEAR(table.cos[p * 32 + j], std::cos(angle), 1e-5) << grid << " " << p << " " << j;
          ASSERT_NEAR(table.sin[p * 32 + j], std::sin(angle), 1e-5) << grid << " " << p << " " << j;
        }
      }
    }
  }
}

TEST(Rotate, TurnsPairsAndLeavesTheRestAlone) {
  std::mt19937 random(21);
  const size_t heads = 3;
  for (const size_t head_dim : {4u, 12u, 16u, 32u, 64u}) {
    for (const size_t skip : {0u, 1u}) {
      for (const auto pairing : {RotaryPairing::kHalfSplit, RotaryPairing::kInterleaved}) {
        const size_t rows = 30, pairs = head_dim / 2, width = heads * head_dim;
        const RotaryTable table = TextRotary(rows, head_dim, 100);
        const Values before = RandomValues(random, rows * 3 * width);
        Values after(before.size());
        std::ranges::copy(before.span(), after.span().begin());
        const auto workspace = MakeWorkspace(2);
        Rotate(after.span(), rows, heads, head_dim, table, pairing, skip, *workspace);
        for (size_t r = 0; r < rows; ++r) {
          for (size_t i = 0; i < 3 * width; ++i) {
            const size_t at = r * 3 * width + i;
            if (r < skip || i >= 2 * width) {
              ASSERT_EQ(after[at], before[at]);
              continue;
            }
            const size_t channel = i % head_dim, head = at - channel;
            const bool split = pairing == RotaryPairing::kHalfSplit;
            const size_t j = split ? channel % pairs : channel / 2;
            const size_t first = split ? j : 2 * j, second = split ? j + pairs : 2 * j + 1;
            const double a = before[head + first], b = before[head + second];
            const double cos = table.cos[(r - skip) * pairs + j],
                         sin = table.sin[(r - skip) * pairs + j];
            ASSERT_NEAR(after[at], channel == first ? a * cos - b * sin : b * cos + a * sin, 1e-6);
          }
        }
      }
    }
  }
}

TEST(Rotate, EachSequenceBeginsAnew) {
  std::mt19937 random(23);
  const size_t heads = 4, head_dim = 16, stride = 3 * heads * head_dim;
  const RotaryTable table = TextRotary(300, head_dim, 20000);
  const std::vector<size_t> lengths = {1, 7, 300, 2, 1, 1, 64, 33, 128};
  const size_t rows = 537;
  const Values before = RandomValues(random, rows * stride);
  for (const size_t threads : {1u, 3u}) {
    for (const size_t skip : {0u, 1u}) {
      const auto workspace = MakeWorkspace(threads);
      Values together(before.size()), alone(before.size());
      std::ranges::copy(before.span(), together.span().begin());
      std::ranges::copy(before.span(), alone.span().begin());
      Rotate(together.span(), lengths, heads, head_dim, table, RotaryPairing::kHalfSplit, skip,
             *workspace);
      size_t first = 0;
      for (const size_t length : lengths) {
        Rotate(alone.span().subspan(first * stride, length * stride), length, heads, head_dim,
               table, RotaryPairing::kHalfSplit, skip, *workspace);
        first += length;
      }
      ASSERT_EQ(first, rows);
      EXPECT_TRUE(testing::SameBits(together.span(), alone.span()))
          << threads << " threads, skip " << skip;
    }
  }
}

TEST(Rotate, SameBitsOnAnyNumberOfThreads) {
  std::mt19937 random(22);
  const size_t rows = 200, heads = 16, head_dim = 64;
  const RotaryTable table = TextRotary(rows, head_dim, 20000);
  const Values before = RandomValues(random, rows * 3 * heads * head_dim);
  Values first(before.size());
  for (const size_t threads : {1u, 2u, 3u}) {
    const auto workspace = MakeWorkspace(threads);
    Values after(before.size());
    std::ranges::copy(before.span(), after.span().begin());
    Rotate(after.span(), rows, heads, head_dim, table, RotaryPairing::kHalfSplit, 0, *workspace);
    if (threads == 1) std::ranges::copy(after.span(), first.span().begin());
    EXPECT_TRUE(testing::SameBits(after.span(), first.span()));
  }
}

}  // namespace
}  // namespace clipglot
