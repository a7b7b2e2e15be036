// Shared by the fuzz targets: libFuzzer calls LLVMFuzzerTestOneInput with bytes of its making.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/status.h"

// What holds for any input; libFuzzer keeps the input that breaks it.
#define FUZZ_CHECK(condition)  \
  do {                         \
    if (!(condition)) abort(); \
  } while (false)

namespace clipglot::fuzz {

inline std::span<const std::byte> Bytes(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}

inline std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A model's file may be refused with one of these, with a reason.
inline void CheckModelError(const Status& status) {
  FUZZ_CHECK(status.code() == Code::kCorruptModel || status.code() == Code::kUnsupportedModel ||
             status.code() == Code::kUnsupportedVersion || status.code() == Code::kOutOfMemory);
  FUZZ_CHECK(!status.detail().empty());
}

}  // namespace clipglot::fuzz
