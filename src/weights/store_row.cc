#include "weights/store_row.h"

#include <algorithm>

#include "weights/float_conversion.h"
#include "weights/quantize_q4.h"

namespace clipglot {

void StoreRow(const Slot& slot, size_t offset, std::span<const float> row) {
  if (slot.vector != nullptr) {
    std::copy(row.begin(), row.end(), slot.vector->begin() + static_cast<ptrdiff_t>(offset));
    return;
  }
  Matrix& matrix = *slot.matrix;
  if (matrix.format == WeightFormat::kInt8PerRow) {
    matrix.scales[offset / row.size()] =
        QuantizeWeightRow(row, matrix.values.as<int8_t>().subspan(offset, row.size()));
  } else if (matrix.format == WeightFormat::kInt4Block32) {
    const size_t index = offset / row.size();
    const size_t bytes = Q4RowBytes(row.size()), blocks = Q4RowBlocks(row.size());
    QuantizeRowQ4(row, matrix.values.as<uint8_t>().subspan(index * bytes, bytes),
                  matrix.block_scales.as<uint16_t>().subspan(index * blocks, blocks));
  } else {
    std::copy(row.begin(), row.end(), matrix.values.as<float>().data() + offset);
  }
}

}  // namespace clipglot
