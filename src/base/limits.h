// Limits that more than one room enforces.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clipglot {

// Threads of one engine, the calling thread included. js/src checks the same number.
inline constexpr size_t kMaxThreads = 64;

// Channels of an attention head: what nn's attention has scratch for, so what a model may ask for.
inline constexpr size_t kMaxHeadDim = 256;

// Bytes of one tensor in a pack: a larger matrix is stored as several blocks of rows, so that a
// reader never needs more memory than this for a piece.
inline constexpr uint64_t kMaxPackTensor = uint64_t{16} << 20;

}  // namespace clipglot
