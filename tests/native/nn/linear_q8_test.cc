// Our own products with 8-bit weights, each path against exact integers.
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

// Paths of the table that this machine can take: natively all, in plain steps; in wasm what the
// engine can do, and what gives the same in every engine.
std::vector<const Int8Path*> Paths() {
  std::vector<const Int8Path*> paths;
  for (const Int8Path& path : Int8Paths()) {
#ifdef __wasm__
    const bool everywhere = path.isa == Int8Isa::kI16Madd || path.isa == Int8Isa::kAcc16;
    if (!everywhere && path.isa != ProbeInt8Isa()) continue;
#endif
    paths.push_back(&path);
  }
  return paths;
}

Values Apply(Product& product, const Values& x, size_t rows, size_t out, size_t threads = 1,
             bool pool = false) {
  const auto workspace = MakeWorkspace(threads);
  Values y(rows * out);
  std::ranges::fill(y.span(), NAN);
  const Status status = product.Run(x.span().data(), rows, y.span().data(),
                                    pool ? uint64_t{1} << 40 : 0, ImplOf(*workspace));
  EXPECT_TRUE(status.ok()) << status.detail();
  return y;
}

// Where QuantizeRowAcc16 puts a column, the first time.
size_t GroupElement(size_t column, size_t columns, size_t rows = 1) {
  const size_t group = column / kGroupColumns,
               in_group =
                   std::min(kGroupColumns, Int8PaddedColumns(columns) - group * kGroupColumns),
               quarter = in_group / kInt8Step / kGroupQuarters;
  const size_t position = GroupPosition(column % kGroupColumns / kInt8Step, quarter);
  return (group * kGroupPositions + position) * kInt8Step * rows + column % kInt8Step;
}

// What QuantizeRowAcc16 gives besides the values: an int16 in a word whose other half is zero.
float Step(int32_t bits) { return std::bit_cast<float>(bits); }
int MinusZero(int32_t word) {
  const auto value = static_cast<int16_t>(word);
  EXPECT_EQ(word, static_cast<uint16_t>(value));
  return value;
}

// Exact sums of what the quantisation gave; of kAcc16 it differs.
std::vector<double> Reference(std::span<const float> x, size_t rows, const Matrix& w,
                              std::span<const float> bias, const Int8Path& path) {
  if (path.isa != Int8Isa::kAcc16) {
    return reference::LinearInt8(x, rows, w, bias, [](std::span<const float> row, auto q) {
      return QuantizeRow(row.data(), row.size(), q.data());
    });
  }
  const size_t in = w.columns;
  std::vector<double> y(rows * w.rows);
  std::vector<uint8_t> q(2 * Int8PaddedColumns(in));
  std::vector<int32_t> params(2 * Groups(in));
  for (size_t r = 0; r < rows; ++r) {
    QuantizeRowAcc16(x.data() + r * in, in, 1, q.data(), params.data());
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

std::unique_ptr<Product> Make(const Matrix& w, std::span<const float> bias, const Int8Path& path) {
  auto product = Int8Product::Create(w, bias, path);
  EXPECT_TRUE(product.ok()) << product.status().detail();
  EXPECT_GE((*product)->packed_bytes(), w.rows * w.columns);
  return *std::move(product);
}

// How far a result may be from the exact one: of kAcc16 each group's sum is added as a float.
double Tolerance(const Int8Path& path, size_t in) {
  return 1e-6 + (path.isa == Int8Isa::kAcc16 ? 0x1p-24 * static_cast<double>(Groups(in)) : 0.0);
}

TEST(Int8Product, EveryPathGivesTheExactIntegers) {
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
    const Values first = Apply(*Make(w, bias, PathOf(Int8Isa::kI16Madd)), x, s.rows, s.out);
    for (const Int8Path* path : Paths()) {
      const auto product = Make(w, bias, *path);
      const Values y = Apply(*product, x, s.rows, s.out);
      ExpectNear(y.span(), Reference(x.span(), s.rows, w, bias, *path), Tolerance(*path, s.in));
      if (path->isa != Int8Isa::kAcc16) {
        EXPECT_TRUE(SameBits(y.span(), first.span())) << path->name;
      }
      if (s.rows * s.in * s.out > 10000) {
        for (const size_t threads : {2u, 3u})
          EXPECT_TRUE(SameBits(Apply(*product, x, s.rows, s.out, threads, true).span(), y.span()));
      }
    }
  }
}

// The largest sums that there are: all weights and all activations at their ends. In many rows they
// pass int32's ends on the way.
TEST(Int8Product, Extremes) {
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
        for (const Int8Path* path : Paths()) {
          const auto wanted = Reference(x.span().first(kKinds * in), kKinds, w, {}, *path);
          const Values y = Apply(*Make(w, {}, *path), x, rows, out);
          for (size_t r = 0; r < rows; ++r) {
            SCOPED_TRACE(::testing::Message()
                         << "in " << in << " row " << r << " of " << rows << " weight " << weight);
            const auto first = wanted.begin() + static_cast<ptrdiff_t>(r % kKinds * out);
            ExpectNear(y.span().subspan(r * out, out), {first, first + out}, Tolerance(*path, in));
          }
        }
      }
    }
  }
}

TEST(Int8Product, SameBitsAloneAndInABatch) {
  for (const Shape& s : {Shape{23, 64, 192}, {17, 170, 64}, {109, 2730, 57}}) {
    std::mt19937 random(600);
    const Values b = RandomValues(random, s.out), x = RandomValues(random, s.rows * s.in, -2, 2);
    const Matrix w = MatrixI8(random, s.out, s.in);
    for (const Int8Path* path : Paths()) {
      const auto product = Make(w, b.span(), *path);
      const Values wanted = Apply(*product, x, s.rows, s.out);
      testing::ExpectSameBitsInParts(x, wanted, s, [&](const Values& part, size_t rows) {
        return Apply(*product, part, rows, s.out);
      });
    }
  }
}

// Large enough that the threads do it, with panels that are missing outputs.
TEST(Int8Product, PacksTheSameOnThreads) {
  std::mt19937 random(700);
  const Shape s = {5, 1100, 1027};
  const Matrix w = MatrixI8(random, s.out, s.in);
  const Values b = RandomValues(random, s.out), x = RandomValues(random, s.rows * s.in, -2, 2);
  for (const Int8Path* path : Paths()) {
    const auto alone = Make(w, b.span(), *path);
    const Values wanted = Apply(*alone, x, s.rows, s.out);
    for (const size_t threads : {1u, 2u, 3u}) {
      const auto workspace = MakeWorkspace(threads);
      const auto together = Int8Product::Create(w, b.span(), *path, &ImplOf(*workspace));
      ASSERT_TRUE(together.ok());
      EXPECT_EQ((*together)->packed_bytes(), alone->packed_bytes());
      EXPECT_TRUE(SameBits(Apply(**together, x, s.rows, s.out).span(), wanted.span()));
    }
  }
}

TEST(Int8Product, NanAndInfinityStayInTheirRow) {
  std::mt19937 random(400);
  for (const Shape& s : {Shape{12, 100, 19}, {29, 170, 33}}) {
    const Matrix w = MatrixI8(random, s.out, s.in);
    const Values clean = RandomValues(random, s.rows * s.in);
    for (const Int8Path* path : Paths()) {
      const auto product = Make(w, {}, *path);
      for (const float bad : {NAN, INFINITY, -INFINITY}) {
        testing::ExpectBadStaysInItsRow(clean, s, bad, [&](const Values& x, size_t rows) {
          return Apply(*product, x, rows, s.out);
        });
      }
    }
  }
}

// Whether all products of a lane fit into int16 with any activations, and panels and outliers
// together are the weights; from ordinary weights hardly anything is taken.
TEST(Acc16Weights, LanesFitAndNothingIsLost) {
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
      auto acc16 = Acc16Weights::Create(panels, in);
      ASSERT_TRUE(acc16.ok());
      size_t outliers = 0;
      for (size_t p = 0; p < kPanels; ++p) {
        const Acc16Panel panel = acc16->panel(p);
        // By output and by position of the activations (once of twice), what a kernel multiplies.
        std::vector<int> found(2 * Int8PaddedColumns(in) * kPanelOutputs);
        const auto at = [&](size_t position, size_t byte) -> int& {
          return found[(position * kInt8Step + byte % kInt8Step) * kPanelOutputs +
                       byte / kInt8Step];
        };
        const int8_t* from = reinterpret_cast<const int8_t*>(panels.data() + p * PanelBytes(in));
        for (size_t g = 0; g < Groups(in); ++g) {
          const size_t quarter =
              std::min(kGroupColumns, Int8PaddedColumns(in) - g * kGroupColumns) / kInt8Step /
              kGroupQuarters;
          for (size_t c = 0; c < quarter; ++c) {
            std::array<std::array<int, 16>, 2> sums_of = {};  // below zero, above
            for (size_t j = 0; j < kGroupQuarters; ++j) {
              const size_t start = panel.groups[g].starts[j], shift = start % (2 * quarter),
                           step = start / (2 * quarter) * quarter + (shift + c) % quarter;
              EXPECT_LT(shift, quarter);
              for (size_t b = 0; b < kVectorBytes; ++b, ++from) {
                at(g * kGroupPositions + GroupPosition(step, quarter), b) += *from;
                const size_t part = panel.spill_often ? j / kAcc16SpillOften : 0;
                sums_of[*from > 0 ? 1 : 0][part * 8 + b / 2] += *from;
              }
            }
            for (size_t i = 0; i < 16; ++i) {
              EXPECT_LE(kGroupMax * sums_of[1][i], 32767);
              EXPECT_GE(kGroupMax * sums_of[0][i], -32768);
            }
          }
        }
        for (const Outlier& outlier : panel.outliers) {
          for (size_t b = 0; b < kVectorBytes; ++b) {
            at(outlier.position, b) += outlier.weights[b];
            const int pair = int{outlier.weights[b]} + outlier.weights[b ^ 1];
            EXPECT_LE(kGroupMax * std::abs(pair), 32768);
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
        outliers += panel.outliers.size();
      }
      const size_t vectors = kPanels * Int8PaddedColumns(in) / kInt8Step;
      if (kind == 0) {
        EXPECT_EQ(outliers, 0u);
      } else if (kind == 1) {
        EXPECT_LE(outliers, vectors / 16 + 3);  // a single group has little choice
      } else if (in >= 128) {
        EXPECT_GT(outliers, 0u);
      }
    }
  }
}

// Each value within half a step of what it was (and what zero's rounding adds), in 0 ...
// kGroupMax, its group's own range.
TEST(QuantizeRowAcc16, GroupsHaveTheirOwnSteps) {
  std::mt19937 random(11);
  for (const size_t columns : {1u, 15u, 128u, 129u, 300u, 1024u}) {
    for (const size_t rows : {1u, 3u, 8u}) {
      Values x = RandomValues(random, columns, -1, 2);
      x[columns - 1] = 1000;  // spoils its own group only
      std::vector<uint8_t> q(2 * Int8PaddedColumns(columns) * rows, 99);
      std::vector<int32_t> params(Groups(columns) * rows * 2, 99);
      QuantizeRowAcc16(x.span().data(), columns, rows, q.data(), params.data());
      for (size_t c = 0; c < columns; ++c) {
        const int32_t* param = params.data() + c / kGroupColumns * 2 * rows;
        const float step = Step(param[0]);
        const size_t first = GroupElement(c, columns, rows),
                     group = c / kGroupColumns * kGroupColumns,
                     quarter = std::min(kGroupColumns, Int8PaddedColumns(columns) - group) /
                               kGroupQuarters;
        for (const size_t at : {first, first + quarter * rows}) {
          ASSERT_LE(q[at], kGroupMax);
          EXPECT_NEAR(step * static_cast<float>(q[at] + MinusZero(param[rows])), x[c], 1.01 * step);
          for (size_t r = 1; r < rows; ++r) EXPECT_EQ(q[at + 4 * r], 99);  // another row's place
        }
        EXPECT_LE(step, group + kGroupColumns >= columns ? 1002.0 / kGroupMax : 3.0 / kGroupMax);
      }
    }
  }
  for (const float bad : {NAN, INFINITY}) {
    Values x = RandomValues(random, 300);
    x[130] = bad;
    std::vector<uint8_t> q(2 * Int8PaddedColumns(300));
    std::vector<int32_t> params(6);
    QuantizeRowAcc16(x.span().data(), 300, 1, q.data(), params.data());
    EXPECT_TRUE(std::isnan(Step(params[2])));
    EXPECT_TRUE(std::isfinite(Step(params[0])) && std::isfinite(Step(params[4])));
  }
}

TEST(QuantizeRows, MatchesQuantizeRow) {
  std::mt19937 random(7);
  for (const size_t columns : {1u, 4u, 9u, 16u, 23u, 64u, 170u}) {
    for (const size_t rows : {1u, 2u, 4u, 6u}) {
      const Values x = RandomValues(random, columns, -1, 2);
      std::vector<int8_t> wanted(columns);
      const RowQuantization row = QuantizeRow(x.span().data(), columns, wanted.data());
      const size_t elements = Int8PaddedColumns(columns) * rows;
      std::vector<int8_t> bytes(elements, 99);
      std::vector<int16_t> words(elements, 99);
      for (const Int8Isa isa : {Int8Isa::kI16Madd, Int8Isa::kU8S8Dot, Int8Isa::kS8S8Dot}) {
        const bool i16 = isa == Int8Isa::kI16Madd, is_unsigned = isa == Int8Isa::kU8S8Dot;
        const RowQuantization got =
            i16 ? QuantizeRowI16(x.span().data(), columns, rows,
                                 reinterpret_cast<uint8_t*>(words.data()))
                : QuantizeRowBytes(x.span().data(), columns, rows, is_unsigned,
                                   reinterpret_cast<uint8_t*>(bytes.data()));
        EXPECT_EQ(got.zero_point, row.zero_point);
        EXPECT_EQ(got.step, row.step);
        for (size_t c = 0; c < Int8PaddedColumns(columns); ++c) {
          for (size_t r = 0; r < rows; ++r) {
            const size_t at = (c / 4 * rows + r) * 4 + c % 4;
            const int value = i16           ? words[at]
                              : is_unsigned ? int{static_cast<uint8_t>(bytes[at])}
                                            : bytes[at];
            const int shift = i16 ? -row.zero_point : is_unsigned ? 128 : 0;
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
