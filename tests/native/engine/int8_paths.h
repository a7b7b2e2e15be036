// Engines on each of the paths by which the package's builds multiply int8. For tests only.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include "nn/int8/isa.h"

namespace clipglot::testing {

// Engines made while it lives take the path of `isa`.
class ForcedInt8Isa {
 public:
  explicit ForcedInt8Isa(Int8Isa isa) { ForceInt8Isa(isa); }
  ForcedInt8Isa(const ForcedInt8Isa&) = delete;
  ForcedInt8Isa& operator=(const ForcedInt8Isa&) = delete;
  ~ForcedInt8Isa() { ForceInt8Isa(Int8Isa::kI16Madd); }
};

// A path's name in the name of a test.
inline std::string TestName(Int8Isa isa) {
  std::string name(PathOf(isa).name);
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

}  // namespace clipglot::testing
