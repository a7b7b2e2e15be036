// Number formats of checkpoints to float32, and float32 to int8. Thread-safe: no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/tensor.h"

namespace clipglot {

// True for the formats that DecodeFloats reads: F32, F16, BF16.
bool IsFloat(DType dtype);

// `bytes`: little-endian numbers of `dtype`, any alignment; `out` has bytes.size() /
// DTypeSize(dtype) elements. Exact.
void DecodeFloats(DType dtype, std::span<const std::byte> bytes, std::span<float> out);

// False if any number is NaN or infinite.
bool AllFinite(std::span<const float> numbers);

// Symmetric int8: scale = max |row| / 127, out[i] = row[i] / scale rounded to the nearest, ties to
// even, so -127 ... 127. Returns the scale, which is always positive and normal: a row of zeros (or
// of numbers so small that the scale would be denormal) becomes zeros with scale 1. `row` holds
// finite numbers, `out` has the same length.
float QuantizeWeightRow(std::span<const float> row, std::span<int8_t> out);

}  // namespace clipglot
