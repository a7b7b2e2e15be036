// What of a pack's self-test is fixed: its inputs, the cosine that it demands, and its text in the
// manifest (docs/FORMAT.md, `selfTest`). The vectors are SelfTestMaker's. Thread-safe: no state.
#pragma once

#include <cstddef>
#include <string>

#include "engine/self_test.h"
#include "weights/model_config.h"

namespace clipglot {

// Texts in several scripts, one of them a query, and a small picture, of which at most 5 x 5
// patches are read, since every loading pays for them. `grid`: patches that the model reads, a
// side. No vectors yet.
SelfTest SelfTestInputs(bool text, bool vision, size_t grid);

// The cosine that the arithmetic of a number format reaches with any sound model
// (docs/NUMERICS.md).
double MinCosine(WeightFormat dtype);

// The manifest's member; ParseSelfTest reads it.
std::string SelfTestJson(const SelfTest& test);

}  // namespace clipglot
