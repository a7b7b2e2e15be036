#include "base/weight_format.h"

#include <algorithm>
#include <cmath>

#include "base/q4.h"
#include "base/strings.h"
#include "base/tensor.h"

namespace clipglot {
namespace {

Status Invalid(std::string detail) { return Status(Code::kInvalidArgument, std::move(detail)); }

// Values: all of them are valid.
Status HoldsValues(const Matrix& matrix) {
  const uint64_t row_bytes = TraitsOf(matrix.format).row_bytes(matrix.columns);
  // By division: the product may overflow.
  return matrix.values.size() / row_bytes < matrix.rows ? Invalid("weight holds fewer values")
                                                        : OkStatus();
}

Status ValidInt8(const Matrix& matrix) {
  CLIPGLOT_RETURN_IF_ERROR(HoldsValues(matrix));
  if (matrix.scales.size() != matrix.rows) return Invalid(StrCat(matrix.scales.size(), " scales"));
  if (!std::ranges::all_of(matrix.scales, [](float s) { return s >= 0.0f && std::isfinite(s); })) {
    return Invalid("a scale is negative or not finite");
  }
  return OkStatus();
}

Status ValidInt4(const Matrix& matrix) {
  CLIPGLOT_RETURN_IF_ERROR(HoldsValues(matrix));
  const auto scales = matrix.block_scales.as<uint16_t>();
  if (scales.size() / Q4RowBlocks(matrix.columns) < matrix.rows)
    return Invalid(StrCat(scales.size(), " scales"));
  if (!std::ranges::all_of(scales, [](uint16_t s) { return std::isfinite(Q4Scale(s)); }))
    return Invalid("a scale is not finite");
  return OkStatus();
}

constexpr WeightFormatTraits kTraits[] = {
    {.format = WeightFormat::kF32,
     .name = "f32",
     .block = 0,
     .values = DType::kF32,
     .row_bytes = [](size_t columns) { return uint64_t{columns} * sizeof(float); },
     .scale_bytes = [](size_t) { return uint64_t{0}; },
     .valid = HoldsValues},
    {.format = WeightFormat::kInt8PerRow,
     .name = "q8",
     .block = 0,
     .values = DType::kI8,
     .row_bytes = [](size_t columns) { return uint64_t{columns}; },
     .scale_bytes = [](size_t) { return uint64_t{sizeof(float)}; },
     .valid = ValidInt8},
    {.format = WeightFormat::kInt4Block32,
     .name = "q4",
     .block = kQ4Block,
     .values = DType::kU8,  // pairs of values
     .row_bytes = [](size_t columns) { return uint64_t{Q4RowBytes(columns)}; },
     .scale_bytes =
         [](size_t columns) { return uint64_t{Q4RowBlocks(columns)} * sizeof(uint16_t); },
     .valid = ValidInt4},
};

}  // namespace

const WeightFormatTraits& TraitsOf(WeightFormat format) {
  return kTraits[static_cast<size_t>(format)];
}

std::span<const WeightFormatTraits> AllWeightFormats() { return kTraits; }

Result<WeightFormat> ParseWeightFormat(std::string_view name) {
  for (const WeightFormatTraits& traits : kTraits) {
    if (name == traits.name) return traits.format;
  }
  return Status(Code::kInvalidArgument,
                StrCat("dtype: \"", Printable(name, 20), "\" is not one of f32, q8, q4"));
}

}  // namespace clipglot
