// What every module of the package binds: its memory, and the objects of the conversation of
// loading. js/src/worker/engine-module.d.ts declares it; tests compare the two.
#include <emscripten/bind.h>
#include <malloc.h>

#include <cstdlib>

#include "binding.h"
#include "conversions.h"
#include "js_types.h"
#include "result_objects.h"

namespace clipglot {
namespace {

// Memory for what JavaScript passes in; 0 if the heap cannot grow enough.
double Allocate(double bytes) {
  return bytes > 0 && bytes < 4294967296.0 ? Address(std::malloc(static_cast<size_t>(bytes))) : 0;
}
void Release(double pointer) {
  std::free(reinterpret_cast<void*>(static_cast<uintptr_t>(pointer)));
}
// Bytes that live in the heap now: tests compare it before and after.
double AllocatedBytes() { return static_cast<double>(static_cast<unsigned>(mallinfo().uordblks)); }

}  // namespace

EMSCRIPTEN_BINDINGS(clipglot_common) {
  using emscripten::function;
  using emscripten::register_type;
  using emscripten::value_object;
  register_type<NumberArray>("number[]");
  register_type<StringArray>("string[]");
  const auto name = [](const WeightFormatTraits& traits) { return traits.name; };
  register_type<WeightFormatName>(UnionType(AllWeightFormats(), name).c_str());
  value_object<StatusObject>("Status")
      .field("code", &StatusObject::code)
      .field("detail", &StatusObject::detail);
  Answer(value_object<MemoryObject>("Memory"))
      .field("pointer", &MemoryObject::pointer)
      .field("bytes", &MemoryObject::bytes);
  value_object<RangeObject>("Range")
      .field("wanted", &RangeObject::wanted)
      .field("file", &RangeObject::file)
      .field("offset", &RangeObject::offset)
      .field("length", &RangeObject::length)
      .field("hashed", &RangeObject::hashed);
  function("allocate", &Allocate);
  function("release", &Release);
  function("allocatedBytes", &AllocatedBytes);
}

}  // namespace clipglot
