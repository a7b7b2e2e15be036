// From a tower's output to the vector that users get: truncated first, normalised afterwards
// (Matryoshka; upstream modeling_clip.py, encode_text and encode_image).
//
// Takes: a pooled vector. Gives: its first numbers, of unit length if wanted. Knows no model.
// Thread-safe: no state.
#pragma once

#include <cstddef>
#include <span>

#include "base/status.h"

namespace clipglot {

// `pooled`: full vector. `dimensions`: 1 ... pooled.size(), or 0 for all. `normalized`: divide by
// the L2 norm of what is kept (a zero vector stays zero); without it only the full length is given,
// since truncated raw vectors are not comparable. `out`: [dimensions or pooled.size()]. Errors:
// kInvalidArgument naming the value; kInternal if a number is not finite.
Status FinishEmbedding(std::span<const float> pooled, size_t dimensions, bool normalized,
                       std::span<float> out);

// Checks `dimensions` and `normalized` as FinishEmbedding does, before the work is done, and gives
// the output's length.
Result<size_t> EmbeddingLength(size_t full, size_t dimensions, bool normalized);

}  // namespace clipglot
