// What the files of bindings share. Only they include Embind.
#pragma once

#include <emscripten/bind.h>

#include <string>

#include "base/strings.h"

namespace clipglot {

// A union of string literals, as TypeScript writes it.
template <typename Values, typename NameOf>
std::string UnionType(const Values& values, NameOf name_of) {
  std::string type;
  for (const auto& value : values)
    type += StrCat(type.empty() ? "" : " | ", "\"", name_of(value), "\"");
  return type;
}

// Binds the two fields of StatusObject, with which `Object` begins.
template <typename Object>
emscripten::value_object<Object>& Answer(emscripten::value_object<Object>&& object) {
  return object.field("code", &Object::code).field("detail", &Object::detail);
}

}  // namespace clipglot
