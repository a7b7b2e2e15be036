#include "base/math.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace clipglot {
namespace {

TEST(MathTest, CeilDivRoundsUp) {
  EXPECT_EQ(CeilDiv(0u, 4u), 0u);
  EXPECT_EQ(CeilDiv(1u, 4u), 1u);
  EXPECT_EQ(CeilDiv(4u, 4u), 1u);
  EXPECT_EQ(CeilDiv(5u, 4u), 2u);
  EXPECT_EQ(CeilDiv(7u, 1u), 7u);
}

TEST(MathTest, CeilDivDoesNotOverflow) {
  constexpr auto kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(CeilDiv(kMax, 2), uint64_t{1} << 63);
  EXPECT_EQ(CeilDiv(kMax, kMax), 1u);
  EXPECT_EQ(CeilDiv(kMax - 1, kMax), 1u);
}

TEST(MathTest, RoundsToMultiples) {
  EXPECT_EQ(RoundUp(0u, 8u), 0u);
  EXPECT_EQ(RoundUp(1u, 8u), 8u);
  EXPECT_EQ(RoundUp(8u, 8u), 8u);
  EXPECT_EQ(RoundUp(9u, 3u), 9u);
  EXPECT_EQ(RoundDown(7u, 8u), 0u);
  EXPECT_EQ(RoundDown(8u, 8u), 8u);
  EXPECT_EQ(RoundDown(17u, 8u), 16u);
}

}  // namespace
}  // namespace clipglot
