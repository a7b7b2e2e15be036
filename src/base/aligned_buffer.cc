#include "base/aligned_buffer.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/math.h"
#include "base/strings.h"

namespace clipglot {

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

Result<AlignedBuffer> AlignedBuffer::TryAllocate(uint64_t bytes, const char* what) {
  const Status refused(Code::kOutOfMemory, StrCat("cannot allocate ", bytes, " bytes for ", what));
  // Half the address space: no block can be larger, and pointer differences stay representable.
  if (bytes > SIZE_MAX / 2 - kPadding - kAlignment) return refused;
  const size_t rounded = RoundUp(static_cast<size_t>(bytes) + kPadding, kAlignment);
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (data == nullptr) return refused;
  std::memset(data + bytes, 0, rounded - static_cast<size_t>(bytes));
  AlignedBuffer out;
  out.data_ = data;
  out.size_ = static_cast<size_t>(bytes);
  return out;
}

}  // namespace clipglot
