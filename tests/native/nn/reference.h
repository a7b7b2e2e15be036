// Slow, obvious versions of the layers, in double: what the fast ones are compared with. For tests
// only.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/tensor.h"

namespace clipglot::reference {

// y[r, o] = Σ_i x[r, i] · w[o, i] + b[o]; b may be empty.
inline std::vector<double> Linear(std::span<const float> x, size_t rows, std::span<const float> w,
                                  std::span<const float> b, size_t in, size_t out) {
  std::vector<double> y(rows * out);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t o = 0; o < out; ++o) {
      double sum = b.empty() ? 0.0 : b[o];
      for (size_t i = 0; i < in; ++i) sum += double{x[r * in + i]} * double{w[o * in + i]};
      y[r * out + o] = sum;
    }
  }
  return y;
}

// The same with int8 weights: `quantize` (x of a row, its int8) gives the row's zero point and
// step; the product in exact integers, then XNNPACK's three steps in double.
template <typename Quantize>
std::vector<double> LinearInt8(std::span<const float> x, size_t rows, const Matrix& w,
                               std::span<const float> b, const Quantize& quantize) {
  const size_t in = w.columns, out = w.rows;
  std::vector<double> y(rows * out);
  std::vector<int8_t> q(in);
  for (size_t r = 0; r < rows; ++r) {
    const auto row = quantize(x.subspan(r * in, in), std::span<int8_t>(q));
    for (size_t o = 0; o < out; ++o) {
      int64_t sum = 0;
      for (size_t i = 0; i < in; ++i) sum += int64_t{q[i] - row.zero_point} * w.i8()[o * in + i];
      y[r * out + o] = static_cast<double>(sum) * row.step * w.scales[o] + (b.empty() ? 0.0 : b[o]);
    }
  }
  return y;
}

inline std::vector<double> LayerNorm(std::span<const float> x, std::span<const float> residual,
                                     size_t rows, std::span<const float> weight,
                                     std::span<const float> bias, double eps) {
  const size_t columns = weight.size();
  std::vector<double> y(rows * columns);
  for (size_t r = 0; r < rows; ++r) {
    std::vector<double> row(columns);
    double mean = 0, variance = 0;
    for (size_t c = 0; c < columns; ++c) {
      row[c] =
          double{x[r * columns + c]} + (residual.empty() ? 0.0 : double{residual[r * columns + c]});
      mean += row[c] / static_cast<double>(columns);
    }
    for (const double v : row) variance += (v - mean) * (v - mean) / static_cast<double>(columns);
    for (size_t c = 0; c < columns; ++c) {
      y[r * columns + c] = (row[c] - mean) / std::sqrt(variance + eps) * weight[c] + bias[c];
    }
  }
  return y;
}

inline double Gelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }
inline double Silu(double x) { return x / (1.0 + std::exp(-x)); }

// Output of one query row and head of self-attention: [head_dim].
inline std::vector<double> AttentionRow(std::span<const float> qkv, size_t rows, size_t heads,
                                        size_t head_dim, std::span<const uint8_t> key_mask,
                                        size_t row, size_t head) {
  const size_t width = heads * head_dim;
  const float* q = qkv.data() + row * 3 * width + head * head_dim;
  std::vector<double> scores(rows);
  double max = -INFINITY;
  for (size_t k = 0; k < rows; ++k) {
    if (!key_mask.empty() && key_mask[k] == 0) continue;
    for (size_t c = 0; c < head_dim; ++c)
      scores[k] += double{q[c]} * double{qkv[k * 3 * width + width + head * head_dim + c]};
    scores[k] /= std::sqrt(static_cast<double>(head_dim));
    max = std::max(max, scores[k]);
  }
  std::vector<double> out(head_dim);
  double sum = 0;
  for (size_t k = 0; k < rows; ++k) {
    if (!key_mask.empty() && key_mask[k] == 0) continue;
    const double p = std::exp(scores[k] - max);
    sum += p;
    for (size_t c = 0; c < head_dim; ++c)
      out[c] += p * qkv[k * 3 * width + 2 * width + head * head_dim + c];
  }
  for (double& v : out) v = sum == 0 ? 0 : v / sum;
  return out;
}

}  // namespace clipglot::reference
