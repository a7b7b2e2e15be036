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

TEST(LayerNorm, AgreesWithTheReference) {
  const auto workspace = MakeWorkspace(2);
  for (const unsigned seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    for (const size_t columns : {1u, 2u, 3u, 15u, 16u, 17u, 64u, 170u, 1024u, 2730u}) {
      for (const size_t rows : {1u, 5u}) {
        SCOPED_TRACE(::testing::Message() << "seed " << seed << ", " << rows << " x " << columns);
        const Values x = RandomValues(random, rows * columns, -3, 3);
        const Values residual = RandomValues(random, rows * columns);
        const Values weight = RandomValues(random, columns), bias = RandomValues(random, columns);
        Values y(rows * columns);
        for (const bool with_residual : {false, true}) {
          const std::span<const float> added =
              with_residual ? residual.span() : std::span<const float>();
          for (const double eps : {1e-5, 1e-6}) {
            LayerNorm(x.span(), added, rows, weight.span(), bias.span(), eps, y.span(), *workspace);
            const auto wanted =
                reference::LayerNorm(x.span(), added, rows, weight.span(), bias.span(), eps);
            // A single column is rounding error over eps: only then the quotient may be far off.
            const double tolerance = columns == 2 ? 1e-4 : 2e-6;
            for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], wanted[i], tolerance) << i;
          }
        }
      }
    }
  }
}

TEST(LayerNorm, KeepsSmallDeviationsOnALargeOffset) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(4);
  constexpr size_t kColumns = 1024;
  Values x = RandomValues(random, kColumns);
  for (float& v : x.span()) v = 1000.0f + v;
  Values weight(kColumns), bias(kColumns), y(kColumns);
  std::ranges::fill(weight.span(), 1.0f);
  std::ranges::fill(bias.span(), 0.0f);
  LayerNorm(x.span(), {}, 1, weight.span(), bias.span(), 1e-6, y.span(), *workspace);
  const auto wanted = reference::LayerNorm(x.span(), {}, 1, weight.span(), bias.span(), 1e-6);
  // The mean, 1000, is known to half a unit of its last place: 3e-5, over a deviation of 0.58.
  for (size_t i = 0; i < kColumns; ++i) ASSERT_NEAR(y[i], wanted[i], 6e-5);
}

TEST(LayerNorm, AcceptsConstantAndTinyRows) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(5);
  constexpr size_t kColumns = 170;
  const Values weight = RandomValues(random, kColumns), bias = RandomValues(random, kColumns);
  Values x(kColumns), y(kColumns);
  for (const float value : {0.0f, 1.0f, -7.25f, 1e30f}) {
    std::ranges::fill(x.span(), value);
    LayerNorm(x.span(), {}, 1, weight.span(), bias.span(), 1e-5, y.span(), *workspace);
    for (size_t i = 0; i < kColumns; ++i) ASSERT_EQ(y[i], bias[i]) << value;
  }
  // Values of the size of sqrt(eps): eps decides.
  Values tiny = RandomValues(random, kColumns, -1e-3f, 1e-3f);
  LayerNorm(tiny.span(), {}, 1, weight.span(), bias.span(), 1e-6, y.span(), *workspace);
  const auto wanted = reference::LayerNorm(tiny.span(), {}, 1, weight.span(), bias.span(), 1e-6);
  for (size_t i = 0; i < kColumns; ++i) ASSERT_NEAR(y[i], wanted[i], 2e-6);
}

TEST(LayerNorm, InPlaceAndOverTheResidual) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(6);
  constexpr size_t kRows = 3, kColumns = 70;
  const Values x = RandomValues(random, kRows * kColumns),
               r = RandomValues(random, kRows * kColumns);
  const Values weight = RandomValues(random, kColumns), bias = RandomValues(random, kColumns);
  Values wanted(x.size()), a(x.size()), b(x.size());
  LayerNorm(x.span(), r.span(), kRows, weight.span(), bias.span(), 1e-5, wanted.span(), *workspace);
  std::ranges::copy(x.span(), a.span().begin());
  LayerNorm(a.span(), r.span(), kRows, weight.span(), bias.span(), 1e-5, a.span(), *workspace);
  EXPECT_TRUE(testing::SameBits(a.span(), wanted.span()));
  std::ranges::copy(r.span(), b.span().begin());
  LayerNorm(x.span(), b.span(), kRows, weight.span(), bias.span(), 1e-5, b.span(), *workspace);
  EXPECT_TRUE(testing::SameBits(b.span(), wanted.span()));
}

TEST(LayerNorm, SameBitsAloneAndInABatchOnAnyThreads) {
  std::mt19937 random(8);
  constexpr size_t kRows = 301, kColumns = 1022;  // enough work to be spread
  const Values x = RandomValues(random, kRows * kColumns);
  const Values weight = RandomValues(random, kColumns), bias = RandomValues(random, kColumns);
  Values all(x.size()), one(kColumns);
  for (const size_t threads : {1u, 2u, 3u}) {
    const auto workspace = MakeWorkspace(threads);
    LayerNorm(x.span(), {}, kRows, weight.span(), bias.span(), 1e-5, all.span(), *workspace);
    for (const size_t row : {0u, 1u, 150u, 300u}) {
      LayerNorm(x.span().subspan(row * kColumns, kColumns), {}, 1, weight.span(), bias.span(), 1e-5,
                one.span(), *workspace);
      EXPECT_TRUE(testing::SameBits(one.span(), all.span().subspan(row * kColumns, kColumns)));
    }
  }
}

TEST(LayerNorm, NanStaysInItsRow) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(9);
  Values x = RandomValues(random, 2 * 20);
  x[3] = NAN;
  const Values weight = RandomValues(random, 20), bias = RandomValues(random, 20);
  Values y(2 * 20);
  LayerNorm(x.span(), {}, 2, weight.span(), bias.span(), 1e-5, y.span(), *workspace);
  EXPECT_TRUE(std::isnan(y[0]));
  for (size_t i = 20; i < 40; ++i) EXPECT_TRUE(std::isfinite(y[i]));
}

}  // namespace
}  // namespace clipglot
