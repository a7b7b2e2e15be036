#include "weights/float_conversion.h"

#include <gtest/gtest.h>

#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "weights/model_files.h"

namespace clipglot {
namespace {

using testing::Numbers;
using testing::RawTensor;

TEST(Numbers, DecodeEveryFiniteHalf) {
  for (const auto& [dtype, name] : {std::pair{DType::kF16, "F16"}, {DType::kBF16, "BF16"}}) {
    RawTensor tensor{"", name, {}, {}};
    const unsigned exponent = dtype == DType::kF16 ? 0x7C00 : 0x7F80;
    for (unsigned word = 0; word < 0x10000; ++word) {
      if ((word & exponent) == exponent) continue;
      tensor.bytes.push_back(static_cast<std::byte>(word & 255));
      tensor.bytes.push_back(static_cast<std::byte>(word >> 8));
    }
    std::vector<float> decoded(tensor.bytes.size() / 2);
    DecodeFloats(dtype, tensor.bytes, decoded);
    EXPECT_EQ(decoded, Numbers(tensor)) << name;
    EXPECT_TRUE(AllFinite(decoded));
  }
}

TEST(Numbers, DecodeNonFiniteHalfs) {
  for (const auto& [dtype, infinity] : {std::pair{DType::kF16, 0x7C00}, {DType::kBF16, 0x7F80}}) {
    const std::array<uint16_t, 3> words = {static_cast<uint16_t>(infinity),
                                           static_cast<uint16_t>(infinity | 0x8000),
                                           static_cast<uint16_t>(infinity | 1)};
    std::array<float, 3> out;
    DecodeFloats(dtype, std::as_bytes(std::span(words)), out);
    EXPECT_EQ(out[0], std::numeric_limits<float>::infinity());
    EXPECT_EQ(out[1], -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(out[2]));
    for (const float number : out) EXPECT_FALSE(AllFinite(std::span(&number, 1)));
  }
}

TEST(Numbers, DecodeAtAnyAlignment) {
  std::array<std::byte, 13> bytes;
  const std::array<float, 3> numbers = {1.5f, -2.25f, 3e10f};
  std::memcpy(bytes.data() + 1, numbers.data(), 12);
  std::array<float, 3> out;
  DecodeFloats(DType::kF32, std::span(bytes).subspan(1), out);
  EXPECT_EQ(out, numbers);
}

TEST(Quantize, IsWithinHalfAStepAndUsesTheWholeRange) {
  std::minstd_rand random(3);
  std::vector<float> row(301);
  std::vector<int8_t> out(row.size());
  for (int trial = 0; trial < 50; ++trial) {
    float highest = 0;
    for (float& number : row) {
      number = (static_cast<float>(random() % 2001) - 1000) * std::ldexp(1.0f, trial - 25);
      highest = std::max(highest, std::abs(number));
    }
    const float scale = QuantizeWeightRow(row, out);
    EXPECT_EQ(scale, highest / 127);
    int widest = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      EXPECT_LE(std::abs(row[i] - scale * static_cast<float>(out[i])), scale * 0.5001f);
      widest = std::max(widest, std::abs(int{out[i]}));
    }
    EXPECT_EQ(widest, 127);
  }
}

TEST(Quantize, RoundsTiesToEven) {
  const std::vector<float> row = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -127};
  std::vector<int8_t> out(row.size());
  EXPECT_EQ(QuantizeWeightRow(row, out), 1.0f);
  EXPECT_EQ(out, (std::vector<int8_t>{127, 0, 2, 2, 0, -2, -127}));
}

TEST(Quantize, KeepsScalesNormal) {
  for (const float number : {0.0f, -0.0f, FLT_MIN, FLT_TRUE_MIN}) {
    const std::vector<float> row(5, number);
    std::vector<int8_t> out(5, 9);
    EXPECT_EQ(QuantizeWeightRow(row, out), 1.0f) << number;
    EXPECT_EQ(out, std::vector<int8_t>(5, 0)) << number;
  }
  const std::vector<float> large = {FLT_MAX, -FLT_MAX};
  std::vector<int8_t> out(2);
  EXPECT_TRUE(std::isnormal(QuantizeWeightRow(large, out)));
  EXPECT_EQ(out, (std::vector<int8_t>{127, -127}));
}

}  // namespace
}  // namespace clipglot
