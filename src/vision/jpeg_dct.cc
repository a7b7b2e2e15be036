#include "vision/jpeg_dct.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace clipglot {
namespace {

constexpr int kConstBits = 13;
constexpr int kPassBits = 2;

// round(x · 2^13)
constexpr int32_t kC0298 = 2446, kC0390 = 3196, kC0541 = 4433, kC0765 = 6270, kC0899 = 7373,
                  kC1175 = 9633, kC1501 = 12299, kC1847 = 15137, kC1961 = 16069, kC2053 = 16819,
                  kC2562 = 20995, kC3072 = 25172;

// One pass over all 8 columns of `in` (values [frequency · 8 + column]); `out` likewise [sample · 8
// + column]. Written as one loop over the columns, so that the compiler turns it into vector code.
template <int kShift>
inline void TransformColumns(const int32_t* in, int32_t* out) {
  constexpr int32_t kHalf = int32_t{1} << (kShift - 1);
  for (int c = 0; c < 8; ++c) {
    // Even part.
    const int32_t x2 = in[2 * 8 + c], x6 = in[6 * 8 + c];
    const int32_t z1 = (x2 + x6) * kC0541;
    const int32_t even2 = z1 - x6 * kC1847;
    const int32_t even3 = z1 + x2 * kC0765;
    const int32_t x0 = in[c], x4 = in[4 * 8 + c];
    const int32_t even0 = (x0 + x4) * (1 << kConstBits);
    const int32_t even1 = (x0 - x4) * (1 << kConstBits);
    const int32_t a0 = even0 + even3, a3 = even0 - even3;
    const int32_t a1 = even1 + even2, a2 = even1 - even2;
    // Odd part.
    const int32_t x7 = in[7 * 8 + c], x5 = in[5 * 8 + c], x3 = in[3 * 8 + c], x1 = in[8 + c];
    const int32_t z5 = (x7 + x3 + x5 + x1) * kC1175;
    const int32_t s1 = (x7 + x1) * -kC0899;
    const int32_t s2 = (x5 + x3) * -kC2562;
    const int32_t s3 = (x7 + x3) * -kC1961 + z5;
    const int32_t s4 = (x5 + x1) * -kC0390 + z5;
    const int32_t b0 = x7 * kC0298 + s1 + s3;
    const int32_t b1 = x5 * kC2053 + s2 + s4;
    const int32_t b2 = x3 * kC3072 + s2 + s3;
    const int32_t b3 = x1 * kC1501 + s1 + s4;
    out[c] = (a0 + b3 + kHalf) >> kShift;
    out[7 * 8 + c] = (a0 - b3 + kHalf) >> kShift;
    out[8 + c] = (a1 + b2 + kHalf) >> kShift;
    out[6 * 8 + c] = (a1 - b2 + kHalf) >> kShift;
    out[2 * 8 + c] = (a2 + b1 + kHalf) >> kShift;
    out[5 * 8 + c] = (a2 - b1 + kHalf) >> kShift;
    out[3 * 8 + c] = (a3 + b0 + kHalf) >> kShift;
    out[4 * 8 + c] = (a3 - b0 + kHalf) >> kShift;
  }
}

inline void Transpose(const int32_t* in, int32_t* out) {
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) out[i * 8 + j] = in[j * 8 + i];
  }
}

inline uint8_t Sample(int32_t value) {
  return static_cast<uint8_t>(std::clamp(value + 128, 0, 255));
}

}  // namespace

void JpegInverseDct(uint8_t* out, int stride, const int16_t* coefficients) {
  // Flat blocks are common (sky, chroma): the same arithmetic with everything but the first term
  // zero.
  uint64_t words[16];
  std::memcpy(words, coefficients, sizeof(words));
  uint64_t others = 0;
  for (int i = 1; i < 16; ++i) others |= words[i];
  if (others == 0 && coefficients[1] == 0 && coefficients[2] == 0 && coefficients[3] == 0) {
    const int32_t first = coefficients[0] * (1 << kPassBits);
    const uint8_t flat = Sample((first + (1 << (kPassBits + 2))) >> (kPassBits + 3));
    for (int y = 0; y < 8; ++y) std::memset(out + y * ptrdiff_t{stride}, flat, 8);
    return;
  }
  alignas(64) int32_t a[64], b[64];
  for (int i = 0; i < 64; ++i) a[i] = coefficients[i];
  TransformColumns<kConstBits - kPassBits>(a, b);
  Transpose(b, a);
  TransformColumns<kConstBits + kPassBits + 3>(a, b);
  Transpose(b, a);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) out[y * ptrdiff_t{stride} + x] = Sample(a[y * 8 + x]);
  }
}

}  // namespace clipglot
