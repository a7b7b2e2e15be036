// The border between the converter and JavaScript: with common_bindings.cc every name that
// JavaScript can call in the converter's modules. Only js/src/worker/convert/converter.ts calls it.
// js/src/worker/convert/convert-module.d.ts mirrors this page; a test compares the two.
//
// These bindings are static constructors, so this file is a source of each executable: from a
// static library the linker would drop it.
#include <emscripten/bind.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "binding.h"
#include "container/sha256.h"
#include "conversions.h"
#include "convert_objects.h"
#include "js_types.h"
#include "pack_writer_handle.h"

namespace clipglot {
namespace {

// `words`: the eight of the state, `data`: a multiple of 64 bytes.
void HashBlocks(double words, double data, double bytes) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  auto* state = reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(words));
  Sha256State values;
  std::copy_n(state, values.size(), values.begin());
  Sha256Blocks(values, Span<std::byte>(data, bytes));
  std::copy(values.begin(), values.end(), state);
}

}  // namespace

EMSCRIPTEN_BINDINGS(clipglot_convert) {
  using emscripten::class_;
  using emscripten::function;
  using emscripten::value_object;
  value_object<PackOptionsObject>("PackOptions")
      .field("text", &PackOptionsObject::text)
      .field("vision", &PackOptionsObject::vision)
      .field("dtype", &PackOptionsObject::dtype)
      .field("threads", &PackOptionsObject::threads);
  value_object<PackTensorObject>("PackTensor")
      .field("name", &PackTensorObject::name)
      .field("dtype", &PackTensorObject::dtype)
      .field("shape", &PackTensorObject::shape)
      .field("group", &PackTensorObject::group)
      .field("unit", &PackTensorObject::unit)
      .field("pointer", &PackTensorObject::pointer)
      .field("bytes", &PackTensorObject::bytes);
  Answer(value_object<TextObject>("Text")).field("text", &TextObject::text);
  class_<PackWriterHandle>("PackWriter")
      .constructor<>()
      .function("create", &PackWriterHandle::Create)
      .function("addFile", &PackWriterHandle::AddFile)
      .function("begin", &PackWriterHandle::Begin)
      .function("want", &PackWriterHandle::Want)
      .function("reserve", &PackWriterHandle::Reserve)
      .function("commit", &PackWriterHandle::Commit)
      .function("totalBytes", &PackWriterHandle::TotalBytes)
      .function("readBytes", &PackWriterHandle::ReadBytes)
      .function("plannedCount", &PackWriterHandle::PlannedCount)
      .function("planned", &PackWriterHandle::Planned)
      .function("tensorCount", &PackWriterHandle::TensorCount)
      .function("tensor", &PackWriterHandle::Tensor)
      .function("done", &PackWriterHandle::Done)
      .function("saveState", &PackWriterHandle::SaveState)
      .function("tokenizerFile", &PackWriterHandle::TokenizerFile)
      .function("selfTestJson", &PackWriterHandle::SelfTestJson);
  function("hashBlocks", &HashBlocks);
}

}  // namespace clipglot
