#include "vision/jpeg_dct.h"

#include <algorithm>
#include <cstring>

namespace clipglot {
namespace {

constexpr int kConstBits = 13;
constexpr int kPassBits = 2;

// round(x · 2^13)
constexpr int32_t kC0298 = 2446, kC0390 = 3196, kC0541 = 4433, kC0765 = 6270, kC0899 = 7373,
                  kC1175 = 9633, kC1501 = 12299, kC1847 = 15137, kC1961 = 16069, kC2053 = 16819,
                  kC2562 = 20995, kC3072 = 25172;

// The low 16 bits, as the vector registers hold them.
int32_t Low(int32_t value) { return static_cast<int16_t>(value); }

// One pass over all 8 columns of `in` (values [frequency · 8 + column]); `out` likewise [sample · 8
// + column]. Written as one loop over the columns, so that the compiler turns it into vector code.
template <int kShift>
inline void TransformColumns(const int16_t* in, int16_t* out) {
  constexpr int32_t kHalf = int32_t{1} << (kShift - 1);
  const auto narrow = [](int32_t sum) {
    return static_cast<int16_t>(std::clamp((sum + kHalf) >> kShift, -32768, 32767));
  };
  for (int c = 0; c < 8; ++c) {
    // Even part.
    const int32_t x2 = in[2 * 8 + c], x6 = in[6 * 8 + c];
    const int32_t even2 = x2 * kC0541 + x6 * (kC0541 - kC1847);
    const int32_t even3 = x2 * (kC0541 + kC0765) + x6 * kC0541;
    const int32_t x0 = in[c], x4 = in[4 * 8 + c];
    const int32_t even0 = Low(x0 + x4) * (1 << kConstBits);
    const int32_t even1 = Low(x0 - x4) * (1 << kConstBits);
    const int32_t a0 = even0 + even3, a3 = even0 - even3;
    const int32_t a1 = even1 + even2, a2 = even1 - even2;
    // Odd part.
    const int32_t x7 = in[7 * 8 + c], x5 = in[5 * 8 + c], x3 = in[3 * 8 + c], x1 = in[8 + c];
    const int32_t z3 = Low(x7 + x3), z4 = Low(x5 + x1);
    const int32_t s3 = z3 * (kC1175 - kC1961) + z4 * kC1175;
    const int32_t s4 = z3 * kC1175 + z4 * (kC1175 - kC0390);
    const int32_t b0 = x7 * (kC0298 - kC0899) - x1 * kC0899 + s3;
    const int32_t b1 = x5 * (kC2053 - kC2562) - x3 * kC2562 + s4;
    const int32_t b2 = x3 * (kC3072 - kC2562) - x5 * kC2562 + s3;
    const int32_t b3 = x1 * (kC1501 - kC0899) - x7 * kC0899 + s4;
    out[c] = narrow(a0 + b3);
    out[7 * 8 + c] = narrow(a0 - b3);
    out[8 + c] = narrow(a1 + b2);
    out[6 * 8 + c] = narrow(a1 - b2);
    out[2 * 8 + c] = narrow(a2 + b1);
    out[5 * 8 + c] = narrow(a2 - b1);
    out[3 * 8 + c] = narrow(a3 + b0);
    out[4 * 8 + c] = narrow(a3 - b0);
  }
}

inline void Transpose(const int16_t* in, int16_t* out) {
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) out[i * 8 + j] = in[j * 8 + i];
  }
}

inline uint8_t Sample(int32_t value) {
  return static_cast<uint8_t>(std::clamp(value, -128, 127) + 128);
}

}  // namespace

void JpegInverseDct(const int16_t* coefficients, const int* steps, uint8_t* const* rows,
                    size_t column) {
  uint64_t words[16];
  std::memcpy(words, coefficients, sizeof(words));
  uint64_t below = 0;  // everything but the first row of coefficients
  for (int i = 2; i < 16; ++i) below |= words[i];
  alignas(64) int16_t a[64], b[64];
  if (below == 0) {
    // Flat blocks are common (sky, chroma). The columns are constant then; what is too large wraps
    // around here.
    for (int c = 0; c < 8; ++c)
      a[c] = static_cast<int16_t>(coefficients[c] * steps[c] * (1 << kPassBits));
    uint64_t others = words[1];
    if (others == 0 && coefficients[1] == 0 && coefficients[2] == 0 && coefficients[3] == 0) {
      const uint8_t flat = Sample((a[0] + (1 << (kPassBits + 2))) >> (kPassBits + 3));
      for (int y = 0; y < 8; ++y) std::memset(rows[y] + column, flat, 8);
      return;
    }
    for (int f = 0; f < 8; ++f) {
      for (int y = 0; y < 8; ++y) b[f * 8 + y] = a[f];
    }
  } else {
    for (int i = 0; i < 64; ++i) b[i] = static_cast<int16_t>(coefficients[i] * steps[i]);
    TransformColumns<kConstBits - kPassBits>(b, a);
    Transpose(a, b);
  }
  TransformColumns<kConstBits + kPassBits + 3>(b, a);
  Transpose(a, b);
  for (int y = 0; y < 8; ++y) {
    uint8_t* out = rows[y] + column;
    for (int x = 0; x < 8; ++x) out[x] = Sample(b[y * 8 + x]);
  }
}

}  // namespace clipglot
