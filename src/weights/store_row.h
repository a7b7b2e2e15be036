// The one place where a row of float32 becomes what a part keeps: as it is, or quantised.
// Thread-safe: no state.
#pragma once

#include <cstddef>
#include <span>

#include "weights/model_layout.h"

namespace clipglot {

// Stores `row` in the slot (allocated by AllocateSlot), from element `offset` on, in the format
// of the slot's memory. For a matrix, `row` is one whole row and `offset` a multiple of its
// length; for a vector, any piece. All values are finite.
void StoreRow(const Slot& slot, size_t offset, std::span<const float> row);

}  // namespace clipglot
