// How close 4-bit weights come to what they stand for.
#include "weights/quantize_q4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "weights/model_files.h"

namespace clipglot {
namespace {

struct Quantized {
  std::vector<uint8_t> values;
  std::vector<uint16_t> scales;
  std::vector<float> numbers;  // what they stand for
};
Quantized Quantize(std::span<const float> row) {
  Quantized out{std::vector<uint8_t>(Q4RowBytes(row.size()), 0xAA),
                std::vector<uint16_t>(Q4RowBlocks(row.size()), 0xAAAA),
                std::vector<float>(row.size())};
  QuantizeRowQ4(row, out.values, out.scales);
  DequantizeQ4Row(out.values, out.scales, out.numbers);
  return out;
}

double SquaredError(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

// The plain way: scale = largest magnitude / 7 as the nearest bfloat16, values rounded to -7 ... 7.
std::vector<float> RoundToNearest(std::span<const float> row) {
  std::vector<float> out(row.size());
  for (size_t b = 0; b < row.size(); b += 32) {
    const size_t end = std::min(row.size(), b + 32);
    float largest = 0;
    for (size_t i = b; i < end; ++i) largest = std::max(largest, std::abs(row[i]));
    int exponent = 0;
    const float fraction = std::frexp(largest / 7, &exponent);  // 8 bits of fraction
    const float scale = std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
    for (size_t i = b; i < end; ++i)
      out[i] = scale == 0 ? 0 : scale * std::clamp(std::nearbyint(row[i] / scale), -7.0f, 7.0f);
  }
  return out;
}

struct Errors {
  double ours = 0, plain = 0;
  void Add(std::span<const float> row) {
    ours += SquaredError(row, Quantize(row).numbers);
    plain += SquaredError(row, RoundToNearest(row));
  }
};

TEST(QuantizeQ4, IsAtLeastATenthBelowRoundToNearest) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> gains(1030);  // log-normal columns, six of them far out
  for (float& gain : gains) gain = std::exp(0.3f * normal(random));
  for (size_t i = 0; i < 6; ++i) gains[i * 150 + 77] *= 20;
  const std::pair<const char*, std::function<float(size_t)>> kinds[] = {
      {"gaussian", [&](size_t) { return normal(random); }},
      {"columns with outliers", [&](size_t c) { return normal(random) * gains[c]; }},
      {"heavy tails", [&](size_t) { return normal(random) * std::exp(normal(random)); }},
      {"small", [&](size_t) { return normal(random) * 1e-30f; }},
  };
  for (const auto& [name, draw] : kinds) {
    Errors errors;
    std::vector<float> row(gains.size());
    for (int r = 0; r < 64; ++r) {
      for (size_t c = 0; c < row.size(); ++c) row[c] = draw(c);
      errors.Add(row);
    }
    EXPECT_LE(errors.ours, 0.9 * errors.plain) << name;
  }
}

TEST(QuantizeQ4, IsAtLeastATenthBelowRoundToNearestOnEveryMatrixOfAModel) {
  testing::ReadModel model;
  ASSERT_TRUE(testing::Read(testing::GoldenModel(), {true, true, WeightFormat::kF32}, model).ok());
  size_t matrices = 0;
  const auto check = [&](const Matrix& m, const char* name) {
    Errors errors;
    for (size_t r = 0; r < m.rows; ++r) errors.Add(m.f32().subspan(r * m.columns, m.columns));
    EXPECT_LE(errors.ours, 0.9 * errors.plain) << name;
    ++matrices;
  };
  check(model.embeddings.words, "words");
  for (const TextLayer& layer : model.text_layers) {
    check(layer.qkv.weight, "qkv");
    check(layer.out_proj.weight, "out_proj");
    check(layer.fc1.weight, "fc1");
    check(layer.fc2.weight, "fc2");
  }
  for (const VisionLayer& layer : model.vision_layers) {
    check(layer.qkv.weight, "qkv");
    check(layer.proj.weight, "proj");
    check(layer.w12.weight, "w12");
    check(layer.w3.weight, "w3");
  }
  EXPECT_EQ(matrices, 1 + 4 * model.text_layers.size() + 4 * model.vision_layers.size());
}

// Against every scale of a fine grid, both signs: what is left to gain is small.
TEST(QuantizeQ4, IsNearTheBestScale) {
  std::mt19937 random(6);
  std::normal_distribution<float> normal;
  double ours = 0, best = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<float> row(32);
    float largest = 0;
    for (float& v : row) {
      v = normal(random);
      largest = std::max(largest, std::abs(v));
    }
    ours += SquaredError(row, Quantize(row).numbers);
    double lowest = INFINITY;
    for (float steps = 4; steps < 16; steps += 0.01f) {
      for (const float scale : {largest / steps, -largest / steps}) {
        double error = 0;
        for (const float v : row) {
          const double d = v - scale * std::clamp(std::nearbyint(v / scale), -8.0f, 7.0f);
          error += d * d;
        }
        lowest = std::min(lowest, error);
      }
    }
    best += lowest;
  }
  EXPECT_LE(ours, 1.03 * best);
}

TEST(QuantizeQ4, ExactWhereItCanBe) {
  std::mt19937 random(7);
  for (const float scale : {1.0f, -0.5f, 1.5f, 0x1p-100f, -0x1.02p100f}) {
    for (const size_t columns : {1u, 2u, 31u, 32u, 33u, 95u}) {
      std::vector<float> row(columns);
      for (size_t i = 0; i < columns; ++i)
        row[i] = scale * static_cast<float>(i % 32 == 0 ? -8 : static_cast<int>(random() % 16) - 8);
      const Quantized q = Quantize(row);
      EXPECT_EQ(q.numbers, row) << scale << ", " << columns;
      for (size_t i = 0; i < columns; ++i)
        EXPECT_EQ(Q4Scale(q.scales[i / 32]) * static_cast<float>(Q4Value(q.values, i)), row[i]);
    }
  }
}

TEST(QuantizeQ4, BytesLieAsTheFormatSays) {
  std::vector<float> row(35);
  row[0] = -8, row[1] = 7, row[2] = 1, row[32] = 4, row[33] = -8, row[34] = 3;
  const Quantized q = Quantize(row);
  ASSERT_EQ(q.values.size(), 18u);
  EXPECT_EQ(q.scales, (std::vector<uint16_t>{0x3F80, 0x3F80}));
  EXPECT_EQ(q.values[0], 0xF0);   // -8 low, 7 high
  EXPECT_EQ(q.values[1], 0x89);   // 1 low, 0 high
  EXPECT_EQ(q.values[16], 0x0C);  // 4 low, -8 high
  EXPECT_EQ(q.values[17], 0x8B);  // 3 low; the half after the last column is 8
}

TEST(QuantizeQ4, ScalesAreNormalWhateverTheNumbers) {
  for (const float number : {0.0f, -0.0f, FLT_MIN, FLT_TRUE_MIN, -15 * FLT_MIN}) {
    const Quantized q = Quantize(std::vector<float>(40, number));
    EXPECT_EQ(q.numbers, std::vector<float>(40, 0.0f)) << number;
    EXPECT_EQ(q.scales, (std::vector<uint16_t>{0x3F80, 0x3F80}));
  }
  for (const float number :
       {16 * FLT_MIN, -17 * FLT_MIN, 1e-30f, 1e30f, FLT_MAX / 2, -FLT_MAX / 2}) {
    for (const float rest : {0.0f, 1.0f, -0.3f}) {
      std::vector<float> row(64, number * rest);
      row[3] = row[60] = number;
      const Quantized q = Quantize(row);
      for (const uint16_t scale : q.scales) EXPECT_TRUE(std::isnormal(Q4Scale(scale))) << number;
      EXPECT_LE(SquaredError(std::vector{q.numbers[3] / number}, std::vector{1.0f}), 0.003)
          << number;
    }
  }
}

// A row and its negative lie equally close, and each block depends on nothing but itself.
TEST(QuantizeQ4, BlocksStandAlone) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  std::vector<float> row(100), negative(100);
  for (size_t i = 0; i < row.size(); ++i) negative[i] = -(row[i] = normal(random));
  const Quantized whole = Quantize(row);
  EXPECT_EQ(SquaredError(row, whole.numbers), SquaredError(negative, Quantize(negative).numbers));
  for (size_t b = 0; b < row.size(); b += 32) {
    const size_t count = std::min<size_t>(32, row.size() - b);
    const Quantized alone = Quantize(std::span(row).subspan(b, count));
    EXPECT_EQ(alone.scales[0], whole.scales[b / 32]);
    EXPECT_TRUE(std::equal(alone.numbers.begin(), alone.numbers.end(),
                           whole.numbers.begin() + static_cast<ptrdiff_t>(b)));
  }
}

}  // namespace
}  // namespace clipglot
