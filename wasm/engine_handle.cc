#include "engine_handle.h"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "base/weight_format.h"
#include "conversions.h"

namespace clipglot {
namespace {

Result<EngineOptions> ToOptions(const EngineOptionsObject& in) {
  EngineOptions out;
  out.text = in.text;
  out.vision = in.vision;
  CLIPGLOT_ASSIGN_OR_RETURN(out.format, ToWeightFormat(in.dtype));
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.threads, "threads", &out.threads));
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.max_tokens, "maxTokens", &out.max_tokens));
  CLIPGLOT_ASSIGN_OR_RETURN(out.max_pixels, Count(in.max_pixels, "maxPixels"));
  out.self_test = in.self_test;
  out.unfinished_pack = in.unfinished_pack;
  return out;
}

Result<TextOptions> ToOptions(const TextOptionsObject& in) {
  TextOptions out;
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.dimensions, "dimensions", &out.dimensions));
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.max_tokens, "maxTokens", &out.max_tokens));
  out.normalized = in.normalized;
  out.task = in.task;
  out.error_when_too_long = in.error_when_too_long;
  out.normalize_nfc = in.normalize_nfc;
  return out;
}

Result<ImageOptions> ToOptions(const ImageOptionsObject& in) {
  ImageOptions out;
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.dimensions, "dimensions", &out.dimensions));
  out.normalized = in.normalized;
  out.ignore_orientation = in.ignore_orientation;
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.grid, "grid", &out.grid));
  out.scale_gray16 = in.scale_gray16;
  return out;
}

std::string_view Text(double utf8, double bytes) {
  const std::span<const char> text = Span<char>(utf8, bytes);
  return {text.data(), text.size()};
}

EmbeddingObject ToObject(const Result<EmbeddingView>& view) {
  if (!view.ok()) return Failed<EmbeddingObject>(view.status());
  return {{},
          Address(view->vector.data()),
          static_cast<int>(view->vector.size()),
          static_cast<int>(view->tokens),
          static_cast<int>(view->total_tokens),
          view->truncated,
          static_cast<int>(view->unknown_tokens),
          ToArray(view->warnings)};
}

}  // namespace

StatusObject EngineHandle::Create(const EngineOptionsObject& in) {
  const Result<EngineOptions> options = ToOptions(in);
  if (!options.ok()) return Failed<StatusObject>(options.status());
  Result<std::unique_ptr<Engine>> engine = Engine::Create(*options);
  if (!engine.ok()) return Failed<StatusObject>(engine.status());
  engine_ = std::move(*engine);
  return {};
}

void EngineHandle::AddFile(const std::string& path, double bytes) {
  files_.push_back({path, static_cast<uint64_t>(bytes)});
}

StatusObject EngineHandle::TestSelf(const std::string& json) {
  return Failed<StatusObject>(engine_->TestSelf(json));
}

StatusObject EngineHandle::BeginLoad() {
  return Failed<StatusObject>(engine_->BeginLoad(std::exchange(files_, {})));
}

RangeObject EngineHandle::Want() const { return ToObject(engine_->Want()); }
MemoryObject EngineHandle::Reserve() { return ToObject(engine_->Reserve()); }

StatusObject EngineHandle::Commit(const std::string& sha256) {
  return Failed<StatusObject>(engine_->Commit(sha256));
}

EngineInfoObject EngineHandle::Info() const {
  const EngineInfo info = engine_->Info();
  return {info.model_id,
          info.revision,
          info.license,
          info.text,
          info.vision,
          ToName<WeightFormatName>(TraitsOf(info.format).name),
          ToArray(std::span(info.dimensions)),
          static_cast<int>(info.full_dimensions),
          static_cast<int>(info.max_tokens),
          static_cast<int>(info.threads),
          static_cast<int>(info.image_size),
          static_cast<int>(info.image_grid),
          static_cast<double>(info.resident_bytes)};
}

EmbeddingObject EngineHandle::EmbedText(double text, double bytes, const TextOptionsObject& in) {
  const Result<TextOptions> options = ToOptions(in);
  if (!options.ok()) return Failed<EmbeddingObject>(options.status());
  return ToObject(engine_->EmbedText(Text(text, bytes), *options, BeginCall()));
}

EmbeddingsObject EngineHandle::EmbedTexts(double texts, double count, const TextOptionsObject& in) {
  const Result<TextOptions> options = ToOptions(in);
  if (!options.ok()) return Failed<EmbeddingsObject>(options.status());
  const std::span<const uint32_t> lengths = Span<uint32_t>(texts, count);
  const char* at = reinterpret_cast<const char*>(lengths.data() + lengths.size());
  std::vector<std::string_view> utf8;
  for (const uint32_t length : lengths) {
    utf8.emplace_back(at, length);
    at += length;
  }
  const auto views = engine_->EmbedTexts(utf8, *options, BeginCall());
  if (!views.ok()) return Failed<EmbeddingsObject>(views.status());
  if (views->empty()) return {};
  truncated_.clear();
  unknown_.clear();
  for (const EmbeddingView& view : *views) {
    truncated_.push_back(view.truncated ? 1 : 0);
    unknown_.push_back(static_cast<uint32_t>(view.unknown_tokens));
  }
  const std::span<const float> first = views->front().vector;
  return {{},
          Address(first.data()),
          static_cast<int>(first.size()),
          static_cast<int>(views->size()),
          Address(truncated_.data()),
          Address(unknown_.data())};
}

EmbeddingObject EngineHandle::EmbedEncodedImage(double file, double bytes,
                                                const ImageOptionsObject& in) {
  const Result<ImageOptions> options = ToOptions(in);
  if (!options.ok()) return Failed<EmbeddingObject>(options.status());
  return ToObject(engine_->EmbedEncodedImage(Span<std::byte>(file, bytes), *options, BeginCall()));
}

EmbeddingObject EngineHandle::EmbedPixels(double rgba, double bytes, double width, double height,
                                          const ImageOptionsObject& in) {
  const Result<ImageOptions> options = ToOptions(in);
  if (!options.ok()) return Failed<EmbeddingObject>(options.status());
  RgbaView view{Span<uint8_t>(rgba, bytes)};
  if (Status s = ToSize(width, "width", &view.width); !s.ok()) return Failed<EmbeddingObject>(s);
  if (Status s = ToSize(height, "height", &view.height); !s.ok()) return Failed<EmbeddingObject>(s);
  return ToObject(engine_->EmbedPixels(view, *options, BeginCall()));
}

EmbeddingObject EngineHandle::Truncate(double vector, double count, double dimensions) {
  VectorOptions options;
  if (Status s = ToSize(dimensions, "dimensions", &options.dimensions); !s.ok())
    return Failed<EmbeddingObject>(s);
  return ToObject(engine_->Truncate(Span<float>(vector, count), options));
}

TokenCountObject EngineHandle::CountTokens(double text, double bytes, const TextOptionsObject& in) {
  const Result<TextOptions> options = ToOptions(in);
  if (!options.ok()) return Failed<TokenCountObject>(options.status());
  const Result<TokenCount> count = engine_->CountTokens(Text(text, bytes), *options);
  if (!count.ok()) return Failed<TokenCountObject>(count.status());
  return {{}, static_cast<int>(count->tokens), static_cast<int>(count->max_tokens)};
}

ProfileEntryArray EngineHandle::TakeProfile() {
  auto array = emscripten::val::array();
  const Profile::Entries entries = engine_->profile().Take();
  for (size_t i = 0; i < entries.size(); ++i) {
    array.call<void>("push",
                     ProfileEntryObject{ToName<ProfileCategoryName>(kProfileCategoryNames[i]),
                                        static_cast<double>(entries[i].calls),
                                        static_cast<double>(entries[i].nanoseconds)});
  }
  return ProfileEntryArray(array);
}

void EngineHandle::SetTracing(bool on) {
  tracing_ = on;
  keeper_.Clear();
}

CallContext EngineHandle::BeginCall() {
  keeper_.Clear();
  return {tracing_ ? &keeper_ : nullptr, &observer_};
}

}  // namespace clipglot
