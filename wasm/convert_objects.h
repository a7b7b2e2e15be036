// The plain objects of the converter's modules, besides those of result_objects.h;
// js/src/convert/convert-module.d.ts declares them; tests compare the two.
#pragma once

#include <string>

#include "js_types.h"
#include "result_objects.h"

namespace clipglot {

struct PackOptionsObject {
  bool text = true;
  bool vision = true;
  WeightFormatName dtype{emscripten::val::undefined()};
  double threads = 1;
};

// One tensor of a pack: as a stage, with the group of shards and the unit it belongs to. Valid
// until the next commit; `pointer` is 0 in the plan.
struct PackTensorObject {
  std::string name;
  std::string dtype;
  NumberArray shape{emscripten::val::array()};
  std::string group;
  double unit = 0;
  double pointer = 0;
  double bytes = 0;
};

// A text that may not be there.
struct TextObject : StatusObject {
  std::string text;
};

}  // namespace clipglot
