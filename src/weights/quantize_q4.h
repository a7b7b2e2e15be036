// float32 to 4 bits in blocks of 32. Thread-safe: no state.
#pragma once

#include <cstdint>
#include <span>

#include "base/q4.h"

namespace clipglot {

// The scale of each block is searched for: of a fixed list of candidates for each sign, the one
// whose rounded values lie closest to the block by least squares. The same bits on every machine.
// `row` holds finite numbers; `values` Q4RowBytes(row.size()), `scales` Q4RowBlocks(row.size()).
// Scales are normal numbers, never zero: a block of zeros (or of numbers so small that a scale
// would be denormal) becomes zeros with scale 1.
void QuantizeRowQ4(std::span<const float> row, std::span<uint8_t> values,
                   std::span<uint16_t> scales);

}  // namespace clipglot
