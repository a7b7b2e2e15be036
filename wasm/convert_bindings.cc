// The border between the converter and JavaScript: with common_bindings.cc every name that
// JavaScript can call in the converter's modules. Only js/src/convert/converter.ts calls it.
// js/src/convert/convert-module.d.ts mirrors this page; a test compares the two.
//
// These bindings are static constructors, so this file is a source of each executable: from a
// static library the linker would drop it.
#include <emscripten/bind.h>

#include "binding.h"
#include "convert_objects.h"
#include "js_types.h"
#include "pack_writer_handle.h"

namespace clipglot {

EMSCRIPTEN_BINDINGS(clipglot_convert) {
  using emscripten::class_;
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
}

}  // namespace clipglot
