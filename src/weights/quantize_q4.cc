#include "weights/quantize_q4.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>

namespace clipglot {
namespace {

constexpr size_t kLanes = 8;  // sums are kept apart in so many, in a fixed order
using Block = std::array<float, kQ4Block>;

// How many steps the largest magnitude takes. For the sign with which it falls on the side of -8,
// and for the other one, where only 7 is there. Above 8 (or 7) it is cut off for the sake of the
// others.
constexpr float kTowardsMinus8[] = {8.0f, 7.5f, 8.4f, 8.8f, 9.4f};
constexpr float kTowardsPlus7[] = {7.0f, 6.6f, 7.4f, 7.8f};

// The value of x / scale, -8 ... 7; ties to even by adding 1.5 · 2^23.
float Rounded(float x, float inverse) {
  constexpr float kMagic = 12582912.0f;
  const float value = (x * inverse + kMagic) - kMagic;
  return std::min(std::max(value, -8.0f), 7.0f);
}

float Sum(const std::array<float, kLanes>& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

struct Fit {
  float gain = -1;  // by how much the squared error is below that of zeros
  float scale = 1;  // the best one for the rounded values
};

Fit FitTo(const Block& x, float inverse) {
  std::array<float, kLanes> xq = {}, qq = {};
  for (size_t i = 0; i < kQ4Block; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const float q = Rounded(x[i + k], inverse);
      xq[k] += x[i + k] * q;
      qq[k] += q * q;
    }
  }
  const float with = Sum(xq),
              of = Sum(qq);  // `of` >= 1: the largest magnitude never rounds to zero
  return {with * (with / of), with / of};
}

// Nearest bfloat16, ties to even. `x` is finite and its result too.
uint16_t ToBfloat16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// `x` is the block divided by its largest magnitude, `peak` is 1 or -1: the number of that
// magnitude. Gives the scale.
float FindScale(const Block& x, float peak) {
  Fit best;
  for (const float steps : kTowardsMinus8) {
    const Fit fit = FitTo(x, -steps * peak);
    if (fit.gain > best.gain) best = fit;
  }
  for (const float steps : kTowardsPlus7) {
    const Fit fit = FitTo(x, steps * peak);
    if (fit.gain > best.gain) best = fit;
  }
  return best.scale;
}

}  // namespace

void QuantizeRowQ4(std::span<const float> row, std::span<uint8_t> values,
                   std::span<uint16_t> scales) {
  std::fill(values.begin(), values.end(), uint8_t{0x88});
  for (size_t block = 0; block < scales.size(); ++block) {
    const std::span<const float> from =
        row.subspan(block * kQ4Block).first(std::min(kQ4Block, row.size() - block * kQ4Block));
    float highest = 0, peak = 1;
    for (const float number : from) {
      if (std::abs(number) > highest) {
        highest = std::abs(number);
        peak = number < 0 ? -1.0f : 1.0f;
      }
    }
    // A scale is at least highest / 16.
    if (!(highest >= 16 * FLT_MIN)) {
      scales[block] = ToBfloat16(1);
      continue;
    }
    Block x = {};
    for (size_t i = 0; i < from.size(); ++i) x[i] = from[i] / highest;
    scales[block] = ToBfloat16(FindScale(x, peak) * highest);
    const float inverse = 1 / (Q4Scale(scales[block]) / highest);
    for (size_t i = 0; i < from.size(); ++i) {
      const size_t column = block * kQ4Block + i;
      const auto nibble = static_cast<uint8_t>(static_cast<int>(Rounded(x[i], inverse)) + 8);
      values[column / 2] =
          static_cast<uint8_t>(column % 2 == 0 ? (values[column / 2] & 0xF0) | nibble
                                               : (values[column / 2] & 0x0F) | nibble << 4);
    }
  }
}

}  // namespace clipglot
