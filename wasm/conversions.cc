#include "conversions.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"

namespace clipglot {

Result<uint64_t> Count(double number, std::string_view name) {
  if (!(number >= 0 && number <= 9007199254740992.0) || number != std::floor(number))
    return Status(Code::kInvalidArgument, StrCat(name, " must be an integer that is not negative"));
  return static_cast<uint64_t>(number);
}

Status ToSize(double number, std::string_view name, size_t* out) {
  CLIPGLOT_ASSIGN_OR_RETURN(const uint64_t count, Count(number, name));
  *out = static_cast<size_t>(std::min<uint64_t>(count, SIZE_MAX));
  return OkStatus();
}

RangeObject ToObject(const std::optional<ByteRange>& range) {
  if (!range) return {};
  return {true, static_cast<double>(range->file), static_cast<double>(range->offset),
          static_cast<double>(range->length), range->hashed};
}

MemoryObject ToObject(const Result<std::span<std::byte>>& place) {
  if (!place.ok()) return Failed<MemoryObject>(place.status());
  return {{}, Address(place->data()), static_cast<double>(place->size())};
}

}  // namespace clipglot
