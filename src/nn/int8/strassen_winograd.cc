#include "nn/int8/strassen_winograd.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "nn/int8/finish.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::I16x8;
using simd::I32x4;

constexpr size_t kProducts = 7;
constexpr size_t kQuad = kInt8Step;
constexpr size_t kHalfPanels = kStrassenPanels / 2;
// Columns of a half that are done at once: what is made of their weights stays in the second cache.
constexpr size_t kChunk = 512;

// With a for the activations' quarters (first half of rows and columns, first and second, second
// and first, second) and b for the weights' (first half of columns and outputs, first and second,
// second and first, second), the products are left[i] · right[i].
template <typename V>
std::array<V, kProducts> Left(const V (&a)[4]) {
  const V s1 = a[2] + a[3], s2 = s1 - a[0];
  return {a[0], a[1], a[1] - s2, a[3], s1, s2, a[0] - a[2]};
}
template <typename V>
std::array<V, kProducts> Right(const V (&b)[4]) {
  const V t1 = b[1] - b[0], t2 = b[3] - t1;
  return {b[0], b[2], b[3], t2 - b[2], t1, t2, b[3] - b[1]};
}
// How often a product counts in each quarter of the result: rows' first half and outputs' first,
// first and second, second and first, second and second.
constexpr int kCounts[kProducts][4] = {{1, 1, 1, 1}, {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, -1, 0},
                                       {0, 1, 0, 1}, {0, 1, 1, 1}, {0, 0, 1, 1}};

// What the products of neighbours add to a quarter of the result, from those of each product.
I32x4 Counted(const std::array<I32x4, kProducts>& of, size_t quarter) {
  I32x4 sum = {};
  for (size_t i = 0; i < kProducts; ++i) {
    if (kCounts[i][quarter] > 0) sum = simd::AddWrapping(sum, of[i]);
    if (kCounts[i][quarter] < 0) sum = simd::SubWrapping(sum, of[i]);
  }
  return sum;
}

// Quads of columns 0 1 2 3 as 0 2 1 3: the operands of one multiplication are each other's
// neighbours, two pairs of them in a quad, as the weights' bytes of even and odd columns are.
I16x8 LoadQuads(const int16_t* from) {
  const I16x8 v = simd::LoadI16(from);
  return __builtin_shufflevector(v, v, 0, 2, 1, 3, 4, 6, 5, 7);
}
// Σ of the products of neighbours in each quad, twice.
I32x4 Neighbours(I16x8 quads) {
  return simd::WidenMulPairwiseAdd(quads,
                                   __builtin_shufflevector(quads, quads, 2, 3, 0, 1, 6, 7, 4, 5));
}

// A pair of rows in plain order, `columns` of either half. `to`: its first quad; the next lies
// `stride` values later, the next product `product` values.
CLIPGLOT_NOINLINE void CombineRows(const int16_t* first, const int16_t* second, size_t half,
                                   size_t columns, int16_t* to, size_t stride, size_t product,
                                   std::array<I32x4, kProducts>& neighbours) {
  for (size_t c = 0; c < columns; c += simd::kLanes16, to += 2 * stride) {
    // The last eight of a half may reach into the other.
    const bool whole = c + simd::kLanes16 <= columns;
    I16x8 a[4] = {LoadQuads(first + c), LoadQuads(first + half + c), LoadQuads(second + c),
                  LoadQuads(second + half + c)};
    if (!whole) {
      for (I16x8& v : a) v = __builtin_shufflevector(v, I16x8{}, 0, 1, 2, 3, 8, 9, 10, 11);
    }
    const std::array<I16x8, kProducts> left = Left(a);
    for (size_t i = 0; i < kProducts; ++i) {
      neighbours[i] = simd::AddWrapping(neighbours[i], Neighbours(left[i]));
      std::memcpy(to + i * product, &left[i], kQuad * sizeof(int16_t));
      if (whole) {
        const int64_t last = ((simd::I64x2)left[i])[1];
        std::memcpy(to + i * product + stride, &last, sizeof(last));
      }
    }
  }
}

// The panels' bytes from column `begin` of the first half on. What is missing is zero: it is read
// from one vector, in steps of nothing.
struct Cursor {
  const uint8_t* at[kStrassenPanels];
  size_t step[kStrassenPanels],
      second[kStrassenPanels];  // to the next four columns, to the second half

  Cursor(const PanelGroup& panels, size_t half_columns, size_t begin) {
    static constexpr uint8_t kNoWeights[16] = {};
    for (size_t p = 0; p < kStrassenPanels; ++p) {
      const bool there = panels[p] != nullptr;
      at[p] = there ? panels[p] + begin * 4 : kNoWeights;
      step[p] = there ? kQuad * 4 : 0;
      second[p] = there ? half_columns * 4 : 0;
    }
  }
  // Right operands of the odd columns and of the even ones, for panel p of the first half of the
  // outputs and its fellow of the second half.
  void Next(size_t p, std::array<I16x8, kProducts>& odd, std::array<I16x8, kProducts>& even) {
    I16x8 b[2][4];
    for (size_t q = 0; q < 4; ++q) {
      const size_t panel = p + q % 2 * kHalfPanels;
      const simd::I8x16 bytes = simd::LoadI8(at[panel] + (q < 2 ? 0 : second[panel]));
      b[0][q] = simd::PromoteOddToI16(bytes);
      b[1][q] = simd::PromoteEvenToI16(bytes);
    }
    odd = Right(b[0]);
    even = Right(b[1]);
    at[p] += step[p];
    at[p + kHalfPanels] += step[p + kHalfPanels];
  }
};

// Weights of a chunk, for each product and each four columns of it: for both panels the odd columns
// of four outputs and the even ones.
struct Weights {
  // More than they take: seven places at a distance of a power of two would share lines of the
  // cache.
  int16_t values[kProducts][kChunk * kHalfPanels * 4 + 288];
};
CLIPGLOT_NOINLINE void CombineWeights(Cursor& from, size_t columns, Weights& to) {
  for (size_t p = 0; p < kHalfPanels; ++p) {
    int16_t* out = to.values[0] + p * 2 * simd::kLanes16;
    for (size_t c = 0; c < columns; c += kQuad, out += kHalfPanels * 2 * simd::kLanes16) {
      std::array<I16x8, kProducts> odd, even;
      from.Next(p, odd, even);
      for (size_t i = 0; i < kProducts; ++i) {
        std::memcpy(out + i * std::size(to.values[0]), &odd[i], sizeof(I16x8));
        std::memcpy(out + i * std::size(to.values[0]) + simd::kLanes16, &even[i], sizeof(I16x8));
      }
    }
  }
}

template <int count>
inline void Count(I32x4 value, int32_t* sum) {
  if constexpr (count != 0) {
    I32x4 v;
    std::memcpy(&v, sum, sizeof(v));
    v = count > 0 ? simd::AddWrapping(v, value) : simd::SubWrapping(v, value);
    std::memcpy(sum, &v, sizeof(v));
  }
}

// R rows of one product by half of the outputs. More rows or outputs at once would need more than
// the 15 registers of x86.
template <size_t R, size_t product>
inline void MultiplyRows(const int16_t* w, const int16_t* x, size_t columns, int32_t* upper,
                         int32_t* lower) {
  I32x4 sum[R][kHalfPanels] = {};
  for (size_t c = columns; c > 0; c -= kQuad) {
    I16x8 odd[kHalfPanels], even[kHalfPanels];
    for (size_t p = 0; p < kHalfPanels; ++p) {
      odd[p] = simd::LoadI16(w + p * 2 * simd::kLanes16);
      even[p] = simd::LoadI16(w + p * 2 * simd::kLanes16 + simd::kLanes16);
    }
    for (size_t r = 0; r < R; ++r) {
      const I16x8 x_even = simd::SplatI16Pair(x + r * kQuad),
                  x_odd = simd::SplatI16Pair(x + r * kQuad + 2);
      for (size_t p = 0; p < kHalfPanels; ++p)
        sum[r][p] = simd::AddWrapping(sum[r][p],
                                      simd::WidenMulPairwiseAdd(x_even + odd[p], x_odd + even[p]));
    }
    w += kHalfPanels * 2 * simd::kLanes16;
    x += R * kQuad;
  }
  constexpr auto& counts = kCounts[product];
  for (size_t r = 0; r < R; ++r) {
    for (size_t p = 0; p < kHalfPanels; ++p) {
      const size_t at = r * kStrassenOutputs + p * 4;
      Count<counts[0]>(sum[r][p], upper + at);
      Count<counts[1]>(sum[r][p], upper + at + kStrassenOutputs / 2);
      Count<counts[2]>(sum[r][p], lower + at);
      Count<counts[3]>(sum[r][p], lower + at + kStrassenOutputs / 2);
    }
  }
}

template <size_t product>
void Multiply(const int16_t* w, const int16_t* x, size_t half, size_t columns, int32_t* sums) {
  int32_t* lower = sums + half * kStrassenOutputs;
  size_t r = 0;
  for (; r + 2 <= half; r += 2) {
    const size_t at = r * kStrassenOutputs;
    MultiplyRows<2, product>(w, x + r * columns, columns, sums + at, lower + at);
  }
  if (r < half) {
    const size_t at = r * kStrassenOutputs;
    MultiplyRows<1, product>(w, x + r * columns, columns, sums + at, lower + at);
  }
}
// Called through a table, or Binaryen would put all into one function, for which V8 finds no good
// use of the registers.
constexpr decltype(&Multiply<0>) kMultiply[kProducts] = {
    Multiply<0>, Multiply<1>, Multiply<2>, Multiply<3>, Multiply<4>, Multiply<5>, Multiply<6>};

}  // namespace

void PackStrassenRows(const float* x, size_t rows, size_t columns, size_t begin, size_t end,
                      int16_t* scratch, int16_t* block, StrassenRow* params) {
  const size_t half = (rows + 1) / 2, padded = Int8PaddedColumns(columns),
               half_columns = padded / 2;
  for (size_t pair = begin; pair < end; ++pair) {
    const bool two = pair + half < rows;
    RowQuantization row[2];
    for (size_t i = 0; i < 2; ++i) {
      if (i == 0 || two) {
        row[i] = QuantizeRowI16(x + (pair + i * half) * columns, columns, 1,
                                reinterpret_cast<uint8_t*>(scratch + i * padded));
      } else {
        std::fill_n(scratch + padded, padded, int16_t{0});
      }
    }
    const size_t group = pair / 2 * 2, together = std::min<size_t>(2, half - group);
    std::array<I32x4, kProducts> neighbours = {};
    for (size_t c = 0; c < half_columns; c += kChunk) {
      const size_t count = std::min(kChunk, half_columns - c);
      CombineRows(scratch + c, scratch + padded + c, half_columns, count,
                  block + kProducts * half * c + group * count + (pair - group) * kQuad,
                  together * kQuad, half * count, neighbours);
    }
    int32_t offsets[4];
    for (size_t q = 0; q < 4; ++q) {
      const I32x4 sum = Counted(neighbours, q);
      offsets[q] = simd::AddWrapping(sum, __builtin_shufflevector(sum, sum, 2, 3, 0, 1))[0];
    }
    params[pair] = {row[0].step, {offsets[0], offsets[1]}};
    if (two) params[pair + half] = {row[1].step, {offsets[2], offsets[3]}};
  }
}

StrassenOffsets StrassenOffsetsOf(const PanelGroup& panels, size_t columns) {
  StrassenOffsets offsets;
  const size_t half_columns = Int8PaddedColumns(columns) / 2;
  Cursor from(panels, half_columns, 0);
  for (size_t p = 0; p < kHalfPanels; ++p) {
    std::array<I32x4, kProducts> neighbours = {};
    for (size_t c = 0; c < half_columns; c += kQuad) {
      std::array<I16x8, kProducts> odd, even;
      from.Next(p, odd, even);
      for (size_t i = 0; i < kProducts; ++i)
        neighbours[i] =
            simd::AddWrapping(neighbours[i], simd::WidenMulPairwiseAdd(odd[i], even[i]));
    }
    for (size_t q = 0; q < 4; ++q) {
      const I32x4 sum = Counted(neighbours, q);
      std::memcpy(offsets.of[q / 2] + (q % 2 * kHalfPanels + p) * 4, &sum, sizeof(sum));
    }
  }
  return offsets;
}

void StrassenWinogradGemm(const int16_t* block, size_t rows, const PanelGroup& panels,
                          size_t columns, int32_t* sums) {
  const size_t half = (rows + 1) / 2, half_columns = Int8PaddedColumns(columns) / 2;
  alignas(16) Weights weights;
  std::fill_n(sums, 2 * half * kStrassenOutputs, 0);
  for (size_t begin = 0; begin < half_columns; begin += kChunk) {
    const size_t count = std::min(kChunk, half_columns - begin);
    Cursor from(panels, half_columns, begin);
    CombineWeights(from, count, weights);
    const int16_t* x = block + kProducts * half * begin;
    for (size_t i = 0; i < kProducts; ++i)
      kMultiply[i](weights.values[i], x + i * half * count, half, count, sums);
  }
}

CLIPGLOT_NOINLINE void FinishStrassen(const int32_t* sums, const uint8_t* const* tails,
                                      size_t row_half, const StrassenRow* params, size_t rows,
                                      size_t outputs, float* y, size_t stride) {
  for (size_t r = 0; r < rows; ++r, sums += kStrassenOutputs, y += stride) {
    for (size_t p = 0; p * kPanelOutputs < outputs; ++p) {
      const uint8_t* tail = tails[p];
      const I32x4 of_weights = simd::LoadI32(tail + offsetof(PanelTail, strassen_offsets) +
                                             row_half * sizeof(of_weights));
      const int32_t of_row = params[r].offsets[p / (kStrassenPanels / 2)];
      const I32x4 sum =
          simd::SubWrapping(simd::SubWrapping(simd::LoadI32(sums + p * kPanelOutputs), of_weights),
                            simd::SplatI32(of_row));
      float part[kPanelOutputs];
      const size_t left = outputs - p * kPanelOutputs;
      Scale(simd::ConvertToF32(sum) * simd::Splat(params[r].step), tail,
            left < kPanelOutputs ? part : y + p * kPanelOutputs);
      if (left < kPanelOutputs) std::copy_n(part, left, y + p * kPanelOutputs);
    }
  }
}

}  // namespace clipglot
