#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "embedding/embedding.h"

namespace clipglot {
namespace {

TEST(Embedding, CutsFirstAndNormalisesAfterwards) {
  const std::vector<float> pooled = {3, 4, 12, 84};
  std::vector<float> out(2);
  ASSERT_TRUE(FinishEmbedding(pooled, 2, true, out).ok());
  EXPECT_FLOAT_EQ(out[0], 0.6f);
  EXPECT_FLOAT_EQ(out[1], 0.8f);
  out.resize(4);
  ASSERT_TRUE(FinishEmbedding(pooled, 0, true, out).ok());
  EXPECT_FLOAT_EQ(out[3], 84.0f / 85.0f);
}

TEST(Embedding, UnitLengthForAnyScale) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const float scale : {1e-30f, 1e-10f, 1.0f, 1e18f}) {
    std::vector<float> pooled(77), out(33);
    for (float& value : pooled) value = normal(random) * scale;
    ASSERT_TRUE(FinishEmbedding(pooled, 33, true, out).ok());
    double squares = 0;
    for (const float value : out) squares += double{value} * value;
    EXPECT_NEAR(squares, 1.0, 1e-6) << scale;
  }
}

TEST(Embedding, AZeroVectorStaysZero) {
  const std::vector<float> pooled(5);
  std::vector<float> out(5, 1.0f);
  ASSERT_TRUE(FinishEmbedding(pooled, 0, true, out).ok());
  EXPECT_EQ(out, pooled);
}

TEST(Embedding, RawOnlyAtFullLength) {
  const std::vector<float> pooled = {3, 4};
  std::vector<float> out(2);
  ASSERT_TRUE(FinishEmbedding(pooled, 0, false, out).ok());
  EXPECT_EQ(out, pooled);
  ASSERT_TRUE(FinishEmbedding(pooled, 2, false, out).ok());
  out.resize(1);
  const Status status = FinishEmbedding(pooled, 1, false, out);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.detail().find("normalized"), std::string::npos);
}

TEST(Embedding, RejectsWrongSizesAndNonFiniteValues) {
  std::vector<float> pooled = {3, 4}, out(3);
  EXPECT_EQ(FinishEmbedding(pooled, 3, true, out).code(), Code::kInvalidArgument);
  EXPECT_EQ(FinishEmbedding(pooled, 2, true, out).code(), Code::kInvalidArgument);
  out.resize(2);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    pooled[1] = bad;
    EXPECT_EQ(FinishEmbedding(pooled, 2, true, out).code(), Code::kInternal);
  }
}

}  // namespace
}  // namespace clipglot
