// The plain objects of the converter's modules, besides those of result_objects.h;
// js/src/convert/convert-module.d.ts mirrors them, and a test compares the two.
#pragma once

#include <string>

namespace clipglot {

struct PackOptionsObject {
  bool text = true;
  bool vision = true;
  std::string dtype;
  double threads = 1;
};

// One tensor of a pack: as a stage, with the group of shards and the unit it belongs to. Valid
// until the next commit; `pointer` is 0 in the plan.
struct PackTensorObject {
  std::string name;
  std::string dtype;
  std::string shape;
  std::string group;
  double unit = 0;
  double pointer = 0;
  double bytes = 0;
};

// A text that may not be there.
struct TextObject {
  int code = 0;
  std::string detail;
  std::string text;
};

}  // namespace clipglot
