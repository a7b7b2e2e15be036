// The plain objects that cross the border to JavaScript. Embind copies them field by field, so no
// C++ lifetime leaves the heap. Emscripten writes their types into the module's .d.ts; a test holds
// js/src/worker/engine-module.d.ts, what the package relies on, against it.
//
// Numbers are doubles where they may pass 2^31 (sizes, offsets, pointers): JavaScript has no other
// number, and a double holds every integer up to 2^53. A pointer is an address in the module's
// heap, never negative.
#pragma once

#include <string>

#include "js_types.h"

namespace clipglot {

// Every bound function that can fail answers with an object that begins with this: `code`
// (base/status.h) and `detail`. What the object adds holds when the code is kOk.
struct StatusObject {
  int code = 0;
  std::string detail;
};

// A place in the heap: `bytes` bytes at `pointer`.
struct MemoryObject : StatusObject {
  double pointer = 0;
  double bytes = 0;
};

// The bytes that loading needs next; `wanted` is false when nothing more is needed.
struct RangeObject {
  bool wanted = false;
  double file = 0;  // place in the list given by addFile
  double offset = 0;
  double length = 0;
  bool hashed = false;  // commit compares its SHA-256
};

struct EngineOptionsObject {
  bool text = true;
  bool vision = true;
  WeightFormatName dtype{emscripten::val::undefined()};
  double threads = 1;
  double max_tokens = 512;
  double max_pixels = 0;
  bool self_test = true;
  bool unfinished_pack = false;
};

struct TextOptionsObject {
  double dimensions = 0;
  bool normalized = true;
  std::string task;
  double max_tokens = 0;
  bool error_when_too_long = false;
  bool normalize_nfc = false;
};

struct ImageOptionsObject {
  double dimensions = 0;
  bool normalized = true;
  bool ignore_orientation = false;
  double grid = 0;
  bool scale_gray16 = false;
};

// EngineInfo of engine/engine.h.
struct EngineInfoObject {
  std::string model_id;
  std::string revision;
  std::string license;
  bool text = false;
  bool vision = false;
  WeightFormatName dtype{emscripten::val::undefined()};
  NumberArray dimensions{emscripten::val::array()};
  int full_dimensions = 0;
  int max_tokens = 0;
  int threads = 0;
  int image_size = 0;
  int image_grid = 0;
  double resident_bytes = 0;
};

// One kind of work: how often it was done, and the time without the work inside it.
struct ProfileEntryObject {
  ProfileCategoryName kind{emscripten::val::undefined()};
  double calls = 0;
  double nanoseconds = 0;
};

// `count` floats at `pointer`, valid until the engine's next call. `warnings`: a sentence each.
struct EmbeddingObject : StatusObject {
  double pointer = 0;
  int count = 0;
  int tokens = 0;
  int total_tokens = 0;
  bool truncated = false;
  int unknown_tokens = 0;
  StringArray warnings{emscripten::val::array()};
};

// The first `texts` of those that were given: `count` floats each, contiguous at
// `pointer`; for each a byte at `truncated`, 1 where it was cut, and at `unknown_tokens` a count
// (uint32). Valid until the engine's next call.
struct EmbeddingsObject : StatusObject {
  double pointer = 0;
  int count = 0;
  int texts = 0;
  double truncated = 0;
  double unknown_tokens = 0;
};

struct TokenCountObject : StatusObject {
  int tokens = 0;
  int max_tokens = 0;
};

// One traced stage: `bytes` bytes of `dtype` ("F32", ...) at `pointer`. Valid until the next
// call.
struct StageObject {
  std::string name;
  std::string dtype;
  NumberArray shape{emscripten::val::array()};
  double pointer = 0;
  double bytes = 0;
};

// `count` hits, best first: rows (uint32) and scores (float32) lie apart. Valid until the next
// search of this index.
struct HitsObject : StatusObject {
  double rows = 0;
  double scores = 0;
  int count = 0;
};

}  // namespace clipglot
