// Random inputs and exact comparisons for the tests of nn.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "nn/nn.h"

namespace clipglot::testing {

// Floats with the padding that Linear::Run asks for.
class Values {
 public:
  explicit Values(size_t count) : count_(count), buffer_(AllocateOrDie(count)) {}
  std::span<float> span() { return {buffer_.as<float>().data(), count_}; }
  std::span<const float> span() const { return {buffer_.as<float>().data(), count_}; }
  float& operator[](size_t i) { return span()[i]; }
  float operator[](size_t i) const { return span()[i]; }
  size_t size() const { return count_; }

 private:
  static AlignedBuffer AllocateOrDie(size_t count) {
    auto buffer = AlignedBuffer::TryAllocateArray<float>(count, "test");
    EXPECT_TRUE(buffer.ok());
    return std::move(*buffer);
  }
  size_t count_;
  AlignedBuffer buffer_;
};

inline Values RandomValues(std::mt19937& random, size_t count, float low = -1, float high = 1) {
  std::uniform_real_distribution<float> uniform(low, high);
  Values out(count);
  for (float& v : out.span()) v = uniform(random);
  return out;
}

inline Matrix MatrixF32(std::mt19937& random, size_t out, size_t in) {
  Matrix m;
  m.rows = out;
  m.columns = in;
  auto buffer = AlignedBuffer::TryAllocateArray<float>(out * in, "test");
  EXPECT_TRUE(buffer.ok());
  m.values = std::move(*buffer);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& v : m.values.as<float>()) v = uniform(random);
  return m;
}

inline Matrix MatrixI8(std::mt19937& random, size_t out, size_t in) {
  Matrix m;
  m.format = WeightFormat::kInt8PerRow;
  m.rows = out;
  m.columns = in;
  auto buffer = AlignedBuffer::TryAllocateArray<int8_t>(out * in, "test");
  EXPECT_TRUE(buffer.ok());
  m.values = std::move(*buffer);
  std::uniform_int_distribution<int> value(-127, 127);
  for (int8_t& v : m.values.as<int8_t>()) v = static_cast<int8_t>(value(random));
  std::uniform_real_distribution<float> scale(0.001f, 0.002f);
  for (size_t o = 0; o < out; ++o) m.scales.push_back(scale(random));
  return m;
}

inline Matrix MatrixQ4(std::mt19937& random, size_t out, size_t in) {
  Matrix m;
  m.format = WeightFormat::kInt4Block32;
  m.rows = out;
  m.columns = in;
  auto values = AlignedBuffer::TryAllocate(out * Q4RowBytes(in), "test");
  auto scales = AlignedBuffer::TryAllocateArray<uint16_t>(out * Q4RowBlocks(in), "test");
  EXPECT_TRUE(values.ok() && scales.ok());
  m.values = std::move(*values);
  m.block_scales = std::move(*scales);
  for (uint8_t& v : m.values.as<uint8_t>()) v = static_cast<uint8_t>(random());
  // 2^-10 ... 2^-7, both signs
  for (uint16_t& v : m.block_scales.as<uint16_t>())
    v = static_cast<uint16_t>((random() % 2 ? 0x8000 : 0) | (0x3A80 + random() % (3 * 128)));
  return m;
}

inline std::unique_ptr<Workspace> MakeWorkspace(size_t threads) {
  auto workspace = Workspace::Create(threads);
  EXPECT_TRUE(workspace.ok()) << workspace.status().detail();
  return workspace.ok() ? std::move(*workspace) : nullptr;
}

// Size of one product: x [rows, in] gives y [rows, out].
struct Shape {
  size_t rows, in, out;
};

inline Values Apply(const Linear& linear, const Values& x, size_t rows, Workspace& workspace) {
  Values y(rows * linear.out());
  std::ranges::fill(y.span(), NAN);
  const Status status = linear.Run(x.span(), rows, y.span(), workspace);
  EXPECT_TRUE(status.ok()) << status.detail();
  return y;
}

inline bool SameBits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// No further from `wanted` than `relative` times its largest.
inline void ExpectNear(std::span<const float> y, const std::vector<double>& wanted,
                       double relative) {
  double largest = 0;
  for (const double v : wanted) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < y.size(); ++i)
    ASSERT_NEAR(y[i], wanted[i], relative * largest + 1e-30) << i;
}

// apply(x, rows) gives the same bits for few rows alone as among all of x, which gave `wanted`.
template <typename Apply>
void ExpectSameBitsInParts(const Values& x, const Values& wanted, const Shape& s,
                           const Apply& apply) {
  for (const size_t rows : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 16u, 19u}) {
    for (size_t first = 0; first + rows <= s.rows; first += rows * 2) {
      Values part(rows * s.in);
      std::ranges::copy(x.span().subspan(first * s.in, rows * s.in), part.span().begin());
      ASSERT_TRUE(
          SameBits(apply(part, rows).span(), wanted.span().subspan(first * s.out, rows * s.out)))
          << rows << " rows from " << first;
    }
  }
}

// Numbers that are not finite, in two rows, leave the others as they are; those get no finite ones,
// unless `bad` is finite.
template <typename Apply>
void ExpectBadStaysInItsRow(const Values& clean, const Shape& s, float bad, const Apply& apply) {
  const Values wanted = apply(clean, s.rows);
  Values x(clean.size());
  std::ranges::copy(clean.span(), x.span().begin());
  const size_t last = s.rows - 1;
  x[3 * s.in + 7] = bad;
  x[3 * s.in + 8] = -bad;
  x[last * s.in + s.in - 1] = bad;
  const Values y = apply(x, s.rows);
  for (size_t r = 0; r < s.rows; ++r) {
    const auto row = y.span().subspan(r * s.out, s.out);
    if (r != 3 && r != last) {
      EXPECT_TRUE(SameBits(row, wanted.span().subspan(r * s.out, s.out))) << r;
    } else if (!std::isfinite(bad)) {
      for (const float v : row) EXPECT_FALSE(std::isfinite(v)) << r;
    }
  }
}

}  // namespace clipglot::testing
