// JavaScript's arrays and unions of string literals with their TypeScript types, which Emscripten
// writes into the module's .d.ts.
#pragma once

#include <emscripten/val.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/weight_format.h"

namespace clipglot {

EMSCRIPTEN_DECLARE_VAL_TYPE(NumberArray);          // number[]
EMSCRIPTEN_DECLARE_VAL_TYPE(StringArray);          // string[]
EMSCRIPTEN_DECLARE_VAL_TYPE(WeightFormatName);     // the names in base/weight_format.h
EMSCRIPTEN_DECLARE_VAL_TYPE(ProfileEntryArray);    // ProfileEntry[]
EMSCRIPTEN_DECLARE_VAL_TYPE(ProfileCategoryName);  // kProfileCategoryNames in base/profile.h

template <typename T>
NumberArray ToArray(std::span<const T> values) {
  return NumberArray(emscripten::val::array(std::vector<double>(values.begin(), values.end())));
}
inline StringArray ToArray(std::span<const std::string> values) {
  return StringArray(emscripten::val::array(values.begin(), values.end()));
}
// `Name`: one of the unions above.
template <typename Name>
Name ToName(std::string_view name) {
  return Name(emscripten::val(std::string(name)));
}
// Errors: kInvalidArgument, also for what is not a string.
inline Result<WeightFormat> ToWeightFormat(const WeightFormatName& name) {
  if (!name.isString()) return Status(Code::kInvalidArgument, "dtype: a string is expected");
  return ParseWeightFormat(name.as<std::string>());
}

}  // namespace clipglot
