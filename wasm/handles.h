// The three things that JavaScript may hold: a loaded model, an index, a pack in the making. Each
// wraps a class of the engine room and speaks in the plain objects of result_objects.h, so that
// nothing else has to know of Embind or C++.
//
// Lifetime: JavaScript makes and deletes them. Methods other than create need a create that
// succeeded before.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "engine/engine.h"
#include "engine/index.h"
#include "engine/pack_writer.h"
#include "layer_hook.h"
#include "result_objects.h"

namespace clipglot {

inline double Address(const void* pointer) {
  return static_cast<double>(reinterpret_cast<uintptr_t>(pointer));
}

template <typename T>
std::span<const T> Span(double pointer, double count) {
  return {reinterpret_cast<const T*>(static_cast<uintptr_t>(pointer)), static_cast<size_t>(count)};
}

template <typename Object>
Object Failed(const Status& status) {
  Object object;
  object.code = static_cast<int>(status.code());
  object.detail = status.detail();
  return object;
}

// A number of JavaScript as a count: an integer from 0 to 2^53.
inline Result<uint64_t> Count(double number, std::string_view name) {
  if (!(number >= 0 && number <= 9007199254740992.0) || number != std::floor(number))
    return Status(Code::kInvalidArgument, StrCat(name, " must be an integer that is not negative"));
  return static_cast<uint64_t>(number);
}

// The same for what the core keeps in a size_t; anything larger is past every limit it knows, and
// stays past it.
inline Status ToSize(double number, std::string_view name, size_t* out) {
  CLIPGLOT_ASSIGN_OR_RETURN(const uint64_t count, Count(number, name));
  *out = static_cast<size_t>(std::min<uint64_t>(count, SIZE_MAX));
  return OkStatus();
}

inline Result<TextOptions> ToOptions(const TextOptionsObject& in) {
  TextOptions out;
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.dimensions, "dimensions", &out.dimensions));
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.max_tokens, "maxTokens", &out.max_tokens));
  out.normalized = in.normalized;
  out.task = in.task;
  out.error_when_too_long = in.error_when_too_long;
  out.normalize_nfc = in.normalize_nfc;
  return out;
}

inline Result<ImageOptions> ToOptions(const ImageOptionsObject& in) {
  ImageOptions out;
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.dimensions, "dimensions", &out.dimensions));
  out.normalized = in.normalized;
  out.ignore_orientation = in.ignore_orientation;
  CLIPGLOT_RETURN_IF_ERROR(ToSize(in.grid, "grid", &out.grid));
  out.scale_gray16 = in.scale_gray16;
  return out;
}

inline RangeObject ToObject(const std::optional<ByteRange>& range) {
  if (!range) return {};
  return {true, static_cast<double>(range->file), static_cast<double>(range->offset),
          static_cast<double>(range->length), range->hashed};
}

inline MemoryObject ToObject(const Result<std::span<std::byte>>& place) {
  if (!place.ok()) return Failed<MemoryObject>(place.status());
  return {0, {}, Address(place->data()), static_cast<double>(place->size())};
}

// "23,64"
template <typename T>
std::string ShapeText(std::span<const T> shape) {
  std::string text;
  for (const T side : shape) AppendPiece(text += text.empty() ? "" : ",", side);
  return text;
}

// Keeps the stages of the last call for the tools that compare them one by one.
class StageKeeper final : public TraceSink {
 public:
  void OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
               std::span<const std::byte> data) override {
    stages_.push_back({std::string(name),
                       std::string(DTypeName(dtype)),
                       ShapeText(shape),
                       {data.begin(), data.end()}});
  }
  void Clear() { stages_.clear(); }
  int count() const { return static_cast<int>(stages_.size()); }
  StageObject Get(int index) const {
    if (index < 0 || index >= count()) return {};
    const Stage& stage = stages_[index];
    return {stage.name, stage.dtype, stage.shape, Address(stage.data.data()),
            static_cast<double>(stage.data.size())};
  }

 private:
  struct Stage {
    std::string name, dtype, shape;
    std::vector<std::byte> data;
  };
  std::vector<Stage> stages_;
};

// Follows a call from layer to layer: JavaScript hears of each, and may ask to stop. Hands the
// stages on when they are wanted.
class CallFollower final : public TraceSink {
 public:
  // `keeper` may be null.
  CallFollower(Engine* engine, StageKeeper* keeper) : engine_(engine), keeper_(keeper) {}
  void OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
               std::span<const std::byte> data) override {
    if (keeper_ != nullptr) keeper_->OnStage(name, dtype, shape, data);
    if (!name.starts_with("hidden.")) return;
    // "hidden.0" comes before the first layer.
    if (clipglot_layer_done(layers_++) != 0)
      engine_->cancel_flag().store(1, std::memory_order_relaxed);
  }

 private:
  Engine* engine_;
  StageKeeper* keeper_;
  int layers_ = 0;
};

class EngineHandle {
 public:
  StatusObject Create(const EngineOptionsObject& in) {
    EngineOptions options;
    options.text = in.text;
    options.vision = in.vision;
    options.dtype = in.dtype;
    if (Status s = ToSize(in.threads, "threads", &options.threads); !s.ok())
      return Failed<StatusObject>(s);
    if (Status s = ToSize(in.max_tokens, "maxTokens", &options.max_tokens); !s.ok())
      return Failed<StatusObject>(s);
    const Result<uint64_t> max_pixels = Count(in.max_pixels, "maxPixels");
    if (!max_pixels.ok()) return Failed<StatusObject>(max_pixels.status());
    options.max_pixels = *max_pixels;
    options.self_test = in.self_test;
    Result<std::unique_ptr<Engine>> engine = Engine::Create(options);
    if (!engine.ok()) return Failed<StatusObject>(engine.status());
    engine_ = std::move(*engine);
    engine_->set_stop_check([] { return clipglot_stop() != 0; });
    return {};
  }

  void AddFile(const std::string& path, double bytes) {
    files_.push_back({path, static_cast<uint64_t>(bytes)});
  }
  StatusObject BeginLoad() {
    return Failed<StatusObject>(engine_->BeginLoad(std::exchange(files_, {})));
  }
  RangeObject Want() const { return ToObject(engine_->Want()); }
  MemoryObject Reserve() { return ToObject(engine_->Reserve()); }
  // `sha256`: of the range, or empty.
  StatusObject Commit(const std::string& sha256) {
    return Failed<StatusObject>(engine_->Commit(sha256));
  }
  double TotalBytes() const { return static_cast<double>(engine_->total_bytes()); }
  double ReadBytes() const { return static_cast<double>(engine_->read_bytes()); }
  bool Ready() const { return engine_->ready(); }
  std::string InfoJson() const { return engine_->InfoJson(); }

  EmbeddingObject EmbedText(double text, double bytes, const TextOptionsObject& in) {
    const Result<TextOptions> options = ToOptions(in);
    if (!options.ok()) return Failed<EmbeddingObject>(options.status());
    const std::span<const char> utf8 = Span<char>(text, bytes);
    CallFollower follower = Follow();
    return Finish(engine_->EmbedText({utf8.data(), utf8.size()}, *options, &follower));
  }
  // `texts`: of `count` texts the lengths in bytes (uint32), then their bytes, one behind the
  // other. Takes as many of the first as Engine::EmbedTexts does.
  EmbeddingsObject EmbedTexts(double texts, double count, const TextOptionsObject& in) {
    const Result<TextOptions> options = ToOptions(in);
    if (!options.ok()) return Failed<EmbeddingsObject>(options.status());
    const std::span<const uint32_t> lengths = Span<uint32_t>(texts, count);
    const char* at = reinterpret_cast<const char*>(lengths.data() + lengths.size());
    std::vector<std::string_view> utf8;
    for (const uint32_t length : lengths) {
      utf8.emplace_back(at, length);
      at += length;
    }
    CallFollower follower = Follow();
    const auto views = engine_->EmbedTexts(utf8, *options, &follower);
    if (!views.ok()) return Failed<EmbeddingsObject>(views.status());
    if (views->empty()) return {};
    truncated_.clear();
    unknown_.clear();
    for (const EmbeddingView& view : *views) {
      truncated_.push_back(view.truncated ? 1 : 0);
      unknown_.push_back(static_cast<uint32_t>(view.unknown_tokens));
    }
    const std::span<const float> first = views->front().vector;
    return {0,
            {},
            Address(first.data()),
            static_cast<int>(first.size()),
            static_cast<int>(views->size()),
            Address(truncated_.data()),
            Address(unknown_.data())};
  }
  EmbeddingObject EmbedEncodedImage(double file, double bytes, const ImageOptionsObject& in) {
    const Result<ImageOptions> options = ToOptions(in);
    if (!options.ok()) return Failed<EmbeddingObject>(options.status());
    CallFollower follower = Follow();
    return Finish(engine_->EmbedEncodedImage(Span<std::byte>(file, bytes), *options, &follower));
  }
  EmbeddingObject EmbedPixels(double rgba, double bytes, double width, double height,
                              const ImageOptionsObject& in) {
    const Result<ImageOptions> options = ToOptions(in);
    if (!options.ok()) return Failed<EmbeddingObject>(options.status());
    RgbaView view{Span<uint8_t>(rgba, bytes)};
    if (Status s = ToSize(width, "width", &view.width); !s.ok()) return Failed<EmbeddingObject>(s);
    if (Status s = ToSize(height, "height", &view.height); !s.ok())
      return Failed<EmbeddingObject>(s);
    CallFollower follower = Follow();
    return Finish(engine_->EmbedPixels(view, *options, &follower));
  }
  EmbeddingObject Truncate(double vector, double count, double dimensions) {
    VectorOptions options;
    if (Status s = ToSize(dimensions, "dimensions", &options.dimensions); !s.ok())
      return Failed<EmbeddingObject>(s);
    return Finish(engine_->Truncate(Span<float>(vector, count), options));
  }
  TokenCountObject CountTokens(double text, double bytes, const TextOptionsObject& in) {
    const Result<TextOptions> options = ToOptions(in);
    if (!options.ok()) return Failed<TokenCountObject>(options.status());
    const std::span<const char> utf8 = Span<char>(text, bytes);
    const Result<TokenCount> count = engine_->CountTokens({utf8.data(), utf8.size()}, *options);
    if (!count.ok()) return Failed<TokenCountObject>(count.status());
    return {0, {}, static_cast<int>(count->tokens), static_cast<int>(count->max_tokens)};
  }

  double CancelFlag() const { return Address(&engine_->cancel_flag()); }
  void StartProfile() { engine_->profile().Start(); }
  // [{"kind", "calls", "nanoseconds"}]: since the last time this was asked.
  std::string ProfileJson() {
    std::string text;
    const Profile::Entries entries = engine_->profile().Take();
    for (size_t i = 0; i < entries.size(); ++i) {
      text += StrCat(text.empty() ? "" : ",", "{\"kind\":\"", kWorkNames[i],
                     "\",\"calls\":", entries[i].calls, ",\"nanoseconds\":", entries[i].nanoseconds,
                     "}");
    }
    return StrCat("[", text, "]");
  }
  int ThreadsSeen() const { return static_cast<int>(engine_->threads_seen()); }
  void SetTracing(bool on) {
    tracing_ = on;
    keeper_.Clear();
  }
  int StageCount() const { return keeper_.count(); }
  StageObject Stage(int index) const { return keeper_.Get(index); }

 private:
  CallFollower Follow() {
    keeper_.Clear();
    return {engine_.get(), tracing_ ? &keeper_ : nullptr};
  }
  static EmbeddingObject Finish(const Result<EmbeddingView>& view) {
    if (!view.ok()) return Failed<EmbeddingObject>(view.status());
    std::string warnings;
    for (const std::string& warning : view->warnings) warnings += warning + "\n";
    return {0,
            {},
            Address(view->vector.data()),
            static_cast<int>(view->vector.size()),
            static_cast<int>(view->tokens),
            static_cast<int>(view->total_tokens),
            view->truncated,
            static_cast<int>(view->unknown_tokens),
            std::move(warnings)};
  }

  std::unique_ptr<Engine> engine_;
  std::vector<FileEntry> files_;
  StageKeeper keeper_;
  std::vector<uint8_t> truncated_;  // what EmbedTexts gave
  std::vector<uint32_t> unknown_;
  bool tracing_ = false;
};

class IndexHandle {
 public:
  StatusObject Create(double dimensions) {
    size_t size = 0;
    if (Status s = ToSize(dimensions, "dimensions", &size); !s.ok()) return Failed<StatusObject>(s);
    Result<FlatIndex> index = FlatIndex::Create(size);
    if (!index.ok()) return Failed<StatusObject>(index.status());
    index_ = std::make_unique<FlatIndex>(std::move(*index));
    return {};
  }
  StatusObject Add(double rows, double count) {
    return Failed<StatusObject>(index_->Add(Span<float>(rows, count)));
  }
  HitsObject Search(double query, double count, double k) {
    size_t wanted = 0;
    if (Status s = ToSize(k, "k", &wanted); !s.ok()) return Failed<HitsObject>(s);
    const Result<std::vector<Hit>> hits = index_->Search(Span<float>(query, count), wanted);
    if (!hits.ok()) return Failed<HitsObject>(hits.status());
    rows_.clear();
    scores_.clear();
    for (const Hit& hit : *hits) rows_.push_back(hit.row), scores_.push_back(hit.score);
    return {0, {}, Address(rows_.data()), Address(scores_.data()), static_cast<int>(rows_.size())};
  }
  void Clear() { index_->Clear(); }
  int Size() const { return static_cast<int>(index_->size()); }

 private:
  std::unique_ptr<FlatIndex> index_;
  std::vector<uint32_t> rows_;
  std::vector<float> scores_;
};

// A model folder on its way into a pack: the conversation of loading, and tensors instead of an
// engine.
class PackWriterHandle {
 public:
  StatusObject Create(const PackOptionsObject& in) {
    PackOptions options{in.text, in.vision, in.dtype};
    if (Status s = ToSize(in.threads, "threads", &options.threads); !s.ok())
      return Failed<StatusObject>(s);
    Result<std::unique_ptr<PackWriter>> writer = PackWriter::Create(options);
    if (!writer.ok()) return Failed<StatusObject>(writer.status());
    writer_ = std::move(*writer);
    return {};
  }
  void AddFile(const std::string& path, double bytes) {
    files_.push_back({path, static_cast<uint64_t>(bytes)});
  }
  // `state`: `bytes` bytes that saveState gave, or none.
  StatusObject Begin(double state, double bytes) {
    return Failed<StatusObject>(
        writer_->Begin(std::exchange(files_, {}), Span<std::byte>(state, bytes)));
  }
  RangeObject Want() const { return ToObject(writer_->Want()); }
  MemoryObject Reserve() { return ToObject(writer_->Reserve()); }
  StatusObject Commit() { return Failed<StatusObject>(writer_->Commit()); }
  double TotalBytes() const { return static_cast<double>(writer_->total_bytes()); }
  double ReadBytes() const { return static_cast<double>(writer_->read_bytes()); }
  int PlannedCount() const { return static_cast<int>(writer_->plan().size()); }
  PackTensorObject Planned(int index) const { return Get(writer_->plan(), index); }
  int TensorCount() const { return static_cast<int>(writer_->tensors().size()); }
  PackTensorObject Tensor(int index) const { return Get(writer_->tensors(), index); }
  bool Done() const { return writer_->done(); }
  MemoryObject SaveState() {
    const std::span<const std::byte> state = writer_->SaveState();
    return {0, {}, Address(state.data()), static_cast<double>(state.size())};
  }
  std::string TokenizerFile() const { return writer_->tokenizer_file(); }
  TextObject SelfTestJson() const {
    Result<std::string> json = writer_->SelfTestJson();
    if (!json.ok()) return Failed<TextObject>(json.status());
    return {0, {}, std::move(*json)};
  }

 private:
  static PackTensorObject Get(std::span<const PackTensor> tensors, int index) {
    if (index < 0 || index >= static_cast<int>(tensors.size())) return {};
    const PackTensor& tensor = tensors[static_cast<size_t>(index)];
    double bytes = static_cast<double>(DTypeSize(tensor.dtype));
    for (const uint64_t side : tensor.shape) bytes *= static_cast<double>(side);
    return {tensor.name,  std::string(DTypeName(tensor.dtype)), ShapeText(std::span(tensor.shape)),
            tensor.group, static_cast<double>(tensor.unit),     Address(tensor.bytes.data()),
            bytes};
  }

  std::unique_ptr<PackWriter> writer_;
  std::vector<FileEntry> files_;
};

}  // namespace clipglot
