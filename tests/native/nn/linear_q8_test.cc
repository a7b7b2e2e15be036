// Our own products with 8-bit weights, each way of multiplying against exact integers.
#include "nn/linear_q8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/quantize.h"
#include "nn/reference.h"
#include "nn/testing.h"
#include "nn/workspace_impl.h"

namespace clipglot {
namespace {

using testing::ExpectNear;
using testing::MakeWorkspace;
using testing::MatrixI8;
using testing::RandomValues;
using testing::SameBits;
using testing::Shape;
using testing::Values;

// Ways that can be tried here: all in plain steps, or what the engine can do and what always works.
std::vector<DotWay> Ways() {
#ifdef __wasm_simd128__
  return {DotWay::kWide, ProbeDotWay()};
#else
  return {DotWay::kWide, DotWay::kUnsigned, DotWay::kSigned};
#endif
}

Values Apply(const LinearQ8& linear, const Values& x, size_t rows, size_t out, DotWay way,
             size_t threads = 1, bool pool = false) {
  const auto workspace = MakeWorkspace(threads);
  workspace->impl().way = way;
  Values y(rows * out);
  std::ranges::fill(y.span(), NAN);
  const Status status = linear.Run(x.span().data(), rows, y.span().data(),
                                   pool ? uint64_t{1} << 40 : 0, workspace->impl());
  EXPECT_TRUE(status.ok()) << status.detail();
  return y;
}

std::vector<double> Reference(std::span<const float> x, size_t rows, const Matrix& w,
                              std::span<const float> bias) {
  return reference::LinearInt8(x, rows, w, bias, [](std::span<const float> row, auto q) {
    return QuantizeRow(row.data(), row.size(), q.data());
  });
}

TEST(LinearQ8, EveryWayGivesTheExactIntegers) {
  std::vector<Shape> shapes = {{17, 170, 64}, {5, 2730, 33}, {31, 1023, 7},
                               {4, 333, 1},   {8192, 64, 5}, {100, 48, 130},
                               {13, 40, 36},  {97, 300, 70}, {2, 65536, 3}};
  // Ends of a block of many rows, of a chunk of columns, of the sixteen outputs, and of a pass.
  for (const size_t rows : {15u, 16u, 17u, 18u, 19u, 127u, 128u, 129u, 257u})
    for (const Shape& s : {Shape{rows, 1, 1}, {rows, 12, 15}, {rows, 40, 16}, {rows, 84, 17}})
      shapes.push_back(s);
  shapes.insert(shapes.end(), {{18, 1032, 20}, {16, 2060, 16}, {1027, 20, 5}, {1040, 8, 33}});
  for (size_t rows = 1; rows <= 14; ++rows)
    for (const size_t in : {1u, 3u, 4u, 7u, 8u, 15u, 16u, 17u, 31u, 100u})
      for (const size_t out : {1u, 2u, 4u, 5u, 19u}) shapes.push_back({rows, in, out});
  unsigned seed = 1000;
  for (const Shape& s : shapes) {
    std::mt19937 random(++seed);
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed << ": " << s.rows << " x " << s.in << " -> " << s.out);
    Matrix w = MatrixI8(random, s.out, s.in);
    for (int8_t& v : w.values.as<int8_t>()) {
      if (random() % 8 == 0) v = random() % 2 ? -128 : 127;
    }
    const Values x = RandomValues(random, s.rows * s.in, -3, 2), b = RandomValues(random, s.out);
    const bool with_bias = seed % 2 == 0;
    const std::span<const float> bias = with_bias ? b.span() : std::span<const float>();
    auto linear = LinearQ8::Create(w, bias);
    ASSERT_TRUE(linear.ok()) << linear.status().detail();
    EXPECT_GE(linear->packed_bytes(), s.in * s.out);
    const auto wanted = Reference(x.span(), s.rows, w, bias);
    const Values first = Apply(*linear, x, s.rows, s.out, DotWay::kWide);
    for (const DotWay way : Ways()) {
      const Values y = Apply(*linear, x, s.rows, s.out, way);
      ExpectNear(y.span(), wanted, 1e-6);
      EXPECT_TRUE(SameBits(y.span(), first.span())) << static_cast<int>(way);
      if (s.rows * s.in * s.out > 10000) {
        for (const size_t threads : {2u, 3u}) {
          EXPECT_TRUE(
              SameBits(Apply(*linear, x, s.rows, s.out, way, threads, true).span(), first.span()));
        }
      }
    }
  }
}

// The largest sums that there are: all weights and all activations at their ends. In many rows they
// pass int32's ends on the way.
TEST(LinearQ8, Extremes) {
  constexpr size_t kKinds = 7, out = 18;
  for (const size_t in : {64u, 170u, 2730u, 65536u}) {
    for (const int weight : {-128, 127, 0}) {  // 0: ends at random
      std::mt19937 random(1);
      Matrix w = MatrixI8(random, out, in);
      for (int8_t& v : w.values.as<int8_t>())
        v = static_cast<int8_t>(weight != 0 ? weight : random() % 2 ? 127 : -128);
      for (const size_t rows : {kKinds, 3 * kKinds}) {
        Values x(rows * in);
        for (size_t r = 0; r < rows; ++r) {
          for (size_t i = 0; i < in; ++i) {
            const float sign = i % 2 ? 1.0f : -1.0f;
            const float of_row[kKinds] = {
                1, -1, sign, sign * 1e30f, 0, i == 0 ? 1.0f : -1e-3f, i == 0 ? -1e9f : 1.0f};
            x[r * in + i] = of_row[r % kKinds];
          }
        }
        auto linear = LinearQ8::Create(w, {});
        ASSERT_TRUE(linear.ok());
        const auto wanted = Reference(x.span().first(kKinds * in), kKinds, w, {});
        for (const DotWay way : Ways()) {
          const Values y = Apply(*linear, x, rows, out, way);
          for (size_t r = 0; r < rows; ++r) {
            SCOPED_TRACE(::testing::Message()
                         << "in " << in << " row " << r << " of " << rows << " weight " << weight);
            const auto first = wanted.begin() + static_cast<ptrdiff_t>(r % kKinds * out);
            ExpectNear(y.span().subspan(r * out, out), {first, first + out}, 1e-6);
          }
        }
      }
    }
  }
}

TEST(LinearQ8, SameBitsAloneAndInABatch) {
  for (const Shape& s : {Shape{23, 64, 192}, {17, 170, 64}, {109, 2730, 57}}) {
    std::mt19937 random(600);
    const Values b = RandomValues(random, s.out), x = RandomValues(random, s.rows * s.in, -2, 2);
    auto linear = LinearQ8::Create(MatrixI8(random, s.out, s.in), b.span());
    ASSERT_TRUE(linear.ok());
    for (const DotWay way : Ways()) {
      const Values wanted = Apply(*linear, x, s.rows, s.out, way);
      testing::ExpectSameBitsInParts(x, wanted, s, [&](const Values& part, size_t rows) {
        return Apply(*linear, part, rows, s.out, way);
      });
    }
  }
}

TEST(LinearQ8, NanAndInfinityStayInTheirRow) {
  std::mt19937 random(400);
  for (const Shape& s : {Shape{12, 100, 19}, {29, 170, 33}}) {
    auto linear = LinearQ8::Create(MatrixI8(random, s.out, s.in), {});
    ASSERT_TRUE(linear.ok());
    const Values clean = RandomValues(random, s.rows * s.in);
    for (const DotWay way : Ways()) {
      for (const float bad : {NAN, INFINITY, -INFINITY}) {
        testing::ExpectBadStaysInItsRow(clean, s, bad, [&](const Values& x, size_t rows) {
          return Apply(*linear, x, rows, s.out, way);
        });
      }
    }
  }
}

TEST(QuantizeRowQ8, LaysWhatQuantizeRowGives) {
  std::mt19937 random(7);
  for (const size_t columns : {1u, 4u, 9u, 16u, 23u, 64u, 170u}) {
    for (const size_t rows : {1u, 2u, 4u, 6u}) {
      const Values x = RandomValues(random, columns, -1, 2);
      std::vector<int8_t> wanted(columns);
      const RowQuantization row = QuantizeRow(x.span().data(), columns, wanted.data());
      const size_t elements = Q8PaddedColumns(columns) * rows;
      std::vector<int8_t> bytes(elements, 99);
      std::vector<int16_t> words(elements, 99);
      for (const DotWay way : {DotWay::kWide, DotWay::kUnsigned, DotWay::kSigned}) {
        void* q = way == DotWay::kWide ? static_cast<void*>(words.data()) : bytes.data();
        const RowQuantization got = QuantizeRowQ8(x.span().data(), columns, rows, way, q);
        EXPECT_EQ(got.zero_point, row.zero_point);
        EXPECT_EQ(got.step, row.step);
        for (size_t c = 0; c < Q8PaddedColumns(columns); ++c) {
          for (size_t r = 0; r < rows; ++r) {
            const size_t at = (c / 4 * rows + r) * 4 + c % 4;
            const int value = way == DotWay::kWide       ? words[at]
                              : way == DotWay::kUnsigned ? int{static_cast<uint8_t>(bytes[at])}
                                                         : bytes[at];
            const int shift = way == DotWay::kWide       ? -row.zero_point
                              : way == DotWay::kUnsigned ? 128
                                                         : 0;
            if (r != 0) {
              EXPECT_EQ(value, 99);  // another row's place
            } else if (c < columns) {
              EXPECT_EQ(value, wanted[c] + shift);
            }
          }
        }
        std::ranges::fill(bytes, 99);
      }
    }
  }
}

}  // namespace
}  // namespace clipglot
