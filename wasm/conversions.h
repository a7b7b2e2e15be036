// What the handles share: C++ values into the plain objects of result_objects.h, and numbers of
// JavaScript into counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/status.h"
#include "container/demand.h"
#include "result_objects.h"

namespace clipglot {

// An address in the heap, as JavaScript knows it; and the other way round, `count` values there.
inline double Address(const void* pointer) {
  return static_cast<double>(reinterpret_cast<uintptr_t>(pointer));
}
template <typename T>
std::span<const T> Span(double pointer, double count) {
  // JavaScript has only numbers for addresses of the heap.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  return {reinterpret_cast<const T*>(static_cast<uintptr_t>(pointer)), static_cast<size_t>(count)};
}

// An answer without its payload.
template <typename Object>
Object Failed(const Status& status) {
  Object object;
  object.code = static_cast<int>(status.code());
  object.detail = status.detail();
  return object;
}

// A number of JavaScript as a count: an integer from 0 to 2^53. Errors: kInvalidArgument, with
// `name`.
Result<uint64_t> Count(double number, std::string_view name);
// The same for what the core keeps in a size_t; anything larger is past every limit it knows, and
// stays past it.
Status ToSize(double number, std::string_view name, size_t* out);

// What Want and Reserve of the core give.
RangeObject ToObject(const std::optional<ByteRange>& range);
MemoryObject ToObject(const Result<std::span<std::byte>>& place);

}  // namespace clipglot
