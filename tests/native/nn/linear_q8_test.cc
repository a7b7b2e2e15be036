// Our own products with 8-bit weights, each way of multiplying against exact integers.
#include "nn/int8/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "nn/int8/acc16_weights.h"
#include "nn/int8/panel.h"
#include "nn/int8/quantize.h"
#include "nn/reference.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/testing.h"

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
#if defined(__wasm_simd128__) && !defined(__wasm_relaxed_simd__)
  return {DotWay::kWide};
#elif defined(__wasm_simd128__)
  std::vector<DotWay> ways = {DotWay::kWide, DotWay::kNarrow};
  if (ProbeDotWay() != DotWay::kNarrow) ways.push_back(ProbeDotWay());
  return ways;
#else
  return {DotWay::kWide, DotWay::kUnsigned, DotWay::kSigned, DotWay::kNarrow};
#endif
}

Values Apply(const LinearQ8& linear, const Values& x, size_t rows, size_t out, size_t threads = 1,
             bool pool = false) {
  const auto workspace = MakeWorkspace(threads);
  Values y(rows * out);
  std::ranges::fill(y.span(), NAN);
  const Status status = linear.Run(x.span().data(), rows, y.span().data(),
                                   pool ? uint64_t{1} << 40 : 0, workspace->impl());
  EXPECT_TRUE(status.ok()) << status.detail();
  return y;
}

// Where QuantizeRowInGroups puts a column, the first time.
size_t GroupElement(size_t column, size_t columns, size_t rows = 1) {
  const size_t group = column / kGroupColumns,
               in_group = std::min(kGroupColumns, Q8PaddedColumns(columns) - group * kGroupColumns),
               quarter = in_group / kQ8Step / kGroupQuarters;
  const size_t position = GroupPosition(column % kGroupColumns / kQ8Step, quarter);
  return (group * kGroupPositions + position) * kQ8Step * rows + column % kQ8Step;
}

// What QuantizeRowInGroups gives besides the values: an int16 in a word whose other half is zero.
float Step(int32_t bits) { return std::bit_cast<float>(bits); }
int MinusZero(int32_t word) {
  const auto value = static_cast<int16_t>(word);
  EXPECT_EQ(word, static_cast<uint16_t>(value));
  return value;
}

// Exact sums of what the quantisation gave; of kNarrow it differs.
std::vector<double> Reference(std::span<const float> x, size_t rows, const Matrix& w,
                              std::span<const float> bias, DotWay way) {
  if (way != DotWay::kNarrow) {
    return reference::LinearInt8(x, rows, w, bias, [](std::span<const float> row, auto q) {
      return QuantizeRow(row.data(), row.size(), q.data());
    });
  }
  const size_t in = w.columns;
  std::vector<double> y(rows * w.rows);
  std::vector<uint8_t> q(2 * Q8PaddedColumns(in));
  std::vector<int32_t> params(2 * Groups(in));
  for (size_t r = 0; r < rows; ++r) {
    QuantizeRowInGroups(x.data() + r * in, in, 1, q.data(), params.data());
    for (size_t o = 0; o < w.rows; ++o) {
      double sum = 0;
      for (size_t c = 0; c < in; ++c) {
        const int32_t* group = params.data() + c / kGroupColumns * 2;
        sum += double{Step(group[0])} * (q[GroupElement(c, in)] + MinusZero(group[1])) *
               w.i8()[o * in + c];
      }
      y[r * w.rows + o] = sum * w.scales[o] + (bias.empty() ? 0.0 : double{bias[o]});
    }
  }
  return y;
}

LinearQ8 Make(const Matrix& w, std::span<const float> bias, DotWay way) {
  auto linear = LinearQ8::Create(w, bias, way);
  EXPECT_TRUE(linear.ok()) << linear.status().detail();
  EXPECT_GE(linear->packed_bytes(), w.rows * w.columns);
  return *std::move(linear);
}

// How far a result may be from the exact one: of kNarrow each group's sum is added as a float.
double Tolerance(DotWay way, size_t in) {
  return 1e-6 + (way == DotWay::kNarrow ? 0x1p-24 * static_cast<double>(Groups(in)) : 0.0);
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
    const Values first = Apply(Make(w, bias, DotWay::kWide), x, s.rows, s.out);
    for (const DotWay way : Ways()) {
      const LinearQ8 linear = Make(w, bias, way);
      const Values y = Apply(linear, x, s.rows, s.out);
      ExpectNear(y.span(), Reference(x.span(), s.rows, w, bias, way), Tolerance(way, s.in));
      if (way != DotWay::kNarrow) {
        EXPECT_TRUE(SameBits(y.span(), first.span())) << static_cast<int>(way);
      }
      if (s.rows * s.in * s.out > 10000) {
        for (const size_t threads : {2u, 3u})
          EXPECT_TRUE(SameBits(Apply(linear, x, s.rows, s.out, threads, true).span(), y.span()));
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
        for (const DotWay way : Ways()) {
          const auto wanted = Reference(x.span().first(kKinds * in), kKinds, w, {}, way);
          const Values y = Apply(Make(w, {}, way), x, rows, out);
          for (size_t r = 0; r < rows; ++r) {
            SCOPED_TRACE(::testing::Message()
                         << "in " << in << " row " << r << " of " << rows << " weight " << weight);
            const auto first = wanted.begin() + static_cast<ptrdiff_t>(r % kKinds * out);
            ExpectNear(y.span().subspan(r * out, out), {first, first + out}, Tolerance(way, in));
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
    const Matrix w = MatrixI8(random, s.out, s.in);
    for (const DotWay way : Ways()) {
      const LinearQ8 linear = Make(w, b.span(), way);
      const Values wanted = Apply(linear, x, s.rows, s.out);
      testing::ExpectSameBitsInParts(x, wanted, s, [&](const Values& part, size_t rows) {
        return Apply(linear, part, rows, s.out);
      });
    }
  }
}

// Large enough that the threads do it, with panels that are missing outputs.
TEST(LinearQ8, PacksTheSameOnThreads) {
  std::mt19937 random(700);
  const Shape s = {5, 1100, 1027};
  const Matrix w = MatrixI8(random, s.out, s.in);
  const Values b = RandomValues(random, s.out), x = RandomValues(random, s.rows * s.in, -2, 2);
  for (const DotWay way : Ways()) {
    const LinearQ8 alone = Make(w, b.span(), way);
    const Values wanted = Apply(alone, x, s.rows, s.out);
    for (const size_t threads : {1u, 2u, 3u}) {
      const auto workspace = MakeWorkspace(threads);
      const auto together = LinearQ8::Create(w, b.span(), way, &workspace->impl());
      ASSERT_TRUE(together.ok());
      EXPECT_EQ(together->packed_bytes(), alone.packed_bytes());
      EXPECT_TRUE(SameBits(Apply(*together, x, s.rows, s.out).span(), wanted.span()));
    }
  }
}

TEST(LinearQ8, NanAndInfinityStayInTheirRow) {
  std::mt19937 random(400);
  for (const Shape& s : {Shape{12, 100, 19}, {29, 170, 33}}) {
    const Matrix w = MatrixI8(random, s.out, s.in);
    const Values clean = RandomValues(random, s.rows * s.in);
    for (const DotWay way : Ways()) {
      const LinearQ8 linear = Make(w, {}, way);
      for (const float bad : {NAN, INFINITY, -INFINITY}) {
        testing::ExpectBadStaysInItsRow(clean, s, bad, [&](const Values& x, size_t rows) {
          return Apply(linear, x, rows, s.out);
        });
      }
    }
  }
}

// Whether all products of a lane fit into int16 with any activations, and panels and rests together
// are the weights; from ordinary weights hardly anything is taken.
TEST(NarrowWeights, LanesFitAndNothingIsLost) {
  for (const size_t in : {1u, 16u, 100u, 128u, 333u, 1024u}) {
    // Normal with a far largest weight, normal with a near one, ends at random, all 127, all -128.
    for (const int kind : {0, 1, 2, 3, 4}) {
      std::mt19937 random(static_cast<unsigned>(in + kind));
      std::normal_distribution<float> normal(0, kind == 0 ? 127 / 6.0f : 127 / 3.4f);
      constexpr size_t kOutputs = 7, kPanels = 2;
      Matrix w = MatrixI8(random, kOutputs, in);
      for (int8_t& v : w.values.as<int8_t>()) {
        const int ends = random() % 2 ? 127 : -128;
        v = static_cast<int8_t>(kind <= 1   ? std::clamp(normal(random), -127.0f, 127.0f)
                                : kind == 2 ? ends
                                : kind == 3 ? 127
                                            : -128);
      }
      std::vector<uint8_t> panels(kPanels * PanelBytes(in));
      for (size_t p = 0; p < kPanels; ++p)
        PackPanel(w, {}, p * kPanelOutputs, panels.data() + p * PanelBytes(in));
      auto narrow = NarrowWeights::Create(panels, in);
      ASSERT_TRUE(narrow.ok());
      size_t rests = 0;
      for (size_t p = 0; p < kPanels; ++p) {
        const NarrowPanel panel = narrow->panel(p);
        // By output and by position of the activations (once of twice), what a kernel multiplies.
        std::vector<int> found(2 * Q8PaddedColumns(in) * kPanelOutputs);
        const auto at = [&](size_t position, size_t byte) -> int& {
          return found[(position * kQ8Step + byte % kQ8Step) * kPanelOutputs + byte / kQ8Step];
        };
        const int8_t* from = reinterpret_cast<const int8_t*>(panels.data() + p * PanelBytes(in));
        for (size_t g = 0; g < Groups(in); ++g) {
          const size_t quarter = std::min(kGroupColumns, Q8PaddedColumns(in) - g * kGroupColumns) /
                                 kQ8Step / kGroupQuarters;
          for (size_t c = 0; c < quarter; ++c) {
            std::array<std::array<int, 16>, 2> sums_of = {};  // below zero, above
            for (size_t j = 0; j < kGroupQuarters; ++j) {
              const size_t start = panel.groups[g].starts[j], shift = start % (2 * quarter),
                           step = start / (2 * quarter) * quarter + (shift + c) % quarter;
              EXPECT_LT(shift, quarter);
              for (size_t b = 0; b < kVectorBytes; ++b, ++from) {
                at(g * kGroupPositions + GroupPosition(step, quarter), b) += *from;
                const size_t part = panel.few_steps ? j / kNarrowFewSteps : 0;
                sums_of[*from > 0 ? 1 : 0][part * 8 + b / 2] += *from;
              }
            }
            for (size_t i = 0; i < 16; ++i) {
              EXPECT_LE(kGroupMost * sums_of[1][i], 32767);
              EXPECT_GE(kGroupMost * sums_of[0][i], -32768);
            }
          }
        }
        for (const NarrowRest& rest : panel.rests) {
          for (size_t b = 0; b < kVectorBytes; ++b) {
            at(rest.position, b) += rest.weights[b];
            const int pair = int{rest.weights[b]} + rest.weights[b ^ 1];
            EXPECT_LE(kGroupMost * std::abs(pair), 32768);
          }
        }
        for (size_t o = 0; o < kPanelOutputs; ++o) {
          const size_t output = p * kPanelOutputs + o;
          std::vector<int> sums(Groups(in));
          for (size_t c = 0; c < in; ++c) {
            const int wanted = output < kOutputs ? w.i8()[output * in + c] : 0;
            ASSERT_EQ(found[GroupElement(c, in) * kPanelOutputs + o], wanted) << c;
            sums[c / kGroupColumns] += wanted;
          }
          for (size_t g = 0; g < sums.size(); ++g) EXPECT_EQ(panel.groups[g].sums[o], sums[g]);
        }
        rests += panel.rests.size();
      }
      const size_t vectors = kPanels * Q8PaddedColumns(in) / kQ8Step;
      if (kind == 0) {
        EXPECT_EQ(rests, 0u);
      } else if (kind == 1) {
        EXPECT_LE(rests, vectors / 16 + 3);  // a single group has little choice
      } else if (in >= 128) {
        EXPECT_GT(rests, 0u);
      }
    }
  }
}

// Each value within half a step of what it was (and what zero's rounding adds), in 0 ...
// kGroupMost, its group's own range.
TEST(QuantizeRowInGroups, GroupsHaveTheirOwnSteps) {
  std::mt19937 random(11);
  for (const size_t columns : {1u, 15u, 128u, 129u, 300u, 1024u}) {
    for (const size_t rows : {1u, 3u, 8u}) {
      Values x = RandomValues(random, columns, -1, 2);
      x[columns - 1] = 1000;  // spoils its own group only
      std::vector<uint8_t> q(2 * Q8PaddedColumns(columns) * rows, 99);
      std::vector<int32_t> params(Groups(columns) * rows * 2, 99);
      QuantizeRowInGroups(x.span().data(), columns, rows, q.data(), params.data());
      for (size_t c = 0; c < columns; ++c) {
        const int32_t* param = params.data() + c / kGroupColumns * 2 * rows;
        const float step = Step(param[0]);
        const size_t first = GroupElement(c, columns, rows),
                     group = c / kGroupColumns * kGroupColumns,
                     quarter =
                         std::min(kGroupColumns, Q8PaddedColumns(columns) - group) / kGroupQuarters;
        for (const size_t at : {first, first + quarter * rows}) {
          ASSERT_LE(q[at], kGroupMost);
          EXPECT_NEAR(step * static_cast<float>(q[at] + MinusZero(param[rows])), x[c], 1.01 * step);
          for (size_t r = 1; r < rows; ++r) EXPECT_EQ(q[at + 4 * r], 99);  // another row's place
        }
        EXPECT_LE(step, group + kGroupColumns >= columns ? 1002.0 / kGroupMost : 3.0 / kGroupMost);
      }
    }
  }
  for (const float bad : {NAN, INFINITY}) {
    Values x = RandomValues(random, 300);
    x[130] = bad;
    std::vector<uint8_t> q(2 * Q8PaddedColumns(300));
    std::vector<int32_t> params(6);
    QuantizeRowInGroups(x.span().data(), 300, 1, q.data(), params.data());
    EXPECT_TRUE(std::isnan(Step(params[2])));
    EXPECT_TRUE(std::isfinite(Step(params[0])) && std::isfinite(Step(params[4])));
  }
}

TEST(QuantizeRowQ8, MatchesQuantizeRow) {
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
