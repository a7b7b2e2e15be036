#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/reference.h"
#include "nn/testing.h"

namespace clipglot {
namespace {

using testing::MakeWorkspace;
using testing::RandomValues;
using testing::Values;

TEST(Gelu, IsTheOneWithErfWithin1e6) {
  const auto workspace = MakeWorkspace(2);
  constexpr size_t kCount = 200'003;
  Values x(kCount), y(kCount);
  for (size_t i = 0; i < kCount; ++i)
    x[i] = y[i] = -10.0f + 20.0f * static_cast<float>(i) / (kCount - 1);
  Gelu(y.span(), *workspace);
  double worst = 0, worst_tail = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const double wanted = reference::Gelu(x[i]);
    worst = std::max(worst, std::abs(y[i] - wanted));
    if (wanted != 0) worst_tail = std::max(worst_tail, std::abs(y[i] - wanted) / std::abs(wanted));
  }
  EXPECT_LE(worst, 1e-6);
  // In the left tail the result is tiny and still right to five digits.
  EXPECT_LE(worst_tail, 1e-5);
}

TEST(Gelu, AcceptsNanInfAndTinyValues) {
  const auto workspace = MakeWorkspace(1);
  Values x(9);
  const float inputs[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 1e30f, -1e30f, INFINITY, NAN, -15.0f};
  std::ranges::copy(inputs, x.span().begin());
  Gelu(x.span(), *workspace);
  EXPECT_EQ(x[0], 0.0f);
  EXPECT_EQ(x[1], 0.0f);
  EXPECT_FLOAT_EQ(x[2], 0.5e-30f);
  EXPECT_FLOAT_EQ(x[3], -0.5e-30f);
  EXPECT_EQ(x[4], 1e30f);
  EXPECT_EQ(x[5], 0.0f);
  EXPECT_EQ(x[6], INFINITY);
  EXPECT_TRUE(std::isnan(x[7]));
  EXPECT_EQ(x[8], 0.0f);
}

TEST(Gelu, SameBitsWhereverTheNumberStands) {
  std::mt19937 random(3);
  constexpr size_t kCount = 150'001;
  const Values x = RandomValues(random, kCount, -6, 6);
  Values first(kCount);
  for (const size_t threads : {1u, 2u, 3u}) {
    const auto workspace = MakeWorkspace(threads);
    Values y(kCount);
    std::ranges::copy(x.span(), y.span().begin());
    Gelu(y.span(), *workspace);
    if (threads == 1) std::ranges::copy(y.span(), first.span().begin());
    EXPECT_TRUE(testing::SameBits(y.span(), first.span()));
    for (size_t begin : {0u, 1u, 2u, 3u, 149'998u}) {
      Values part(3);
      std::ranges::copy(x.span().subspan(begin, 3), part.span().begin());
      Gelu(part.span(), *workspace);
      EXPECT_TRUE(testing::SameBits(part.span(), first.span().subspan(begin, 3)));
    }
  }
}

TEST(SwiGlu, AgreesWithTheReference) {
  const auto workspace = MakeWorkspace(2);
  std::mt19937 random(11);
  for (const size_t hidden : {1u, 3u, 170u, 2730u}) {
    for (const size_t rows : {1u, 7u, 60u}) {
      const Values x = RandomValues(random, rows * 2 * hidden, -20, 20);
      Values y(rows * hidden);
      SwiGlu(x.span(), rows, hidden, y.span(), *workspace);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < hidden; ++c) {
          const double wanted =
              reference::Silu(x[r * 2 * hidden + c]) * x[r * 2 * hidden + hidden + c];
          ASSERT_NEAR(y[r * hidden + c], wanted, 1e-6 * std::abs(wanted) + 1e-9);
        }
      }
    }
  }
}

TEST(SwiGlu, AcceptsNanAndSaturatedGates) {
  const auto workspace = MakeWorkspace(1);
  Values x(10), y(5);
  const float gates[] = {-1000.0f, 1000.0f, -80.0f, NAN, 0.0f};
  std::ranges::copy(gates, x.span().begin());
  std::ranges::fill(x.span().subspan(5), 2.0f);
  SwiGlu(x.span(), 1, 5, y.span(), *workspace);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], 2000.0f);
  EXPECT_NEAR(y[2], 2 * reference::Silu(-80.0), 1e-36);
  EXPECT_TRUE(std::isnan(y[3]));
  EXPECT_EQ(y[4], 0.0f);
}

TEST(Add, AddsEveryElement) {
  std::mt19937 random(12);
  for (const size_t threads : {1u, 2u}) {
    const auto workspace = MakeWorkspace(threads);
    for (const size_t count : {0u, 1u, 5u, 700'001u}) {
      Values x = RandomValues(random, count);
      const Values y = RandomValues(random, count);
      std::vector<float> wanted(count);
      for (size_t i = 0; i < count; ++i) wanted[i] = x[i] + y[i];
      Add(x.span(), y.span(), *workspace);
      EXPECT_TRUE(testing::SameBits(x.span(), wanted));
    }
  }
}

}  // namespace
}  // namespace clipglot
