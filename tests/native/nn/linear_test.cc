#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/int8/quantize.h"
#include "nn/reference.h"
#include "nn/testing.h"

namespace clipglot {
namespace {

using testing::Apply;
using testing::ExpectNear;
using testing::MakeWorkspace;
using testing::MatrixF32;
using testing::MatrixI8;
using testing::RandomValues;
using testing::Shape;
using testing::Values;

// Odd sizes, one row, one column, the model's own (170 and 2730 are no multiples of anything), many
// rows.
constexpr Shape kShapes[] = {{1, 1, 1},     {1, 1, 9},     {2, 3, 2},     {3, 16, 17},
                             {1, 64, 192},  {23, 64, 192}, {17, 170, 64}, {17, 64, 170},
                             {5, 2730, 33}, {1, 2730, 67}, {8, 1024, 65}, {4, 333, 1},
                             {31, 1023, 7}, {7, 588, 64},  {8192, 64, 5}};

// XNNPACK's formulas (src/xnnpack/quantization.h, xnn_compute_f32_qd8_convert), one value at a
// time.
RowQuantization ReferenceQuantize(std::span<const float> x, std::span<int8_t> q) {
  const float low = std::min(0.0f, *std::ranges::min_element(x));
  const float high = std::max(0.0f, *std::ranges::max_element(x));
  const float scale = low == high ? 1.0f : 255.0f / (high - low);
  const float from_min = -128.0f + low * scale, from_max = 127.0f + high * scale;
  float zero = from_min + from_max > 0 ? -128.0f - low * scale : 127.0f - high * scale;
  zero = std::clamp(zero, -128.0f, 127.0f);
  const RowQuantization row = {.zero_point = static_cast<int32_t>(std::lrint(zero)),
                               .step = 1.0f / scale};
  for (size_t i = 0; i < x.size(); ++i) {
    const float value = x[i] * (1.0f / row.step);
    q[i] = static_cast<int8_t>(std::clamp(std::lrint(value) + long{row.zero_point}, -128L, 127L));
  }
  return row;
}

std::vector<double> ReferenceInt8(std::span<const float> x, size_t rows, const Matrix& w,
                                  std::span<const float> bias) {
  return reference::LinearInt8(x, rows, w, bias, ReferenceQuantize);
}

TEST(LinearF32, AgreesWithTheReference) {
  const auto workspace = MakeWorkspace(2);
  unsigned seed = 100;
  for (const Shape& s : kShapes) {
    std::mt19937 random(++seed);
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed << ": " << s.rows << " x " << s.in << " -> " << s.out);
    const Matrix w = MatrixF32(random, s.out, s.in);
    const Values x = RandomValues(random, s.rows * s.in, -3, 3), b = RandomValues(random, s.out);
    for (const bool with_bias : {true, false}) {
      const std::span<const float> bias = with_bias ? b.span() : std::span<const float>();
      auto linear = Linear::Create(w, bias);
      ASSERT_TRUE(linear.ok()) << linear.status().detail();
      EXPECT_EQ(linear->in(), s.in);
      EXPECT_EQ(linear->out(), s.out);
      EXPECT_GE(linear->packed_bytes(), s.in * s.out * sizeof(float));
      ExpectNear(Apply(*linear, x, s.rows, *workspace).span(),
                 reference::Linear(x.span(), s.rows, w.f32(), bias, s.in, s.out), 1e-5);
    }
  }
}

TEST(LinearInt8, AgreesWithExactIntegers) {
  const auto workspace = MakeWorkspace(2);
  unsigned seed = 200;
  for (const Shape& s : kShapes) {
    std::mt19937 random(++seed);
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed << ": " << s.rows << " x " << s.in << " -> " << s.out);
    const Matrix w = MatrixI8(random, s.out, s.in);
    const Values x = RandomValues(random, s.rows * s.in, -3, 2), b = RandomValues(random, s.out);
    for (const bool with_bias : {true, false}) {
      const std::span<const float> bias = with_bias ? b.span() : std::span<const float>();
      auto linear = Linear::Create(w, bias);
      ASSERT_TRUE(linear.ok()) << linear.status().detail();
      EXPECT_GE(linear->packed_bytes(), s.in * s.out);
      ExpectNear(Apply(*linear, x, s.rows, *workspace).span(),
                 ReferenceInt8(x.span(), s.rows, w, bias), 1e-6);
    }
  }
}

TEST(LinearInt8, Extremes) {
  const auto workspace = MakeWorkspace(2);
  for (const size_t in : {64u, 170u, 2730u, 8192u}) {
    std::mt19937 random(300 + static_cast<unsigned>(in));
    const size_t rows = 9, out = 21;
    Values x(rows * in);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < in; ++i) {
        float& v = x[r * in + i];
        const float sign = random() % 2 ? 1.0f : -1.0f;
        if (r == 0) v = 0;         // nothing
        if (r == 1) v = 5;         // constant, positive
        if (r == 2) v = -5;        // constant, negative
        if (r == 3) v = sign * 3;  // both ends only
        if (r == 4)
          v = i == in / 2 ? 1e6f : sign * 0.5f;  // one huge outlier: the rest rounds to nothing
        if (r == 5) v = i == in / 2 ? -1e6f : sign;
        if (r == 6) v = sign * 1e30f;
        if (r == 7) v = sign * 1e-30f;
        if (r == 8) v = i % 2 ? 0.0f : -0.0f;
      }
    }
    for (const int pattern : {0, 1, 2, 3}) {
      Matrix w = MatrixI8(random, out, in);
      for (size_t o = 0; o < out; ++o) {
        for (size_t i = 0; i < in; ++i) {
          int8_t& v = w.values.as<int8_t>()[o * in + i];
          if (pattern == 0) v = 127;
          if (pattern == 1) v = -127;
          if (pattern == 2) v = random() % 2 ? 127 : -127;
          if (pattern == 3)
            v = o % 2 ? 0 : static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
        }
      }
      if (pattern == 3) w.scales[0] = 0;
      const Values b = RandomValues(random, out);
      auto linear = Linear::Create(w, b.span());
      ASSERT_TRUE(linear.ok());
      const Values y = Apply(*linear, x, rows, *workspace);
      // Row by row: the rows are of very different size.
      for (size_t r = 0; r < rows; ++r) {
        SCOPED_TRACE(::testing::Message() << "in " << in << " pattern " << pattern << " row " << r);
        const auto row = y.span().subspan(r * out, out);
        ExpectNear(row, ReferenceInt8(x.span().subspan(r * in, in), 1, w, b.span()), 1e-6);
        if (r == 0 || r == 8) {
          EXPECT_TRUE(testing::SameBits(row, b.span()));
        }
      }
    }
  }
}

TEST(Linear, NanAndInfinityStayInTheirRow) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(400);
  for (const bool int8 : {false, true}) {
    for (const Shape& s : {Shape{12, 100, 19}, {29, 170, 33}}) {
      auto linear =
          Linear::Create(int8 ? MatrixI8(random, s.out, s.in) : MatrixF32(random, s.out, s.in), {});
      ASSERT_TRUE(linear.ok());
      const Values clean = RandomValues(random, s.rows * s.in);
      for (const float bad : {NAN, INFINITY, -INFINITY, std::numeric_limits<float>::max()}) {
        testing::ExpectBadStaysInItsRow(clean, s, bad, [&](const Values& x, size_t rows) {
          return Apply(*linear, x, rows, *workspace);
        });
      }
    }
  }
}

TEST(QuantizeRow, IsXnnpacksConversion) {
  std::mt19937 random(500);
  for (const size_t columns : {1u, 3u, 15u, 16u, 17u, 170u, 1024u, 2730u}) {
    for (const auto& [low, high] :
         {std::pair(-1.0f, 1.0f), {0.0f, 3.0f}, {-3.0f, 0.0f}, {2.0f, 3.0f}, {-0.01f, 100.0f}}) {
      const Values x = RandomValues(random, columns, low, high);
      std::vector<int8_t> q(columns), wanted_q(columns);
      const RowQuantization row = QuantizeRow(x.span().data(), columns, q.data());
      const RowQuantization wanted = ReferenceQuantize(x.span(), wanted_q);
      EXPECT_EQ(row.zero_point, wanted.zero_point);
      EXPECT_EQ(row.step, wanted.step);
      EXPECT_EQ(q, wanted_q);
    }
  }
}

TEST(QuantizeRow, IsDefinedForEveryRow) {
  for (const float v : {0.0f, -0.0f, 1e-45f, 1e-38f, -1e-36f}) {
    const std::vector<float> x(37, v);
    std::vector<int8_t> q(37, 99);
    const RowQuantization row = QuantizeRow(x.data(), x.size(), q.data());
    EXPECT_TRUE(std::isnormal(row.step));
    for (const int8_t value : q) EXPECT_EQ(value, row.zero_point);
  }
  for (const float v : {NAN, INFINITY, -INFINITY}) {
    for (const size_t at : {0u, 5u, 16u, 36u}) {
      std::vector<float> x(37, 1.0f);
      x[at] = v;
      std::vector<int8_t> q(37);
      EXPECT_TRUE(std::isnan(QuantizeRow(x.data(), x.size(), q.data()).step));
    }
  }
}

// The promise of nn.h: the same bits alone, at any place of a batch, on any number of threads.
TEST(Linear, SameBitsAloneAndInABatchOnAnyThreads) {
  for (const bool int8 : {false, true}) {
    // The last two are large enough to be spread over threads.
    for (const Shape& s :
         {Shape{23, 64, 192}, {17, 170, 64}, {9, 64, 5}, {37, 2730, 257}, {64, 1024, 1024}}) {
      std::mt19937 random(600);
      SCOPED_TRACE(::testing::Message()
                   << (int8 ? "int8 " : "f32 ") << s.rows << " x " << s.in << " -> " << s.out);
      const Values b = RandomValues(random, s.out);
      auto linear = Linear::Create(
          int8 ? MatrixI8(random, s.out, s.in) : MatrixF32(random, s.out, s.in), b.span());
      ASSERT_TRUE(linear.ok());
      const Values x = RandomValues(random, s.rows * s.in, -2, 2);
      const auto one_thread = MakeWorkspace(1);
      const Values wanted = Apply(*linear, x, s.rows, *one_thread);
      for (const size_t threads : {2u, 3u}) {
        const auto workspace = MakeWorkspace(threads);
        EXPECT_TRUE(testing::SameBits(Apply(*linear, x, s.rows, *workspace).span(), wanted.span()))
            << threads;
      }
      testing::ExpectSameBitsInParts(x, wanted, s, [&](const Values& part, size_t rows) {
        return Apply(*linear, part, rows, *one_thread);
      });
    }
  }
}

TEST(Linear, DoesNotKeepTheCallersWeights) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(700);
  for (const bool int8 : {false, true}) {
    Matrix w = int8 ? MatrixI8(random, 40, 50) : MatrixF32(random, 40, 50);
    std::vector<float> bias(40, 1.0f);
    auto linear = Linear::Create(w, bias);
    ASSERT_TRUE(linear.ok());
    const Values x = RandomValues(random, 3 * 50);
    const Values wanted = Apply(*linear, x, 3, *workspace);
    std::ranges::fill(w.values.bytes(), std::byte{0x55});
    w = Matrix();
    std::vector<float>().swap(bias);
    Linear moved = std::move(*linear);
    EXPECT_TRUE(testing::SameBits(Apply(moved, x, 3, *workspace).span(), wanted.span()));
  }
}

TEST(Linear, RejectsMismatchedShapes) {
  std::mt19937 random(800);
  const auto workspace = MakeWorkspace(1);
  const auto code = [](const Matrix& w, std::span<const float> bias) {
    return Linear::Create(w, bias).status().code();
  };
  EXPECT_EQ(code(Matrix(), {}), Code::kInvalidArgument);
  EXPECT_EQ(code(MatrixF32(random, 4, 0), {}), Code::kInvalidArgument);
  EXPECT_EQ(code(MatrixF32(random, 4, 4), std::vector<float>(3)), Code::kInvalidArgument);
  Matrix w = MatrixF32(random, 4, 4);
  w.format = WeightFormat::kInt4Block32;  // has no scales of blocks
  EXPECT_EQ(code(w, {}), Code::kInvalidArgument);
  w = MatrixF32(random, 4, 4);
  w.rows = 5;
  EXPECT_EQ(code(w, {}), Code::kInvalidArgument);
  w.rows = SIZE_MAX;
  EXPECT_EQ(code(w, {}), Code::kOutOfMemory);
  w = MatrixI8(random, 4, 4);
  w.scales.pop_back();
  EXPECT_EQ(code(w, {}), Code::kInvalidArgument);
  for (const float scale : {-1.0f, NAN, INFINITY}) {
    w = MatrixI8(random, 4, 4);
    w.scales[2] = scale;
    EXPECT_EQ(code(w, {}), Code::kInvalidArgument);
  }
  EXPECT_EQ(code(MatrixI8(random, 1, 65537), {}), Code::kInvalidArgument);

  auto linear = Linear::Create(MatrixF32(random, 4, 4), {});
  ASSERT_TRUE(linear.ok());
  Values x(8), y(8);
  EXPECT_EQ(linear->Run(x.span(), 2, y.span(), *workspace).code(), Code::kOk);
  EXPECT_EQ(linear->Run(x.span(), 0, y.span(), *workspace).code(), Code::kOk);
  EXPECT_EQ(linear->Run(x.span().first(7), 2, y.span(), *workspace).code(), Code::kInvalidArgument);
  EXPECT_EQ(linear->Run(x.span(), 2, y.span().first(7), *workspace).code(), Code::kInvalidArgument);
  EXPECT_EQ(linear->Run(x.span(), SIZE_MAX, y.span(), *workspace).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace clipglot
