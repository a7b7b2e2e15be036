#include "nn/int4/panel.h"

#include <algorithm>
#include <cstring>

#include "nn/runtime/workspace_impl.h"

namespace clipglot {

CLIPGLOT_NOINLINE void PackInt4Panel(const Matrix& weight, size_t first, uint8_t* to) {
  const size_t blocks = Q4RowBlocks(weight.columns),
               outputs = std::min(kInt4PanelOutputs, weight.rows - first);
  for (size_t b = 0; b < blocks; ++b, to += kInt4PackedBytes) {
    std::memset(to, 0x88, kInt4ValueBytes);
    std::memset(to + kInt4ValueBytes, 0, kInt4PackedBytes - kInt4ValueBytes);
    for (size_t j = 0; j < outputs; ++j) {
      const std::span<const uint8_t> values = weight.q4_values(first + j);
      const uint16_t scale = weight.q4_scales(first + j)[b];
      std::memcpy(to + kInt4ValueBytes + j * sizeof(scale), &scale, sizeof(scale));
      for (size_t v = 0; v < kInt4Vectors; ++v) {
        uint8_t* bytes = to + ((j / 4 * kInt4Vectors + v) * 4 + j % 4) * 4;
        for (size_t byte = 0; byte < 4; ++byte) {
          unsigned packed = 0;
          for (size_t half = 0; half < 2; ++half) {
            const size_t column = b * kQ4Block + v * kInt4VectorColumns + byte + half * 4;
            const int value = column < weight.columns ? Q4Value(values, column) : 0;
            packed |= static_cast<unsigned>(value + 8) << (4 * half);
          }
          bytes[byte] = static_cast<uint8_t>(packed);
        }
      }
    }
  }
}

}  // namespace clipglot
