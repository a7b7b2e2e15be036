// Products with 4-bit weights against exact integers and against float32 on the same weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "nn/int4/product.h"
#include "nn/int8/isa.h"
#include "nn/reference.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/testing.h"

namespace clipglot {
namespace {

using testing::MakeWorkspace;
using testing::MatrixQ4;
using testing::RandomValues;
using testing::SameBits;
using testing::Shape;
using testing::Values;

// The paths of this build; where bytes are multiplied the engine's own is only one of speed, since
// all give the same.
Values Apply(const Matrix& w, std::span<const float> bias, const Values& x, size_t rows,
             Workspace& workspace, const Int8Path& path, Workspace* packing = nullptr) {
  auto product =
      Int4Product::Create(w, bias, path.isa, packing == nullptr ? nullptr : &ImplOf(*packing));
  EXPECT_TRUE(product.ok()) << product.status().detail();
  Values y(rows * w.rows);
  std::ranges::fill(y.span(), NAN);
  const Status status =
      (*product)->Run(x.span().data(), rows, y.span().data(), uint64_t{1} << 40, ImplOf(workspace));
  EXPECT_TRUE(status.ok()) << status.detail();
  return y;
}

// Odd sizes, one row, one column, ends of blocks and tiles, the model's own, many rows.
constexpr Shape kShapes[] = {
    {1, 1, 1},      {1, 1, 9},      {2, 3, 2},     {3, 16, 17},   {4, 31, 8},    {5, 32, 7},
    {6, 33, 16},    {1, 64, 192},   {23, 64, 192}, {17, 170, 64}, {5, 2730, 33}, {1, 2730, 67},
    {8, 1024, 65},  {4, 333, 1},    {31, 1023, 7}, {7, 588, 64},  {66, 96, 130}, {2, 65, 129},
    {131, 1100, 9}, {16, 1056, 24}, {8192, 64, 5}, {1, 65536, 3}};

std::vector<float> Dequantized(const Matrix& w) {
  std::vector<float> out(w.rows * w.columns);
  for (size_t r = 0; r < w.rows; ++r) {
    for (size_t c = 0; c < w.columns; ++c) {
      const uint8_t byte = w.values.as<uint8_t>()[r * ((w.columns + 1) / 2) + c / 2];
      const int value = (c % 2 ? byte / 16 : byte % 16) - 8;
      const uint32_t bits =
          uint32_t{w.block_scales.as<uint16_t>()[r * ((w.columns + 31) / 32) + c / 32]} << 16;
      out[r * w.columns + c] = std::bit_cast<float>(bits) * static_cast<float>(value);
    }
  }
  return out;
}

// What the layer must give, in double: activations of each block rounded to int8, all products
// exact. `bound`: how far the true product on unrounded activations may be from that, for each
// output.
struct Wanted {
  std::vector<double> y, size, bound;
};
Wanted Reference(std::span<const float> x, size_t rows, const Matrix& w,
                 std::span<const float> bias) {
  const std::vector<float> weights = Dequantized(w);
  const size_t in = w.columns, out = w.rows;
  Wanted wanted;
  std::vector<double> rounded(in), half(in);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t b = 0; b < in; b += 32) {
      const size_t end = std::min(in, b + 32);
      double largest = 0;
      for (size_t i = b; i < end; ++i) largest = std::max(largest, std::abs(double{x[r * in + i]}));
      for (size_t i = b; i < end; ++i) {
        // In float where the layer is, so that both round the same way.
        const float high = static_cast<float>(largest);
        const double q = largest == 0 ? 0 : std::nearbyint(x[r * in + i] * (127.0f / high));
        EXPECT_LE(std::abs(q), 127);
        rounded[i] = q * (high / 127.0f);
        half[i] = largest / 127 * 0.5001;
      }
    }
    for (size_t o = 0; o < out; ++o) {
      double sum = 0, size = 0, bound = 0;
      for (size_t i = 0; i < in; ++i) {
        const double weight = weights[o * in + i];
        sum += rounded[i] * weight;
        size += std::abs(rounded[i] * weight);
        bound += half[i] * std::abs(weight);
      }
      wanted.y.push_back(sum + (bias.empty() ? 0.0 : bias[o]));
      wanted.size.push_back(size + (bias.empty() ? 0.0 : std::abs(bias[o])));
      wanted.bound.push_back(bound);
    }
  }
  return wanted;
}

void ExpectNear(std::span<const float> y, const Wanted& wanted) {
  ASSERT_EQ(y.size(), wanted.y.size());
  for (size_t i = 0; i < y.size(); ++i)
    ASSERT_NEAR(y[i], wanted.y[i], 1e-6 * wanted.size[i] + 1e-30) << i;
}

TEST(LinearQ4, AgreesWithExactIntegersAndWithFloats) {
  const auto workspace = MakeWorkspace(2);
  unsigned seed = 900;
  for (const Shape& s : kShapes) {
    std::mt19937 random(++seed);
    SCOPED_TRACE(::testing::Message()
                 << "seed " << seed << ": " << s.rows << " x " << s.in << " -> " << s.out);
    const Matrix w = MatrixQ4(random, s.out, s.in);
    const Values x = RandomValues(random, s.rows * s.in, -3, 2), b = RandomValues(random, s.out);
    for (const bool with_bias : {true, false}) {
      const std::span<const float> bias = with_bias ? b.span() : std::span<const float>();
      auto linear = Linear::Create(w, bias);
      ASSERT_TRUE(linear.ok()) << linear.status().detail();
      EXPECT_EQ(linear->in(), s.in);
      EXPECT_EQ(linear->out(), s.out);
      const Wanted wanted = Reference(x.span(), s.rows, w, bias);
      const auto exact = reference::Linear(x.span(), s.rows, Dequantized(w), bias, s.in, s.out);
      const Values first = Apply(w, bias, x, s.rows, *workspace, PathOf(Int8Isa::kI16Madd));
      for (const Int8Path& path : Int8Paths()) {
        const Values y = Apply(w, bias, x, s.rows, *workspace, path);
        ExpectNear(y.span(), wanted);
        for (size_t i = 0; i < y.size(); ++i)
          ASSERT_NEAR(y[i], exact[i], wanted.bound[i] + 1e-6 * wanted.size[i]) << i;
        EXPECT_TRUE(SameBits(y.span(), first.span())) << path.name;
      }
    }
  }
}

TEST(LinearQ4, WeightsStayInFourBits) {
  std::mt19937 random(1);
  auto linear = Linear::Create(MatrixQ4(random, 1024, 2730), {});
  ASSERT_TRUE(linear.ok());
  EXPECT_LE(linear->packed_bytes(), 1024u * 2730 * 57 / 100);
}

TEST(LinearQ4, Extremes) {
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
          v = i == in / 2 ? 1e6f : sign * 0.5f;  // an outlier: its block rounds to nothing
        if (r == 5)
          v = i / 32 % 2 ? 0 : sign * std::ldexp(1.0f, static_cast<int>(i / 32 % 60) - 30);
        if (r == 6) v = sign * 1e30f;
        if (r == 7) v = sign * 1e-30f;
        if (r == 8) v = i % 2 ? 0.0f : -0.0f;
      }
    }
    for (const int pattern : {0, 1, 2, 3}) {
      Matrix w = MatrixQ4(random, out, in);
      for (uint8_t& v : w.values.as<uint8_t>()) {
        if (pattern == 0) v = 0x00;  // all -8
        if (pattern == 1) v = 0xFF;  // all 7
        if (pattern == 2) v = random() % 2 ? 0x0F : 0xF0;
      }
      if (pattern == 3) w.block_scales.as<uint16_t>()[0] = 0;
      const Values b = RandomValues(random, out);
      for (const Int8Path& path : Int8Paths()) {
        const Values y = Apply(w, b.span(), x, rows, *workspace, path);
        for (size_t r = 0; r < rows; ++r) {
          SCOPED_TRACE(::testing::Message()
                       << "in " << in << " pattern " << pattern << " row " << r);
          ExpectNear(y.span().subspan(r * out, out),
                     Reference(x.span().subspan(r * in, in), 1, w, b.span()));
          if (r == 0 || r == 8) {
            EXPECT_TRUE(SameBits(y.span().subspan(r * out, out), b.span()));
          }
        }
      }
    }
  }
}

TEST(LinearQ4, NanAndInfinityStayInTheirRow) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(400);
  for (const Shape& s : {Shape{12, 100, 19}, {29, 170, 33}}) {
    const Matrix w = MatrixQ4(random, s.out, s.in);
    const Values clean = RandomValues(random, s.rows * s.in);
    for (const Int8Path& path : Int8Paths()) {
      for (const float bad : {NAN, INFINITY, -INFINITY, std::numeric_limits<float>::max()}) {
        testing::ExpectBadStaysInItsRow(clean, s, bad, [&](const Values& x, size_t rows) {
          return Apply(w, {}, x, rows, *workspace, path);
        });
      }
    }
  }
}

TEST(LinearQ4, SameBitsAloneAndInABatchOnAnyThreads) {
  // The last two are large enough to be spread over threads.
  for (const Shape& s :
       {Shape{23, 64, 192}, {17, 170, 64}, {9, 64, 5}, {70, 2730, 257}, {130, 1024, 512}}) {
    std::mt19937 random(600);
    SCOPED_TRACE(::testing::Message() << s.rows << " x " << s.in << " -> " << s.out);
    const Values b = RandomValues(random, s.out);
    const Matrix w = MatrixQ4(random, s.out, s.in);
    const Values x = RandomValues(random, s.rows * s.in, -2, 2);
    const auto one_thread = MakeWorkspace(1);
    for (const Int8Path& path : Int8Paths()) {
      const Values wanted = Apply(w, b.span(), x, s.rows, *one_thread, path);
      for (const size_t threads : {2u, 3u}) {
        const auto workspace = MakeWorkspace(threads);
        EXPECT_TRUE(SameBits(Apply(w, b.span(), x, s.rows, *workspace, path).span(), wanted.span()))
            << threads;
      }
      testing::ExpectSameBitsInParts(x, wanted, s, [&](const Values& part, size_t rows) {
        return Apply(w, b.span(), part, rows, *one_thread, path);
      });
    }
  }
}

TEST(LinearQ4, DoesNotKeepTheCallersWeights) {
  const auto workspace = MakeWorkspace(1);
  std::mt19937 random(700);
  Matrix w = MatrixQ4(random, 40, 50);
  std::vector<float> bias(40, 1.0f);
  auto linear = Linear::Create(w, bias);
  ASSERT_TRUE(linear.ok());
  const Values x = RandomValues(random, 3 * 50);
  const Values wanted = testing::Apply(*linear, x, 3, *workspace);
  std::ranges::fill(w.values.bytes(), std::byte{0x55});
  w = Matrix();
  std::vector<float>().swap(bias);
  Linear moved = std::move(*linear);
  EXPECT_TRUE(SameBits(testing::Apply(moved, x, 3, *workspace).span(), wanted.span()));
}

TEST(LinearQ4, RejectsMismatchedShapes) {
  std::mt19937 random(800);
  const auto code = [](const Matrix& w, std::span<const float> bias) {
    return Linear::Create(w, bias).status().code();
  };
  EXPECT_EQ(code(MatrixQ4(random, 4, 40), {}), Code::kOk);
  EXPECT_EQ(code(MatrixQ4(random, 4, 40), std::vector<float>(3)), Code::kInvalidArgument);
  for (const size_t change : {0u, 1u, 2u, 3u}) {
    Matrix w = MatrixQ4(random, 4, 40);
    if (change == 0) w.rows = 5;      // too few values and scales
    if (change == 1) w.columns = 42;  // too few values
    if (change == 2) w.columns = 0;
    if (change == 3) w.block_scales = AlignedBuffer();
    EXPECT_EQ(code(w, {}), Code::kInvalidArgument) << change;
  }
  for (const uint16_t scale : {0x7F80, 0xFF80, 0x7FC0}) {
    Matrix w = MatrixQ4(random, 4, 40);
    w.block_scales.as<uint16_t>()[7] = scale;
    EXPECT_EQ(code(w, {}), Code::kInvalidArgument) << scale;
  }
  Matrix w = MatrixQ4(random, 4, 40);
  w.rows = SIZE_MAX;
  EXPECT_EQ(code(w, {}), Code::kOutOfMemory);
}

TEST(LinearQ4, PacksTheSameOnThreads) {
  std::mt19937 random(701);
  const Matrix w = MatrixQ4(random, 1029, 1100);
  const Values b = RandomValues(random, w.rows), x = RandomValues(random, 5 * w.columns);
  const auto workspace = MakeWorkspace(3);
  for (const Int8Path& path : Int8Paths()) {
    EXPECT_TRUE(SameBits(Apply(w, b.span(), x, 5, *workspace, path, workspace.get()).span(),
                         Apply(w, b.span(), x, 5, *workspace, path).span()));
  }
}

TEST(QuantizeInt4Rows, IsDefinedForEveryBlock) {
  for (const Int8Path& path : Int8Paths()) {
    const Int4Path& int4 = Int4PathOf(path.isa);
    const bool bytes = int4.bytes;
    // Signed numbers in any order: those of the 37 columns are the same.
    const auto values = [bytes](const std::vector<int8_t>& q) {
      std::vector<int> out;
      for (size_t i = 0; i < q.size(); i += bytes ? 1 : 2) {
        int16_t value;
        std::memcpy(&value, q.data() + (bytes ? 0 : i), sizeof(value));
        out.push_back(bytes ? q[i] : value);
      }
      return out;
    };
    for (const float v :
         {0.0f, -0.0f, 1e-45f, 1e-38f, -1e-36f, std::numeric_limits<float>::max()}) {
      const std::vector<float> x(37, v);
      std::vector<int8_t> q(bytes ? 64 : 128, 99);
      float scales[2];
      int32_t offsets[2];
      int4.quantize(x.data(), 1, x.size(), reinterpret_cast<uint8_t*>(q.data()), scales, offsets);
      const std::vector<int> got = values(q);
      EXPECT_EQ(got.size(), 64u);
      EXPECT_EQ(std::ranges::count(got, v > 1 ? 127 : 0), v > 1 ? 37 : 64) << v;
      for (size_t i = 40; i < 64; ++i) EXPECT_EQ(got[i], 0);
      for (const float scale : scales) EXPECT_TRUE(std::isfinite(scale));
      const int of_one = v > 1 ? -8 * 127 : 0;
      if (path.isa ==
          Int8Isa::kAcc16) {  // of five columns the first, second and fifth, and the others
        const auto parts = std::bit_cast<std::array<int16_t, 2>>(offsets[1]);
        EXPECT_EQ(parts, (std::array<int16_t, 2>{static_cast<int16_t>(of_one * 3),
                                                 static_cast<int16_t>(of_one * 2)}));
      } else {
        EXPECT_EQ(offsets[1], of_one * 5);
      }
    }
    for (const float v : {NAN, INFINITY, -INFINITY}) {
      for (const size_t at : {0u, 5u, 31u, 32u, 36u}) {
        std::vector<float> x(37, 1.0f);
        x[at] = v;
        std::vector<int8_t> q(bytes ? 64 : 128);
        float scales[2];
        int32_t offsets[2];
        int4.quantize(x.data(), 1, x.size(), reinterpret_cast<uint8_t*>(q.data()), scales, offsets);
        EXPECT_TRUE(std::isnan(scales[at / 32]));
        EXPECT_EQ(offsets[at / 32], 0);
      }
    }
  }
}

}  // namespace
}  // namespace clipglot
