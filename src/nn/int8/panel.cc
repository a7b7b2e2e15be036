#include "nn/int8/panel.h"

#include <algorithm>
#include <cstring>

#include "base/math.h"
#include "nn/runtime/workspace_impl.h"
#include "nn/simd/simd.h"

namespace clipglot {

using simd::I32x4;
using simd::I8x16;

CLIPGLOT_NOINLINE void PackPanel(const Matrix& weight, std::span<const float> bias, size_t first,
                                 uint8_t* to) {
  const size_t in = weight.columns, outputs = std::min(kPanelOutputs, weight.rows - first);
  const int8_t* from = weight.i8().data() + first * in;
  PanelTail tail = {};
  I32x4 sums[kPanelOutputs] = {};
  size_t c = 0;
  if (outputs == kPanelOutputs) {
    for (; c + 16 <= in; c += 16, to += 16 * kPanelOutputs) {
      I32x4 v[kPanelOutputs];
      for (size_t o = 0; o < kPanelOutputs; ++o) {
        const I8x16 bytes = simd::LoadI8(from + o * in + c);
        sums[o] += simd::SumsOfAny4(bytes);
        v[o] = (I32x4)bytes;
      }
      simd::Transpose4x4(v);
      std::memcpy(to, v, sizeof(v));
    }
  }
  for (size_t o = 0; o < outputs; ++o)
    tail.sums[o] = sums[o][0] + sums[o][1] + sums[o][2] + sums[o][3];
  for (; c < Int8PaddedColumns(in); c += kInt8Step, to += kVectorBytes) {
    int8_t values[kPanelOutputs][kInt8Step] = {};
    for (size_t o = 0; o < outputs; ++o) {
      for (size_t k = 0; k < kInt8Step && c + k < in; ++k) {
        values[o][k] = from[o * in + c + k];
        tail.sums[o] += values[o][k];
      }
    }
    std::memcpy(to, values, sizeof(values));
  }
  std::copy_n(weight.scales.begin() + static_cast<ptrdiff_t>(first), outputs, tail.scales);
  if (!bias.empty()) std::copy_n(bias.begin() + static_cast<ptrdiff_t>(first), outputs, tail.bias);
  std::memcpy(to, &tail, sizeof(tail));
}

Result<Int8Panels> Int8Panels::Create(const Matrix& weight, std::span<const float> bias,
                                      Workspace::Impl* workspace) {
  Int8Panels out;
  out.in_ = weight.columns;
  out.out_ = weight.rows;
  const size_t panels = CeilDiv(weight.rows, kPanelOutputs);
  CLIPGLOT_ASSIGN_OR_RETURN(
      out.bytes_,
      AlignedBuffer::TryAllocate(uint64_t{panels} * PanelBytes(weight.columns), "8-bit weights"));
  const std::span<uint8_t> bytes = out.bytes();
  RunPacking(workspace, panels, bytes.size() / 2, [&](size_t, size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p)
      PackPanel(weight, bias, p * kPanelOutputs, bytes.data() + p * PanelBytes(weight.columns));
  });
  return out;
}

}  // namespace clipglot
