#include "weights/float_conversion.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>

namespace clipglot {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are little-endian");

float FromBits(uint32_t bits) { return std::bit_cast<float>(bits); }

// IEEE 754 binary16.
float DecodeHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31, fraction = half & 0x3FF;
  if (exponent == 31) return FromBits(sign | 0x7F800000 | fraction << 13);  // infinite, NaN
  if (exponent == 0) {  // zero, denormal: fraction · 2^-24 is exact in float32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return FromBits(sign | (exponent + 112) << 23 | fraction << 13);
}

template <typename Decode>
void DecodeWords(std::span<const std::byte> bytes, std::span<float> out, Decode decode) {
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t word;
    std::memcpy(&word, bytes.data() + 2 * i, sizeof(word));
    out[i] = decode(word);
  }
}

}  // namespace

bool IsFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

void DecodeFloats(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  if (dtype == DType::kF32) {
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size_bytes());
  } else if (dtype == DType::kBF16) {
    DecodeWords(bytes, out,
                [](uint16_t word) { return FromBits(static_cast<uint32_t>(word) << 16); });
  } else {
    DecodeWords(bytes, out, DecodeHalf);
  }
}

bool AllFinite(std::span<const float> numbers) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t highest = 0;
  for (const float number : numbers)
    highest = std::max(highest, std::bit_cast<uint32_t>(number) & kExponent);
  return highest != kExponent;
}

float QuantizeWeightRow(std::span<const float> row, std::span<int8_t> out) {
  float highest = 0;
  for (const float number : row) highest = std::max(highest, std::abs(number));
  const float scale = highest / 127.0f;
  if (!(scale >= FLT_MIN)) {
    std::fill(out.begin(), out.end(), int8_t{0});
    return 1.0f;
  }
  for (size_t i = 0; i < row.size(); ++i) {
    out[i] = static_cast<int8_t>(std::clamp(std::nearbyint(row[i] / scale), -127.0f, 127.0f));
  }
  return scale;
}

}  // namespace clipglot
