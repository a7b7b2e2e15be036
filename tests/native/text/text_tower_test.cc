// Several texts in one pass: the bits of each alone, in any company. (That the numbers are right is
// tests/native/engine's.)
#include "text/text_tower.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "nn/testing.h"
#include "support/allocations.h"
#include "support/asked.h"

namespace clipglot {
namespace {

using testing::MakeWorkspace;
using testing::SameBits;

constexpr size_t kMostTokens = 512, kVocabulary = 100;
constexpr int32_t kPad = 1;

TextConfig Config() {
  TextConfig config;
  config.vocab_size = kVocabulary;
  config.hidden_size = 48;
  config.layers = 2;
  config.heads = 3;
  config.intermediate_size = 100;
  config.pad_id = kPad;
  return config;
}

Matrix RandomMatrix(std::mt19937& random, WeightFormat format, size_t rows, size_t columns) {
  if (format == WeightFormat::kInt8PerRow) return testing::MatrixI8(random, rows, columns);
  if (format == WeightFormat::kInt4Block32) return testing::MatrixQ4(random, rows, columns);
  return testing::MatrixF32(random, rows, columns);
}

std::vector<float> RandomVector(std::mt19937& random, size_t count) {
  const testing::Values values = testing::RandomValues(random, count, 0.5f, 1.5f);
  return {values.span().begin(), values.span().end()};
}

NormWeights RandomNorm(std::mt19937& random, size_t count) {
  return {RandomVector(random, count), RandomVector(random, count)};
}

LinearWeights RandomLinear(std::mt19937& random, WeightFormat format, size_t out, size_t in) {
  return {RandomMatrix(random, format, out, in), RandomVector(random, out)};
}

std::unique_ptr<TextTower> MakeTower(WeightFormat format, Workspace* workspace) {
  std::mt19937 random(70);
  const TextConfig config = Config();
  const size_t hidden = config.hidden_size, inner = config.intermediate_size;
  auto tower = TextTower::Create(config, kMostTokens, workspace);
  EXPECT_TRUE(tower.ok());
  EXPECT_TRUE((*tower)
                  ->SetEmbeddings({RandomMatrix(random, format, kVocabulary, hidden),
                                   RandomVector(random, hidden), RandomNorm(random, hidden)})
                  .ok());
  for (size_t i = 0; i < config.layers; ++i) {
    EXPECT_TRUE((*tower)
                    ->AddLayer({RandomLinear(random, format, 3 * hidden, hidden),
                                RandomLinear(random, format, hidden, hidden),
                                RandomLinear(random, format, inner, hidden),
                                RandomLinear(random, format, hidden, inner),
                                RandomNorm(random, hidden), RandomNorm(random, hidden)})
                    .ok());
  }
  return std::move(*tower);
}

struct Texts {
  std::vector<size_t> lengths;
  std::vector<int32_t> ids;
};

// Without the pad id, unless `pads`.
Texts RandomTexts(std::mt19937& random, std::vector<size_t> lengths, bool pads = false) {
  Texts texts = {std::move(lengths), {}};
  texts.ids.resize(std::accumulate(texts.lengths.begin(), texts.lengths.end(), size_t{0}));
  for (int32_t& id : texts.ids) {
    id = pads && random() % 5 == 0
             ? kPad
             : kPad + 1 + static_cast<int32_t>(random() % (kVocabulary - kPad - 1));
  }
  return texts;
}

// [texts, hidden]
std::vector<float> Pooled(TextTower& tower, std::span<const int32_t> ids,
                          std::span<const size_t> lengths) {
  std::vector<float> pooled(lengths.size() * Config().hidden_size, NAN);
  const Status status = tower.Forward(ids, lengths, pooled);
  EXPECT_TRUE(status.ok()) << status.detail();
  return pooled;
}

void ExpectBitsOfEachAlone(TextTower& tower, const Texts& texts) {
  const size_t hidden = Config().hidden_size;
  const std::vector<float> together = Pooled(tower, texts.ids, texts.lengths);
  size_t first = 0;
  for (size_t i = 0; i < texts.lengths.size(); ++i) {
    const size_t length = texts.lengths[i];
    const std::vector<float> alone =
        Pooled(tower, std::span(texts.ids).subspan(first, length), {&length, 1});
    EXPECT_TRUE(std::ranges::all_of(alone, [](float v) { return std::isfinite(v); }));
    EXPECT_TRUE(SameBits(alone, std::span(together).subspan(i * hidden, hidden)))
        << "text " << i << " of " << length << " tokens, from " << first;
    first += length;
  }
}

class TextTowerTest : public ::testing::TestWithParam<WeightFormat> {};

TEST_P(TextTowerTest, SameBitsAloneAndInAnyBatch) {
  for (const size_t threads : {1u, 2u, 3u}) {
    const auto workspace = MakeWorkspace(threads);
    const auto tower = MakeTower(GetParam(), workspace.get());
    std::mt19937 random(71);
    for (int round = 0; round < 12; ++round) {
      std::vector<size_t> lengths;
      size_t left = 1 + random() % kMostTokens;
      while (left > 0) {
        lengths.push_back(1 + random() % std::min<size_t>(left, 1 + random() % 90));
        left -= lengths.back();
      }
      ExpectBitsOfEachAlone(*tower, RandomTexts(random, lengths));
    }
  }
}

TEST_P(TextTowerTest, FullGroups) {
  const auto workspace = MakeWorkspace(2);
  const auto tower = MakeTower(GetParam(), workspace.get());
  std::mt19937 random(72);
  std::vector<size_t> mixed;  // 64 texts, as many tokens as there is room for
  for (size_t i = 0; i < 63; ++i) mixed.push_back(1 + i * 5 % 13);
  mixed.push_back(kMostTokens - std::accumulate(mixed.begin(), mixed.end(), size_t{0}));
  for (const auto& lengths :
       {std::vector<size_t>(kMostTokens, 1), std::vector<size_t>{kMostTokens},
        std::vector<size_t>{1, kMostTokens - 2, 1}, std::vector<size_t>(16, 32), mixed}) {
    ExpectBitsOfEachAlone(*tower, RandomTexts(random, lengths));
  }
}

TEST_P(TextTowerTest, PadsCountInNoText) {
  const auto workspace = MakeWorkspace(2);
  const auto tower = MakeTower(GetParam(), workspace.get());
  std::mt19937 random(73);
  for (int round = 0; round < 5; ++round) {
    Texts texts = RandomTexts(random, {2, 40, 1, 9, 130, 17}, true);
    texts.ids[0] = kPad + 1;
    texts.ids[42] = kPad + 1;  // the text of one token
    ExpectBitsOfEachAlone(*tower, texts);
  }
}

// Layer by layer, the observer is asked; who traces nothing pays nothing for it.
TEST(TextTower, AsksTheObserverAndAllocatesNothing) {
  const auto workspace = MakeWorkspace(1);
  const auto tower = MakeTower(WeightFormat::kF32, workspace.get());
  const size_t layers = Config().layers;
  const std::vector<int32_t> ids = {5, 6, 7};
  const std::vector<size_t> lengths = {1, 2};
  std::vector<float> pooled(2 * Config().hidden_size);
  testing::StopAtLayer never(layers + 1);
  never.seen.reserve(layers + 1);
  ASSERT_TRUE(tower->Forward(ids, lengths, pooled).ok());  // makes what is made once
  const size_t before = testing::Allocations();
  const bool ok = tower->Forward(ids, lengths, pooled, {.observer = &never}).ok();
  EXPECT_EQ(testing::Allocations() - before, 0u);
  EXPECT_TRUE(ok);
  ASSERT_EQ(never.seen.size(), layers + 1);
  for (size_t done = 0; done <= layers; ++done)
    EXPECT_EQ(never.seen[done], std::pair(done, layers));

  // Stopped before the first layer, before the last, and too late.
  for (const size_t at : {size_t{0}, layers - 1, layers}) {
    testing::StopAtLayer stop(at);
    const Status status = tower->Forward(ids, lengths, pooled, {.observer = &stop});
    EXPECT_EQ(status.code(), at == layers ? Code::kOk : Code::kCancelled) << at;
    EXPECT_EQ(stop.seen.size(), at + 1);
  }
}

TEST(TextTower, RejectsLengthsThatDoNotMatchTheTokens) {
  const auto workspace = MakeWorkspace(1);
  const auto tower = MakeTower(WeightFormat::kF32, workspace.get());
  const std::vector<int32_t> ids = {5, 6, 7};
  std::vector<float> pooled(2 * Config().hidden_size);
  const auto code = [&](std::vector<size_t> lengths) {
    return tower->Forward(ids, lengths, pooled).code();
  };
  EXPECT_EQ(code({1, 2}), Code::kOk);
  EXPECT_EQ(code({1, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({3, 1}), Code::kInvalidArgument);
  EXPECT_EQ(code({3, 0}), Code::kInvalidArgument);
  EXPECT_EQ(code({}), Code::kInvalidArgument);
  EXPECT_EQ(code({1, 1, 1}), Code::kInvalidArgument) << "three vectors do not fit into two";
}

INSTANTIATE_TEST_SUITE_P(Numbers, TextTowerTest,
                         ::testing::Values(WeightFormat::kF32, WeightFormat::kInt8PerRow,
                                           WeightFormat::kInt4Block32),
                         [](const auto& one) { return std::string(TraitsOf(one.param).name); });

}  // namespace
}  // namespace clipglot
