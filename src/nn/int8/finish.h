// From the integers that an int8 kernel summed to results. Private to nn.
#pragma once

#include <cstddef>
#include <cstdint>

#include "nn/int8/kernels.h"
#include "nn/int8/panel.h"
#include "nn/simd/simd.h"

namespace clipglot {

// `sum`: Σ (q - zero_point) · step · w.
inline void Scale(simd::F32x4 sum, const uint8_t* tail, float* y) {
  const auto* scales = reinterpret_cast<const float*>(tail + offsetof(PanelTail, scales));
  const auto* bias = reinterpret_cast<const float*>(tail + offsetof(PanelTail, bias));
  simd::Store(y, simd::MulAdd(sum, simd::Load(scales), simd::Load(bias)));
}
inline void Finish(simd::I32x4 sum, const uint8_t* tail, const Int8Row& row, float* y) {
  const simd::I32x4 sums = simd::LoadI32(tail + offsetof(PanelTail, sums));
  Scale(simd::ConvertToF32(sum - sums * simd::SplatI32(row.offset)) * simd::Splat(row.step), tail,
        y);
}

}  // namespace clipglot
