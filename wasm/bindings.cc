// The border between the engine and JavaScript: with common_bindings.cc every name that JavaScript
// can call in the engine's modules.
//
// Only js/src/worker/engine-adapter.ts (and the tools, through it) calls what is bound here. Engine
// and Index are opaque handles (*_handle.h); all they take and return are value objects
// (result_objects.h). Errors are values on this side too. One call at a time.
// js/src/worker/engine-module.d.ts says what the package relies on; tests compare the two.
//
// These bindings are static constructors, so this file is a source of each executable: from a
// static library the linker would drop it.
#include <emscripten/bind.h>

#include "base/profile.h"
#include "binding.h"
#include "engine_handle.h"
#include "index_handle.h"
#include "js_types.h"
#include "result_objects.h"

namespace clipglot {
EMSCRIPTEN_BINDINGS(clipglot) {
  using emscripten::class_;
  using emscripten::register_type;
  using emscripten::value_object;
  register_type<ProfileEntryArray>("ProfileEntry[]");
  register_type<ProfileCategoryName>(
      UnionType(kProfileCategoryNames, [](std::string_view name) { return name; }).c_str());
  value_object<EngineOptionsObject>("EngineOptions")
      .field("text", &EngineOptionsObject::text)
      .field("vision", &EngineOptionsObject::vision)
      .field("dtype", &EngineOptionsObject::dtype)
      .field("threads", &EngineOptionsObject::threads)
      .field("maxTokens", &EngineOptionsObject::max_tokens)
      .field("maxPixels", &EngineOptionsObject::max_pixels)
      .field("selfTest", &EngineOptionsObject::self_test)
      .field("unfinishedPack", &EngineOptionsObject::unfinished_pack);
  value_object<EngineInfoObject>("EngineInfo")
      .field("modelId", &EngineInfoObject::model_id)
      .field("revision", &EngineInfoObject::revision)
      .field("license", &EngineInfoObject::license)
      .field("text", &EngineInfoObject::text)
      .field("vision", &EngineInfoObject::vision)
      .field("dtype", &EngineInfoObject::dtype)
      .field("dimensions", &EngineInfoObject::dimensions)
      .field("fullDimensions", &EngineInfoObject::full_dimensions)
      .field("maxTokens", &EngineInfoObject::max_tokens)
      .field("threads", &EngineInfoObject::threads)
      .field("imageSize", &EngineInfoObject::image_size)
      .field("imageGrid", &EngineInfoObject::image_grid)
      .field("residentBytes", &EngineInfoObject::resident_bytes);
  value_object<ProfileEntryObject>("ProfileEntry")
      .field("kind", &ProfileEntryObject::kind)
      .field("calls", &ProfileEntryObject::calls)
      .field("nanoseconds", &ProfileEntryObject::nanoseconds);
  value_object<TextOptionsObject>("TextOptions")
      .field("dimensions", &TextOptionsObject::dimensions)
      .field("normalized", &TextOptionsObject::normalized)
      .field("task", &TextOptionsObject::task)
      .field("maxTokens", &TextOptionsObject::max_tokens)
      .field("errorWhenTooLong", &TextOptionsObject::error_when_too_long)
      .field("normalizeNfc", &TextOptionsObject::normalize_nfc);
  value_object<ImageOptionsObject>("ImageOptions")
      .field("dimensions", &ImageOptionsObject::dimensions)
      .field("normalized", &ImageOptionsObject::normalized)
      .field("ignoreOrientation", &ImageOptionsObject::ignore_orientation)
      .field("grid", &ImageOptionsObject::grid)
      .field("scaleGray16", &ImageOptionsObject::scale_gray16);
  Answer(value_object<EmbeddingObject>("Embedding"))
      .field("pointer", &EmbeddingObject::pointer)
      .field("count", &EmbeddingObject::count)
      .field("tokens", &EmbeddingObject::tokens)
      .field("totalTokens", &EmbeddingObject::total_tokens)
      .field("truncated", &EmbeddingObject::truncated)
      .field("unknownTokens", &EmbeddingObject::unknown_tokens)
      .field("warnings", &EmbeddingObject::warnings);
  Answer(value_object<EmbeddingsObject>("Embeddings"))
      .field("pointer", &EmbeddingsObject::pointer)
      .field("count", &EmbeddingsObject::count)
      .field("texts", &EmbeddingsObject::texts)
      .field("truncated", &EmbeddingsObject::truncated)
      .field("unknownTokens", &EmbeddingsObject::unknown_tokens);
  Answer(value_object<TokenCountObject>("TokenCount"))
      .field("tokens", &TokenCountObject::tokens)
      .field("maxTokens", &TokenCountObject::max_tokens);
  value_object<StageObject>("Stage")
      .field("name", &StageObject::name)
      .field("dtype", &StageObject::dtype)
      .field("shape", &StageObject::shape)
      .field("pointer", &StageObject::pointer)
      .field("bytes", &StageObject::bytes);
  Answer(value_object<HitsObject>("Hits"))
      .field("rows", &HitsObject::rows)
      .field("scores", &HitsObject::scores)
      .field("count", &HitsObject::count);
  class_<EngineHandle>("Engine")
      .constructor<>()
      .function("create", &EngineHandle::Create)
      .function("addFile", &EngineHandle::AddFile)
      .function("beginLoad", &EngineHandle::BeginLoad)
      .function("want", &EngineHandle::Want)
      .function("reserve", &EngineHandle::Reserve)
      .function("commit", &EngineHandle::Commit)
      .function("totalBytes", &EngineHandle::TotalBytes)
      .function("readBytes", &EngineHandle::ReadBytes)
      .function("testSelf", &EngineHandle::TestSelf)
      .function("ready", &EngineHandle::Ready)
      .function("info", &EngineHandle::Info)
      .function("embedText", &EngineHandle::EmbedText)
      .function("embedTexts", &EngineHandle::EmbedTexts)
      .function("embedEncodedImage", &EngineHandle::EmbedEncodedImage)
      .function("embedPixels", &EngineHandle::EmbedPixels)
      .function("truncate", &EngineHandle::Truncate)
      .function("countTokens", &EngineHandle::CountTokens)
      .function("threadsSeen", &EngineHandle::ThreadsSeen)
      .function("startProfile", &EngineHandle::StartProfile)
      .function("takeProfile", &EngineHandle::TakeProfile)
      .function("setTracing", &EngineHandle::SetTracing)
      .function("stageCount", &EngineHandle::StageCount)
      .function("stage", &EngineHandle::Stage);
  class_<IndexHandle>("Index")
      .constructor<>()
      .function("create", &IndexHandle::Create)
      .function("add", &IndexHandle::Add)
      .function("search", &IndexHandle::Search)
      .function("clear", &IndexHandle::Clear)
      .function("size", &IndexHandle::Size);
}

}  // namespace clipglot
