#include "nn/nn.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {
namespace {

using simd::F32x4;
using simd::I32x4;
using simd::MulAdd;
using simd::Splat;

// x · Φ(x). With t = |x|: Φ(-t) = e^(-t²/2) · s·Q(s), s = 1 / (1 + 0.26 t). The form is Abramowitz
// and Stegun's 7.1.26 for erf; Q is a minimax polynomial for the relative error, fitted by the
// Remez algorithm in 40 digits for 0 <= t <= 14 (2.5e-8).
F32x4 GeluOf(F32x4 x) {
  const F32x4 t = simd::Abs(x);
  const F32x4 s = Splat(1.0f) / MulAdd(t, Splat(0.26f), Splat(1.0f));
  F32x4 q = Splat(0.03050494793f);
  q = MulAdd(q, s, Splat(-0.1528291836f));
  q = MulAdd(q, s, Splat(0.2514921353f));
  q = MulAdd(q, s, Splat(-0.1509500419f));
  q = MulAdd(q, s, Splat(0.1609486685f));
  q = MulAdd(q, s, Splat(0.05102731089f));
  q = MulAdd(q, s, Splat(0.1030303539f));
  q = MulAdd(q, s, Splat(0.1030167359f));
  q = MulAdd(q, s, Splat(0.1037590607f));
  const F32x4 tail = simd::ExpNegative(t * t * Splat(-0.5f)) * (s * q);  // Φ(-t)
  const F32x4 zero = {};
  return x * (x > zero ? Splat(1.0f) - tail : tail);
}

// x / (1 + e^-x), by e^-|x|, which cannot overflow.
F32x4 SiluOf(F32x4 x) {
  const F32x4 zero = {};
  const F32x4 e = simd::ExpNegative(zero - simd::Abs(x));
  return x * (x > zero ? Splat(1.0f) : e) / (Splat(1.0f) + e);
}

// Vectors per iteration: wasm engines rematerialise vector constants in each iteration. Without a
// fused multiply-add more vectors would not fit into the registers.
#ifdef __wasm_relaxed_simd__
constexpr size_t kVectors = 8;
#else
constexpr size_t kVectors = 4;
#endif

CLIPGLOT_NOINLINE void GeluRange(float* x, size_t count) {
  size_t i = 0;
  for (; i + 4 * kVectors <= count; i += 4 * kVectors) {
    F32x4 v[kVectors];
    for (size_t k = 0; k < kVectors; ++k) v[k] = GeluOf(simd::Load(x + i + 4 * k));
    for (size_t k = 0; k < kVectors; ++k) simd::Store(x + i + 4 * k, v[k]);
  }
  for (; i + 4 <= count; i += 4) simd::Store(x + i, GeluOf(simd::Load(x + i)));
  if (i < count) simd::StoreN(x + i, GeluOf(simd::LoadN(x + i, count - i)), count - i);
}

CLIPGLOT_NOINLINE void SwiGluRow(const float* gate, const float* up, size_t count, float* y) {
  size_t i = 0;
  for (; i + 4 * kVectors <= count; i += 4 * kVectors) {
    F32x4 v[kVectors];
    for (size_t k = 0; k < kVectors; ++k)
      v[k] = SiluOf(simd::Load(gate + i + 4 * k)) * simd::Load(up + i + 4 * k);
    for (size_t k = 0; k < kVectors; ++k) simd::Store(y + i + 4 * k, v[k]);
  }
  for (; i + 4 <= count; i += 4)
    simd::Store(y + i, SiluOf(simd::Load(gate + i)) * simd::Load(up + i));
  if (i < count) {
    const F32x4 value = SiluOf(simd::LoadN(gate + i, count - i)) * simd::LoadN(up + i, count - i);
    simd::StoreN(y + i, value, count - i);
  }
}

CLIPGLOT_NOINLINE void AddRange(float* x, const float* y, size_t count) {
  for (size_t i = 0; i < count; ++i) x[i] += y[i];
}

// Elements of one call (see CLIPGLOT_NOINLINE).
constexpr size_t kPiece = 4096;

// work(begin, count) for the pieces of 0 ... size - 1.
template <typename Work>
void RunPieces(Workspace::Impl& impl, size_t size, uint64_t nanoseconds, const Work& work) {
  RunRanges(impl, size, kPiece, nanoseconds, [&](size_t begin, size_t end) {
    for (size_t at = begin; at < end; at += kPiece) {
      work(at, end - at < kPiece ? end - at : kPiece);
    }
  });
}

}  // namespace

void Gelu(std::span<float> x, Workspace& workspace) {
  const ProfileScope scope(workspace.profile(), ProfileCategory::kActivation);
  RunPieces(ImplOf(workspace), x.size(), /*nanoseconds=*/uint64_t{x.size()} * 3,
            [&](size_t begin, size_t count) { GeluRange(x.data() + begin, count); });
}

void SwiGlu(std::span<const float> x, size_t rows, size_t hidden, std::span<float> y,
            Workspace& workspace) {
  const ProfileScope scope(workspace.profile(), ProfileCategory::kActivation);
  RunRanges(ImplOf(workspace), rows, /*grain=*/1, /*nanoseconds=*/uint64_t{rows} * hidden * 3,
            [&](size_t begin, size_t end) {
              for (size_t r = begin; r < end; ++r) {
                const float* row = x.data() + r * 2 * hidden;
                SwiGluRow(row, row + hidden, hidden, y.data() + r * hidden);
              }
            });
}

void Add(std::span<float> x, std::span<const float> y, Workspace& workspace) {
  RunPieces(
      ImplOf(workspace), x.size(), /*nanoseconds=*/uint64_t{x.size()} / 2,
      [&](size_t begin, size_t count) { AddRange(x.data() + begin, y.data() + begin, count); });
}

}  // namespace clipglot
