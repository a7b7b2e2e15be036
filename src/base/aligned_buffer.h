// The one way to get large memory: sized by checked arithmetic, refused as a value, padded for
// vector reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"

namespace clipglot {

// Owns one block, aligned to 64 bytes, with kPadding readable bytes after it (XNNPACK reads up to
// XNN_EXTRA_BYTES past the end of its inputs; src/nn asserts that the padding is enough).
// Move-only. Not thread-safe.
class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kPadding = 128;

  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = static_cast<AlignedBuffer&&>(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  // `bytes`: wanted size; the content is not initialised, the padding is zero. `what` names the
  // purpose in the error. Errors: kOutOfMemory.
  static Result<AlignedBuffer> TryAllocate(uint64_t bytes, const char* what);
  // The same for `count` elements of T.
  template <typename T>
  static Result<AlignedBuffer> TryAllocateArray(uint64_t count, const char* what) {
    return TryAllocate(count > UINT64_MAX / sizeof(T) ? UINT64_MAX : count * sizeof(T), what);
  }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // The block as an array of T; T must be trivial.
  template <typename T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }
  template <typename T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace clipglot
