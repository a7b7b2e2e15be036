// Counts what C++ code takes from the heap. A program that uses this has a global operator new of
// its own.
#pragma once

#include <cstddef>

namespace clipglot::testing {

// Calls of operator new by this thread so far.
size_t Allocations();

}  // namespace clipglot::testing
