#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "index/flat_index.h"

namespace clipglot {
namespace {

std::vector<float> RandomRows(std::mt19937& random, size_t count) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> rows(count);
  for (float& value : rows) value = uniform(random);
  return rows;
}

TEST(FlatIndex, AgreesWithSortingEverything) {
  std::mt19937 random(5);
  for (const size_t dimensions : {1u, 2u, 7u, 8u, 64u, 65u}) {
    for (const size_t count : {1u, 2u, 33u, 500u}) {
      auto index = FlatIndex::Create(dimensions);
      ASSERT_TRUE(index.ok());
      const std::vector<float> rows = RandomRows(random, count * dimensions);
      ASSERT_TRUE(index->Add(rows).ok());
      ASSERT_EQ(index->size(), count);
      const std::vector<float> query = RandomRows(random, dimensions);
      std::vector<std::pair<double, uint32_t>> all;
      for (uint32_t row = 0; row < count; ++row) {
        double dot = 0;
        for (size_t i = 0; i < dimensions; ++i)
          dot += double{rows[row * dimensions + i]} * query[i];
        all.push_back({-dot, row});
      }
      std::sort(all.begin(), all.end());
      for (const size_t k : {size_t{1}, size_t{10}, count, count + 5}) {
        const auto hits = index->Search(query, k);
        ASSERT_TRUE(hits.ok());
        ASSERT_EQ(hits->size(), std::min(k, count));
        for (size_t i = 0; i < hits->size(); ++i) {
          EXPECT_NEAR((*hits)[i].score, -all[i].first, 1e-5);
          if (i > 0) {
            EXPECT_GE((*hits)[i - 1].score, (*hits)[i].score);
          }
        }
      }
    }
  }
}

TEST(FlatIndex, EqualScoresComeInOrderOfRows) {
  auto index = FlatIndex::Create(2);
  ASSERT_TRUE(index.ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(index->Add(std::vector<float>{1, 0}).ok());
  const auto hits = index->Search(std::vector<float>{1, 0}, 5);
  ASSERT_TRUE(hits.ok());
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ((*hits)[i].row, i);
}

TEST(FlatIndex, EmptyAndCleared) {
  auto index = FlatIndex::Create(3);
  ASSERT_TRUE(index.ok());
  EXPECT_TRUE(index->Search(std::vector<float>(3), 4)->empty());
  ASSERT_TRUE(index->Add(std::vector<float>(6)).ok());
  index->Clear();
  EXPECT_EQ(index->size(), 0u);
  EXPECT_TRUE(index->Search(std::vector<float>(3), 4)->empty());
}

TEST(FlatIndex, RejectsWrongSizesAndNonFiniteValues) {
  EXPECT_EQ(FlatIndex::Create(0).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(FlatIndex::Create(4097).status().code(), Code::kInvalidArgument);
  auto index = FlatIndex::Create(2);
  ASSERT_TRUE(index.ok());
  EXPECT_EQ(index->Add(std::vector<float>(3)).code(), Code::kInvalidArgument);
  const Status status =
      index->Add(std::vector<float>{0, 0, 0, std::numeric_limits<float>::quiet_NaN()});
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.detail().find("row 1"), std::string::npos);
  EXPECT_EQ(index->size(), 0u);
  EXPECT_EQ(index->Search(std::vector<float>(3), 1).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(index->Search(std::vector<float>(2), 0).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(index->Search(std::vector<float>{0, std::numeric_limits<float>::infinity()}, 1)
                .status()
                .code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace clipglot
