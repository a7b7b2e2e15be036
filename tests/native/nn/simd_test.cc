// The machine's operations against scalar.h, bit by bit, on random and extreme values; the others
// against what their comments say. Built for another machine this proves that machine's half.
#include "nn/simd/simd.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>

#include "nn/simd/scalar.h"

namespace clipglot::simd {
namespace {

constexpr int kRounds = 20000;

// Values of any bits, every second one from a list of extremes.
class Source {
 public:
  F32x4 Floats() {
    static constexpr float kExtremes[] = {0.0f,
                                          -0.0f,
                                          1.0f,
                                          -1.0f,
                                          std::numeric_limits<float>::infinity(),
                                          -std::numeric_limits<float>::infinity(),
                                          std::numeric_limits<float>::quiet_NaN(),
                                          std::numeric_limits<float>::denorm_min(),
                                          -std::numeric_limits<float>::denorm_min(),
                                          std::numeric_limits<float>::min(),
                                          std::numeric_limits<float>::max(),
                                          std::numeric_limits<float>::lowest(),
                                          1.00000012f,
                                          12582912.0f,
                                          0.333333343f,
                                          1e-34f};
    F32x4 out;
    for (size_t i = 0; i < kLanes; ++i) {
      out[i] = Extreme() ? kExtremes[random_() % std::size(kExtremes)]
                         : std::bit_cast<float>(static_cast<uint32_t>(random_()));
    }
    return out;
  }
  // Numbers of a size at which sums and products round rather than vanish.
  F32x4 Moderate() {
    std::uniform_real_distribution<float> distribution(-4.0f, 4.0f);
    F32x4 out;
    for (size_t i = 0; i < kLanes; ++i) out[i] = distribution(random_);
    return out;
  }
  I32x4 Ints() {
    static constexpr int32_t kExtremes[] = {
        0,     1,        -1,        127,       128,       -128,          -129,
        255,   256,      -256,      32767,     32768,     -32768,        -32769,
        65535, 16777217, -16777217, INT32_MAX, INT32_MIN, INT32_MAX - 64};
    I32x4 out;
    for (size_t i = 0; i < kLanes; ++i) {
      out[i] = Extreme() ? kExtremes[random_() % std::size(kExtremes)]
                         : static_cast<int32_t>(random_()) >> (random_() % 32);
    }
    return out;
  }
  I16x8 Shorts() {
    static constexpr int16_t kExtremes[] = {0, 1, -1, 255, 256, -256, 32767, -32768, -32767};
    I16x8 out;
    for (size_t i = 0; i < kLanes16; ++i) {
      out[i] =
          Extreme() ? kExtremes[random_() % std::size(kExtremes)] : static_cast<int16_t>(random_());
    }
    return out;
  }
  // Bytes from `low` to `high`, the two of them often.
  I8x16 Bytes(int low = -128, int high = 127) {
    I8x16 out;
    for (size_t i = 0; i < 16; ++i) {
      const int any = low + static_cast<int>(random_() % static_cast<unsigned>(high - low + 1));
      const int v = !Extreme() ? any : random_() % 2 == 0 ? low : high;
      out[i] = static_cast<int8_t>(static_cast<uint8_t>(v));
    }
    return out;
  }

 private:
  bool Extreme() { return random_() % 2 == 0; }

  std::mt19937 random_{17};
};

template <typename V>
std::array<uint8_t, 16> Bits(V v) {
  return std::bit_cast<std::array<uint8_t, 16>>(v);
}

// Equal bits, or NaN in both: which NaN comes of an operation is left to machines.
::testing::AssertionResult SameFloats(F32x4 a, F32x4 b) {
  for (size_t i = 0; i < kLanes; ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<uint32_t>(float{a[i]}) != std::bit_cast<uint32_t>(float{b[i]}))
      return ::testing::AssertionFailure() << "lane " << i << ": " << a[i] << ", " << b[i];
  }
  return ::testing::AssertionSuccess();
}

TEST(SimdTest, MulAddRoundsTwice) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const bool moderate = round % 2 == 0;
    const F32x4 a = moderate ? source.Moderate() : source.Floats(),
                b = moderate ? source.Moderate() : source.Floats(),
                c = moderate ? source.Moderate() : source.Floats();
    ASSERT_TRUE(SameFloats(machine::MulAdd(a, b, c), scalar::MulAdd(a, b, c)));
  }
  // Fused, this would be 2^-46.
  const F32x4 x = Splat(1.0f + 0x1p-23f);
  EXPECT_EQ(machine::MulAdd(x, x, Splat(-1.0f - 0x1p-22f))[0], 0.0f);
}

TEST(SimdTest, MaxAndMinKeepNanOfTheFirst) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const F32x4 a = source.Floats(), b = source.Floats();
    ASSERT_EQ(Bits(machine::Max(a, b)), Bits(scalar::Max(a, b)));
    ASSERT_EQ(Bits(machine::Min(a, b)), Bits(scalar::Min(a, b)));
  }
  const F32x4 nan = Splat(std::numeric_limits<float>::quiet_NaN()), one = Splat(1.0f);
  for (const auto& extremum : {machine::Max, machine::Min}) {
    EXPECT_TRUE(std::isnan(extremum(nan, one)[0]));
    EXPECT_EQ(extremum(one, nan)[0], 1.0f);
    EXPECT_TRUE(std::signbit(extremum(Splat(-0.0f), Splat(0.0f))[0]));
    EXPECT_FALSE(std::signbit(extremum(Splat(0.0f), Splat(-0.0f))[0]));
  }
}

TEST(SimdTest, ProductsOfShorts) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const I16x8 a = source.Shorts(), b = source.Shorts();
    ASSERT_EQ(Bits(machine::WidenMulPairwiseAdd(a, b)), Bits(scalar::WidenMulPairwiseAdd(a, b)));
  }
  const I16x8 lowest = SplatI16(-32768);
  EXPECT_EQ(machine::WidenMulPairwiseAdd(lowest, lowest)[0], INT32_MIN);  // modulo 2^32
}

TEST(SimdTest, ProductsOfBytesInPairs) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const bool small_a = round % 2 == 0;  // either way the sums fit
    const I8x16 a = small_a ? source.Bytes(-64, 64) : source.Bytes(),
                b = small_a ? source.Bytes(0, 255) : source.Bytes(0, 127);
    ASSERT_EQ(Bits(machine::MulPairwiseAddI8U8(a, b)), Bits(scalar::MulPairwiseAddI8U8(a, b)));
  }
}

TEST(SimdTest, ProductsOfBytesInQuads) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const I8x16 a = source.Bytes(), b = source.Bytes();
    const I32x4 sum = source.Ints() >> 1;
    for (const bool b_unsigned : {false, true}) {
      ASSERT_EQ(Bits(machine::SumOfMulQuadAccumulate(a, b, sum, b_unsigned)),
                Bits(scalar::SumOfMulQuadAccumulate(a, b, sum, b_unsigned)));
    }
  }
  const auto lowest = (I8x16)SplatI32(static_cast<int32_t>(0x80808080));
  EXPECT_EQ(machine::SumOfMulQuadAccumulate(lowest, lowest, SplatI32(1), false)[3], 65537);
  EXPECT_EQ(machine::SumOfMulQuadAccumulate(lowest, lowest, SplatI32(1), true)[3], -65535);
}

TEST(SimdTest, DemotionSaturates) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const I32x4 a = source.Ints(), b = source.Ints(), c = source.Ints(), d = source.Ints();
    ASSERT_EQ(Bits(machine::DemoteToI8(a, b, c, d)), Bits(scalar::DemoteToI8(a, b, c, d)));
    ASSERT_EQ(Bits(machine::DemoteToI16(a, b)), Bits(scalar::DemoteToI16(a, b)));
    const I16x8 e = source.Shorts(), f = source.Shorts();
    ASSERT_EQ(Bits(machine::DemoteToU8(e, f)), Bits(scalar::DemoteToU8(e, f)));
  }
}

TEST(SimdTest, UnsignedBytes) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const auto a = (U8x16)source.Bytes(0, 255), b = (U8x16)source.Bytes(0, 255);
    ASSERT_EQ(Bits(machine::SaturatedAdd(a, b)), Bits(scalar::SaturatedAdd(a, b)));
    const auto limit = static_cast<uint8_t>(round);
    ASSERT_EQ(machine::AnyAbove(a, limit), scalar::AnyAbove(a, limit));
  }
  for (int limit = 0; limit < 256; ++limit) {
    U8x16 x = {};
    x[limit % 16] = static_cast<uint8_t>(limit);
    EXPECT_FALSE(machine::AnyAbove(x, static_cast<uint8_t>(limit)));
    if (limit > 0) {
      EXPECT_TRUE(machine::AnyAbove(x, static_cast<uint8_t>(limit - 1)));
    }
  }
}

TEST(SimdTest, PromotesBytes) {
  Source source;
  for (int round = 0; round < 100; ++round) {
    const I8x16 x = source.Bytes();
    ASSERT_EQ(Bits(machine::LoadI8AsI16(&x)), Bits(scalar::LoadI8AsI16(&x)));
    ASSERT_EQ(Bits(PromoteLowerToI16(x)), Bits(scalar::LoadI8AsI16(&x)));
    int32_t total = 0;
    for (size_t i = 0; i < kLanes16; ++i) {
      ASSERT_EQ(PromoteUpperToI16(x)[i], x[i + 8]);
      ASSERT_EQ(PromoteEvenToI16(x)[i], x[2 * i]);
      ASSERT_EQ(PromoteOddToI16(x)[i], x[2 * i + 1]);
      total += x[2 * i] + x[2 * i + 1];
    }
    const I32x4 sums = SumsOfAny4(x);
    ASSERT_EQ(sums[0] + sums[1] + sums[2] + sums[3], total);
  }
}

TEST(SimdTest, TakesNibblesApart) {
  const I16x8 x = SplatI16(static_cast<int16_t>(0xA5C3));
  EXPECT_EQ(NibblesOfI16(x, 0)[7], 0x3);
  EXPECT_EQ(NibblesOfI16(x, 1)[7], 0xC);
  EXPECT_EQ(NibblesOfI16(x, 2)[7], 0x5);
  EXPECT_EQ(NibblesOfI16(x, 3)[7], 0xA);
  EXPECT_EQ(NibblesOfI8((I8x16)x, 0)[0], 0x3);
  EXPECT_EQ(NibblesOfI8((I8x16)x, 0)[1], 0x5);
  EXPECT_EQ(NibblesOfI8((I8x16)x, 1)[0], 0xC);
  EXPECT_EQ(NibblesOfI8((I8x16)x, 1)[1], 0xA);
}

TEST(SimdTest, LoadsStoresAndSplats) {
  const float floats[] = {1, 2, 3, 4, 5, 6};
  const int16_t shorts[] = {-1, 2, -3, 4};
  const int8_t bytes[] = {-1, 2, -3, 4};
  for (size_t i = 0; i < kLanes; ++i) {
    EXPECT_EQ(Load(floats + 1)[i], floats[i + 1]);
    EXPECT_EQ(LoadI32(floats + 1)[i], std::bit_cast<int32_t>(floats[i + 1]));
    EXPECT_EQ(Splat(2.5f)[i], 2.5f);
    EXPECT_EQ(SplatI32(-7)[i], -7);
    EXPECT_EQ(SplatI16Pair(shorts)[2 * i + 1], 2);
    for (size_t k = 0; k < 4; ++k) EXPECT_EQ(SplatI8Quad(bytes)[4 * i + k], bytes[k]);
  }
  for (size_t k = 0; k < kLanes16; ++k) {
    EXPECT_EQ(SplatI16Quad(shorts)[k], shorts[k % 4]);
    EXPECT_EQ(SplatI16(9)[k], 9);
    EXPECT_EQ(FromMemory(kOnes16)[k], 1);
  }
  for (size_t count = 0; count < kLanes; ++count) {
    float to[kLanes] = {-1, -1, -1, -1};
    StoreN(to, Load(floats), count);
    for (size_t i = 0; i < kLanes; ++i) {
      EXPECT_EQ(LoadN(floats, count)[i], i < count ? floats[i] : 0.0f);
      EXPECT_EQ(to[i], i < count ? floats[i] : -1.0f);
    }
  }
  const uint16_t bfloats[] = {0x3F80, 0x8000, 0x7F80, 0x0001};
  for (size_t i = 0; i < kLanes; ++i)
    EXPECT_EQ(std::bit_cast<I32x4>(LoadBF16(bfloats))[i], static_cast<int32_t>(bfloats[i] << 16));
}

TEST(SimdTest, LaneWiseAndAcrossLanes) {
  Source source;
  for (int round = 0; round < kRounds; ++round) {
    const F32x4 x = source.Floats();
    const I32x4 a = source.Ints(), b = source.Ints();
    for (size_t i = 0; i < kLanes; ++i) {
      ASSERT_EQ(std::bit_cast<I32x4>(Abs(x))[i], std::bit_cast<I32x4>(x)[i] & INT32_MAX);
      ASSERT_EQ(ConvertToF32(a)[i], static_cast<float>(a[i]));
      const auto first = static_cast<uint32_t>(a[i]), second = static_cast<uint32_t>(b[i]);
      ASSERT_EQ(static_cast<uint32_t>(AddWrapping(a, b)[i]), first + second);
      ASSERT_EQ(static_cast<uint32_t>(SubWrapping(a, b)[i]), first - second);
    }
    const I32x4 c = a >> 1, d = b >> 1, sums = PairwiseAdd(c, d);
    ASSERT_EQ(Bits(sums), Bits(I32x4{c[0] + c[1], c[2] + c[3], d[0] + d[1], d[2] + d[3]}));
    const F32x4 y = source.Moderate();
    ASSERT_EQ(ReduceSum(y), (y[0] + y[2]) + (y[1] + y[3]));
    ASSERT_EQ(ReduceMax(y), std::fmax(std::fmax(y[0], y[1]), std::fmax(y[2], y[3])));
    ASSERT_EQ(ReduceMin(y), std::fmin(std::fmin(y[0], y[1]), std::fmin(y[2], y[3])));
  }
  I32x4 matrix[4];
  for (int r = 0; r < 4; ++r) matrix[r] = I32x4{10 * r, 10 * r + 1, 10 * r + 2, 10 * r + 3};
  Transpose4x4(matrix);
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c) EXPECT_EQ(matrix[r][c], 10 * c + r);
  }
}

TEST(SimdTest, ExponentialsStayWithinTheirErrors) {
  const float inf = std::numeric_limits<float>::infinity();
  for (int i = 0; i <= 100000; ++i) {
    const float x = -87.0f * static_cast<float>(i) / 100000.0f;
    const double exact = std::exp(static_cast<double>(x));
    ASSERT_NEAR(static_cast<double>(ExpNegative(Splat(x))[0]) / exact, 1.0, 2e-7) << x;
    const double exact2 = std::exp2(static_cast<double>(x));
    ASSERT_NEAR(static_cast<double>(Exp2Negative(Splat(x))[0]) / exact2, 1.0, 3e-7) << x;
  }
  EXPECT_EQ(ExpNegative(Splat(0.0f))[0], 1.0f);
  for (const float x : {-88.0f, -1e30f, -inf}) EXPECT_EQ(ExpNegative(Splat(x))[1], 0.0f) << x;
  for (const float x : {-127.0f, -1e30f, -inf}) EXPECT_EQ(Exp2Negative(Splat(x))[1], 0.0f) << x;
  const F32x4 nan = Splat(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(std::isnan(ExpNegative(nan)[2]));
  EXPECT_TRUE(std::isnan(Exp2Negative(nan)[2]));
}

}  // namespace
}  // namespace clipglot::simd
