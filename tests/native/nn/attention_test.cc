#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "nn/reference.h"
#include "nn/testing.h"

namespace clipglot {
namespace {

using testing::MakeWorkspace;
using testing::RandomValues;
using testing::Values;

struct Shape {
  size_t rows, heads, dim;
};

std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.rows << " rows, " << s.heads << " heads of " << s.dim;
}

class AttentionTest : public ::testing::TestWithParam<AttentionArithmetic> {
 protected:
  // Of outputs up to 2.
  static double Tolerance() { return whole() ? 5e-4 : 1e-5; }
  static bool whole() { return GetParam() == AttentionArithmetic::kInt16; }
};

// In the arithmetic that the test is run for.
Values Attend(const Values& qkv, const Shape& s, std::span<const uint8_t> mask,
              Workspace& workspace) {
  Values out(s.rows * s.heads * s.dim);
  std::ranges::fill(out.span(), NAN);  // what is not written shows
  const Status status = Attention(qkv.span(), s.rows, s.heads, s.dim, mask,
                                  AttentionTest::GetParam(), out.span(), workspace);
  EXPECT_TRUE(status.ok()) << status.detail();
  return out;
}

// Compares the given rows, all heads.
void Check(const Values& qkv, const Shape& s, std::span<const uint8_t> mask, const Values& out,
           std::span<const size_t> rows, double tolerance) {
  for (const size_t row : rows) {
    for (size_t head = 0; head < s.heads; ++head) {
      const auto wanted =
          reference::AttentionRow(qkv.span(), s.rows, s.heads, s.dim, mask, row, head);
      for (size_t c = 0; c < s.dim; ++c) {
        ASSERT_NEAR(out[(row * s.heads + head) * s.dim + c], wanted[c], tolerance)
            << s << ", row " << row << " head " << head << " channel " << c;
      }
    }
  }
}

std::vector<size_t> AllRows(size_t rows) {
  std::vector<size_t> out(rows);
  for (size_t i = 0; i < rows; ++i) out[i] = i;
  return out;
}

TEST_P(AttentionTest, AgreesWithTheReference) {
  const auto workspace = MakeWorkspace(2);
  unsigned seed = 30;
  for (const Shape s :
       {Shape{1, 1, 64}, {1, 4, 2},     {2, 2, 6},   {3, 4, 16},   {4, 2, 32},   {5, 2, 32},
        {8, 2, 64},      {17, 2, 32},   {23, 4, 16}, {31, 1, 64},  {33, 2, 64},  {40, 1, 30},
        {63, 1, 64},     {64, 1, 64},   {65, 3, 64}, {66, 1, 256}, {100, 2, 62}, {129, 1, 130},
        {257, 2, 64},    {300, 1, 254}, {673, 1, 8}, {1345, 1, 6}}) {
    std::mt19937 random(++seed);
    SCOPED_TRACE(::testing::Message() << "seed " << seed << ", " << s);
    const Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim, -2, 2);
    Check(qkv, s, {}, Attend(qkv, s, {}, *workspace), AllRows(s.rows), Tolerance());
  }
}

TEST_P(AttentionTest, OfAWholeImage) {
  std::mt19937 random(50);
  const Shape s = {1297, 3, 64};
  const Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim, -2, 2);
  const auto workspace = MakeWorkspace(2);
  const Values out = Attend(qkv, s, {}, *workspace);
  const size_t rows[] = {0,   1,   2,    3,    4,    215,  216,  217,  255,
                         256, 257, 1023, 1024, 1292, 1293, 1294, 1295, 1296};
  Check(qkv, s, {}, out, rows, Tolerance());
}

TEST_P(AttentionTest, Of8192Tokens) {
  std::mt19937 random(51);
  const Shape s = {8192, 1, 16};
  const Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim, -2, 2);
  const auto workspace = MakeWorkspace(2);
  const Values out = Attend(qkv, s, {}, *workspace);
  const size_t rows[] = {0, 1, 4095, 4096, 8190, 8191};
  Check(qkv, s, {}, out, rows, Tolerance());
}

TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  std::mt19937 random(52);
  const Shape s = {150, 2, 64};
  const auto workspace = MakeWorkspace(1);
  Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim, -100, 100);  // scores of +-10^4
  // The scores carry float32's relative error, which the exponential makes absolute: about 1e4 ·
  // 1e-6.
  Check(qkv, s, {}, Attend(qkv, s, {}, *workspace), AllRows(s.rows), 100 * 2e-2);
  // Keys that grow: the running maximum moves in every block.
  const size_t width = s.heads * s.dim;
  for (size_t r = 0; r < s.rows; ++r) {
    for (size_t i = 0; i < width; ++i) {
      qkv[r * 3 * width + i] = 1;
      qkv[r * 3 * width + width + i] = static_cast<float>(r) / 4;
      qkv[r * 3 * width + 2 * width + i] = static_cast<float>(r % 3);
    }
  }
  Check(qkv, s, {}, Attend(qkv, s, {}, *workspace), AllRows(s.rows), 1e-4);
}

TEST_P(AttentionTest, WeightsTooSmallForAFloatAreZero) {
  // Keys of falling scores: from 88 below the largest on, a weight is no normal number, and then
  // not even times the largest value anything but zero. (As whole numbers the other values of the
  // channel are rounded to a 4095th of it.)
  const float huge = whole() ? 100.0f : 3e38f;
  const Shape s = {64, 1, 4};
  const auto workspace = MakeWorkspace(1);
  Values qkv(s.rows * 12);
  for (size_t r = 0; r < s.rows; ++r) {
    float* row = qkv.span().data() + r * 12;
    std::fill_n(row, 4, 1.0f);
    std::fill_n(row + 4, 4, -static_cast<float>(r));  // score -2r
    std::fill_n(row + 8, 4, r < 45 ? 1.0f : huge);
  }
  const Values out = Attend(qkv, s, {}, *workspace);
  for (const float v : out.span()) ASSERT_NEAR(v, 1.0f, whole() ? 100.0 / 16368 : 1e-6);
}

TEST_P(AttentionTest, MaskedKeysDoNotCount) {
  const auto workspace = MakeWorkspace(2);
  for (const Shape s : {Shape{5, 2, 16}, {23, 4, 16}, {130, 2, 64}, {200, 1, 32}}) {
    std::mt19937 random(53 + static_cast<unsigned>(s.rows));
    Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim, -2, 2);
    std::vector<std::vector<uint8_t>> masks;
    for (size_t kind = 0; kind < 5; ++kind) {
      std::vector<uint8_t> mask(s.rows, 1);
      for (size_t i = 0; i < s.rows; ++i) {
        if (kind == 0) mask[i] = i != s.rows / 2;  // one in the middle
        if (kind == 1) mask[i] = i < s.rows / 2;   // the end (padding)
        if (kind == 2)
          mask[i] = i >= s.rows / 2;  // the beginning: whole blocks before the first key
        if (kind == 3) mask[i] = random() % 2 ? 255 : 0;  // any value but zero counts
        if (kind == 4) mask[i] = i == s.rows - 1;         // one key only
      }
      masks.push_back(mask);
    }
    for (const auto& mask : masks) {
      Check(qkv, s, mask, Attend(qkv, s, mask, *workspace), AllRows(s.rows), Tolerance());
      // What stands in a masked key or value is not read.
      const size_t width = s.heads * s.dim;
      Values poisoned(qkv.size());
      std::ranges::copy(qkv.span(), poisoned.span().begin());
      for (size_t r = 0; r < s.rows; ++r) {
        if (mask[r] == 0)
          std::ranges::fill(poisoned.span().subspan(r * 3 * width + width, 2 * width), NAN);
      }
      EXPECT_TRUE(testing::SameBits(Attend(qkv, s, mask, *workspace).span(),
                                    Attend(poisoned, s, mask, *workspace).span()));
    }
    // Without any key the output is zero.
    const std::vector<uint8_t> none(s.rows, 0);
    const Values zero = Attend(qkv, s, none, *workspace);
    for (const float v : zero.span()) ASSERT_EQ(v, 0.0f);
    // A mask of ones is no mask.
    const std::vector<uint8_t> every(s.rows, 1);
    EXPECT_TRUE(testing::SameBits(Attend(qkv, s, every, *workspace).span(),
                                  Attend(qkv, s, {}, *workspace).span()));
  }
}

TEST_P(AttentionTest, PaddingChangesNoBit) {
  std::mt19937 random(60);
  const auto workspace = MakeWorkspace(2);
  for (const size_t rows : {1u, 5u, 16u, 63u, 64u, 100u}) {
    const Shape alone = {rows, 4, 16};
    const size_t stride = 3 * alone.heads * alone.dim;
    const Values qkv = RandomValues(random, rows * stride, -2, 2);
    const Values wanted = Attend(qkv, alone, {}, *workspace);
    for (const size_t padding : {1u, 3u, 70u, 300u}) {
      const Shape padded = {rows + padding, 4, 16};
      Values longer = RandomValues(random, padded.rows * stride);
      std::ranges::copy(qkv.span(), longer.span().begin());
      std::vector<uint8_t> mask(padded.rows, 0);
      std::fill_n(mask.begin(), rows, 1);
      const Values out = Attend(longer, padded, mask, *workspace);
      EXPECT_TRUE(testing::SameBits(out.span().first(wanted.size()), wanted.span()))
          << rows << " + " << padding;
    }
  }
}

TEST_P(AttentionTest, SequencesLookOnlyAtThemselves) {
  std::mt19937 random(63);
  for (const size_t longest : {3u, 40u, 300u, 700u}) {
    std::vector<size_t> lengths = {1, longest};
    for (size_t i = 0; i < 12; ++i) lengths.push_back(1 + random() % longest);
    Shape all = {0, 3, 16};
    for (const size_t length : lengths) all.rows += length;
    const size_t stride = 3 * all.heads * all.dim;
    const Values qkv = RandomValues(random, all.rows * stride, -2, 2);
    std::vector<uint8_t> mask(all.rows);
    for (uint8_t& counts : mask) counts = random() % 4 != 0;
    for (const size_t threads : {1u, 2u, 5u}) {
      const auto workspace = MakeWorkspace(threads);
      for (const std::span<const uint8_t> used :
           {std::span<const uint8_t>(), std::span<const uint8_t>(mask)}) {
        Values together(all.rows * all.heads * all.dim);
        std::ranges::fill(together.span(), NAN);
        ASSERT_TRUE(Attention(qkv.span(), lengths, all.heads, all.dim, used, GetParam(),
                              together.span(), *workspace)
                        .ok());
        size_t first = 0;
        for (const size_t length : lengths) {
          const Shape one = {length, all.heads, all.dim};
          Values alone(length * stride);
          std::ranges::copy(qkv.span().subspan(first * stride, length * stride),
                            alone.span().begin());
          const Values wanted =
              Attend(alone, one, used.empty() ? used : used.subspan(first, length), *workspace);
          EXPECT_TRUE(testing::SameBits(together.span().subspan(first * stride / 3, wanted.size()),
                                        wanted.span()))
              << one << " from " << first << ", " << threads << " threads";
          first += length;
        }
      }
    }
  }
}

TEST_P(AttentionTest, SameBitsOnAnyNumberOfThreads) {
  for (const Shape s : {Shape{17, 16, 64}, {300, 4, 64}, {1297, 2, 64}}) {
    std::mt19937 random(61);
    const Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim, -2, 2);
    const Values wanted = Attend(qkv, s, {}, *MakeWorkspace(1));
    for (const size_t threads : {2u, 3u, 5u}) {
      EXPECT_TRUE(
          testing::SameBits(Attend(qkv, s, {}, *MakeWorkspace(threads)).span(), wanted.span()))
          << s;
    }
  }
}

TEST_P(AttentionTest, NanStaysWhereItBelongs) {
  std::mt19937 random(62);
  const Shape s = {70, 2, 16};
  const auto workspace = MakeWorkspace(1);
  Values qkv = RandomValues(random, s.rows * 3 * s.heads * s.dim);
  const float query = qkv[5 * 3 * 32];
  qkv[5 * 3 * 32] = NAN;  // of row 5, head 0
  Values out = Attend(qkv, s, {}, *workspace);
  for (size_t i = 0; i < out.size(); ++i) {
    if (i / 16 == 5 * 2) {
      ASSERT_FALSE(std::isfinite(out[i])) << i;
      continue;
    }
    ASSERT_TRUE(std::isfinite(out[i])) << i;
  }
  // In a key it reaches all queries of its head, in a value those of its channel.
  qkv[5 * 3 * 32] = query;
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const size_t at : {size_t{32}, size_t{64 + 3}}) {
      const float good = std::exchange(qkv[5 * 3 * 32 + at], bad);
      out = Attend(qkv, s, {}, *workspace);
      for (size_t i = 0; i < out.size(); ++i) {
        const bool other = i / 16 % 2 != 0 || (at > 64 && i % 16 != 3);
        if (!other && at < 64 && std::isinf(bad))
          continue;  // a score of -infinity is a weight of 0
        ASSERT_EQ(std::isfinite(out[i]), other) << i << ", " << bad;
      }
      qkv[5 * 3 * 32 + at] = good;
    }
  }
}

TEST_P(AttentionTest, ManySmallWeightsBesideALargeOne) {
  // Trained models do this: one key takes nearly all weight and has a value near zero, and what the
  // others say, with a thousandth each, is the output. The large one in the same block, and in
  // another.
  const auto workspace = MakeWorkspace(1);
  for (const size_t rows : {40u, 128u, 700u}) {
    for (const size_t large : {size_t{0}, rows / 2, rows - 1}) {
      std::mt19937 random(64 + static_cast<unsigned>(rows));
      const Shape s = {rows, 1, 64};
      Values qkv = RandomValues(random, rows * 3 * s.dim, -1, 1);
      for (size_t r = 0; r < rows; ++r) qkv[r * 3 * s.dim] = 8;  // the query's first channel
      float* key = qkv.span().data() + large * 3 * s.dim + s.dim;
      key[0] = 7.5f;  // score 7.5, the others' -1 to 1
      std::fill_n(key + s.dim, s.dim, 0.0f);
      const Values out = Attend(qkv, s, {}, *workspace);
      double wrong = 0, all = 0;
      for (size_t row = 0; row < rows; ++row) {
        const auto wanted = reference::AttentionRow(qkv.span(), rows, 1, s.dim, {}, row, 0);
        for (size_t c = 0; c < s.dim; ++c) {
          wrong += std::pow(out[row * s.dim + c] - wanted[c], 2);
          all += std::pow(wanted[c], 2);
        }
      }
      EXPECT_LT(std::sqrt(wrong / all), whole() ? 0.01 : 1e-5) << rows << " rows, " << large;
    }
  }
}

TEST_P(AttentionTest, TheLargestNumbersFit) {
  // All sums at their ends: every query, key and value as large as it can be, all weights alike.
  const auto workspace = MakeWorkspace(1);
  for (const Shape s : {Shape{300, 1, 2}, {300, 1, 64}, {300, 1, 256}}) {
    for (const float sign : {1.0f, -1.0f}) {
      Values qkv(s.rows * 3 * s.dim);
      for (size_t r = 0; r < s.rows; ++r) {
        float* row = qkv.span().data() + r * 3 * s.dim;
        std::fill_n(row, s.dim, sign);
        std::fill_n(row + s.dim, s.dim, 1.0f);
        std::fill_n(row + 2 * s.dim, s.dim, sign * 1e30f);
      }
      const Values out = Attend(qkv, s, {}, *workspace);
      for (const float v : out.span()) ASSERT_NEAR(v / (sign * 1e30f), 1.0f, 1e-5);
    }
  }
}

TEST_P(AttentionTest, RejectsMismatchedShapes) {
  const auto workspace = MakeWorkspace(1);
  Values qkv(3 * 64), out(64);
  const auto code = [&](size_t rows, size_t heads, size_t dim, std::span<const uint8_t> mask) {
    return Attention(qkv.span(), rows, heads, dim, mask, GetParam(), out.span(), *workspace).code();
  };
  EXPECT_EQ(code(1, 1, 64, {}), Code::kOk);
  EXPECT_EQ(code(0, 1, 64, {}), Code::kOk);
  EXPECT_EQ(code(2, 1, 64, {}), Code::kInvalidArgument);
  EXPECT_EQ(code(1, 1, 3, {}), Code::kInvalidArgument);
  EXPECT_EQ(code(1, 1, 258, {}), Code::kInvalidArgument);
  EXPECT_EQ(code(SIZE_MAX / 2, 4, 64, {}), Code::kInvalidArgument);
  const std::vector<uint8_t> mask(2, 1);
  EXPECT_EQ(code(1, 1, 64, mask), Code::kInvalidArgument);
}

// Each sequence by its own length, whatever it stands beside.
TEST(AttentionIfLong, DependsOnSequenceLength) {
  constexpr size_t kHeads = 2, kDim = 64;
  const size_t lengths[] = {5, kLongSequence, kLongSequence - 1, kLongSequence + 1, 1};
  std::mt19937 random(17);
  const size_t rows = std::accumulate(std::begin(lengths), std::end(lengths), size_t{0});
  const Values qkv = RandomValues(random, rows * 3 * kHeads * kDim, -2, 2);
  for (const size_t threads : {1u, 3u}) {
    const auto workspace = MakeWorkspace(threads);
    const auto attend = [&](AttentionArithmetic arithmetic) {
      Values out(rows * kHeads * kDim);
      EXPECT_TRUE(
          Attention(qkv.span(), lengths, kHeads, kDim, {}, arithmetic, out.span(), *workspace)
              .ok());
      return out;
    };
    const Values found = attend(AttentionArithmetic::kInt16IfLong),
                 floats = attend(AttentionArithmetic::kFloat32),
                 whole = attend(AttentionArithmetic::kInt16);
    size_t at = 0;
    for (const size_t length : lengths) {
      const Values& wanted = length >= kLongSequence ? whole : floats;
      for (const size_t end = at + length * kHeads * kDim; at < end; ++at)
        ASSERT_EQ(found[at], wanted[at]) << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    , AttentionTest, ::testing::Values(AttentionArithmetic::kFloat32, AttentionArithmetic::kInt16),
    [](const auto& one) { return one.param == AttentionArithmetic::kFloat32 ? "Float" : "Int16"; });

}  // namespace
}  // namespace clipglot
