// How the numbers of a weight matrix are stored, and all that follows from it: names, sizes and
// what is valid. The one table for those who lay out, write, read and multiply weights.
// Thread-safe: no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"

namespace clipglot {

enum class DType : uint8_t;
struct Matrix;

enum class WeightFormat : uint8_t {
  kF32,         // float32
  kInt8PerRow,  // int8 with a float32 scale per row (output channel)
  kInt4Block32  // 4 bits in blocks of 32 columns, with a bfloat16 scale per block: base/q4.h
};

// One row of the table.
struct WeightFormatTraits {
  WeightFormat format;
  // Of the arithmetic, as users and packs write it: "f32", "q8", "q4".
  std::string_view name;
  // Columns that share a scale. 0: the whole row, where scale_bytes is not 0.
  size_t block;
  DType values;  // what a row of values is an array of, in memory and in packs
  // Bytes of one row's values, and of its scales (0: the format has none). columns < 2^60.
  uint64_t (*row_bytes)(size_t columns);
  uint64_t (*scale_bytes)(size_t columns);
  // OK if the matrix, of this format and not empty, holds all values and scales that its shape
  // needs, and the scales are finite (those of kInt8PerRow: not negative, either). Errors:
  // kInvalidArgument.
  Status (*valid)(const Matrix& matrix);
};
const WeightFormatTraits& TraitsOf(WeightFormat format);
std::span<const WeightFormatTraits> AllWeightFormats();

// The format that a user or a pack calls `name`. Errors: kInvalidArgument.
Result<WeightFormat> ParseWeightFormat(std::string_view name);

}  // namespace clipglot
