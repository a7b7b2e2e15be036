// The language in which container, weights and nn speak about numbers in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/q4.h"
#include "base/weight_format.h"

namespace clipglot {

// Number formats, as safetensors names them.
enum class DType : uint8_t { kF32, kF16, kBF16, kI8, kU8, kI32, kI64 };

// Bytes of one element.
constexpr size_t DTypeSize(DType dtype) {
  switch (dtype) {
    case DType::kI8:
    case DType::kU8:
      return 1;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kI64:
      return 8;
  }
  return 0;
}

// "F32", "BF16", ...
constexpr std::string_view DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kI8:
      return "I8";
    case DType::kU8:
      return "U8";
    case DType::kI32:
      return "I32";
    case DType::kI64:
      return "I64";
  }
  return "?";
}

// A weight matrix [rows, columns], row-major, that owns its numbers.
struct Matrix {
  WeightFormat format = WeightFormat::kF32;
  size_t rows = 0;
  size_t columns = 0;
  // Rows of TraitsOf(format).row_bytes(columns): float32; int8 -127 ... 127, weight = scale[row] ·
  // value; or two 4-bit values a byte (base/q4.h).
  AlignedBuffer values;
  std::vector<float> scales;   // [rows] of kInt8PerRow, else empty
  AlignedBuffer block_scales;  // bfloat16 [rows, Q4RowBlocks(columns)] of kInt4Block32, else empty

  bool empty() const { return rows == 0; }
  std::span<const float> f32() const { return values.as<float>(); }
  std::span<const int8_t> i8() const { return values.as<int8_t>(); }
  // Of one row of a kInt4Block32 matrix.
  std::span<const uint8_t> q4_values(size_t row) const {
    return values.as<uint8_t>().subspan(row * Q4RowBytes(columns), Q4RowBytes(columns));
  }
  std::span<const uint16_t> q4_scales(size_t row) const {
    return block_scales.as<uint16_t>().subspan(row * Q4RowBlocks(columns), Q4RowBlocks(columns));
  }
};

}  // namespace clipglot
