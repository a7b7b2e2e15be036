#include "engine/engine.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/overloaded.h"
#include "base/strings.h"
#include "base/trace.h"
#include "base/utf8.h"
#include "embedding/embedding.h"
#include "engine/self_test.h"
#include "nn/nn.h"
#include "text/text_tower.h"
#include "text/tokenizer.h"
#include "vision/image.h"
#include "vision/vision_tower.h"
#include "weights/model_reader.h"

namespace clipglot {
namespace {

constexpr size_t kMaxTokens = 8192;
constexpr std::string_view kQueryTask = "retrieval.query";
// A text with more bytes than this per token that is left in a group will hardly fit, so it is not
// even tokenized.
constexpr size_t kMostBytesAToken = 32;

class EngineImpl final : public Engine, private ModelSink {
 public:
  EngineImpl(const EngineOptions& options, std::unique_ptr<Workspace> workspace)
      : options_(options), workspace_(std::move(workspace)) {}

  Status BeginLoad(std::vector<FileEntry> files) override;
  std::optional<ByteRange> Want() const override {
    return reader_ ? reader_->Want() : std::nullopt;
  }
  Result<std::span<std::byte>> Reserve() override;
  Status Commit(std::string_view sha256) override;
  uint64_t total_bytes() const override { return reader_ ? reader_->total_bytes() : loaded_bytes_; }
  uint64_t read_bytes() const override { return reader_ ? reader_->read_bytes() : loaded_bytes_; }
  bool ready() const override { return ready_; }
  Status TestSelf(std::string_view json) override;
  EngineInfo Info() const override;

  Result<EmbeddingView> EmbedText(std::string_view utf8, const TextOptions& options,
                                  const CallContext& context) override;
  Result<std::span<const EmbeddingView>> EmbedTexts(std::span<const std::string_view> utf8,
                                                    const TextOptions& options,
                                                    const CallContext& context) override;
  Result<EmbeddingView> EmbedEncodedImage(std::span<const std::byte> file,
                                          const ImageOptions& options,
                                          const CallContext& context) override;
  Result<EmbeddingView> EmbedPixels(const RgbaView& image, const ImageOptions& options,
                                    const CallContext& context) override;
  Result<EmbeddingView> Truncate(std::span<const float> vector,
                                 const VectorOptions& options) override;
  Result<TokenCount> CountTokens(std::string_view utf8, const TextOptions& options) override;

  size_t threads_seen() const override { return workspace_->threads_seen(); }
  Profile& profile() override { return workspace_->profile(); }

 private:
  // ModelSink: the towers grow while the model is read.
  Status OnModel(const ModelConfig& config) override;
  Status OnTokenizer(std::string_view name, std::span<const std::byte> file) override;
  Status OnPart(PartId id, PartData part) override;

  Status FinishLoad();
  Status TakeTest(const Json& json);
  Status RunTest();
  Status NeedTower(bool wanted, const char* name) const;
  // What every embedding begins with: the tower is there, the wanted length is possible.
  Status BeginEmbedding(bool tower, const char* name, const VectorOptions& options) const;
  Result<Encoding> Tokenize(std::string_view utf8, const TextOptions& options,
                            size_t max_tokens) const;
  Result<Encoding> TokensToRead(std::string_view utf8, const TextOptions& options) const;
  // Takes the first of `utf8` that go together into group_. Errors: those of the first text.
  Status FillGroup(std::span<const std::string_view> utf8, const TextOptions& options);
  // The patches that `options` asks for.
  Result<const PatchGrid*> BeginImage(const ImageOptions& options);
  Result<EmbeddingView> EmbedRgba(const RgbaView& image, const PatchGrid& grid,
                                  const VectorOptions& options, const CallContext& context);
  Result<EmbeddingView> EmbedImage(RgbImage image, const PatchGrid& grid,
                                   const VectorOptions& options, const CallContext& context);
  // The items of a pack's self-test.
  Result<EmbeddingView> EmbedTestText(const SelfTest::Text& item);
  Result<EmbeddingView> EmbedTestImage(const SelfTest::Image& item);
  // Row `row` of pooled_ to row `row` of vectors_.
  Result<EmbeddingView> Finish(size_t row, const VectorOptions& options);

  EngineOptions options_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<ModelReader> reader_;  // only while loading
  ModelConfig config_;
  std::optional<SelfTest> self_test_;  // only while loading
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<TextTower> text_;
  std::unique_ptr<VisionTower> vision_;
  AlignedBuffer pixels_;  // [3, image_size, image_size]
  struct Group {
    std::vector<int32_t> ids;     // of its texts, concatenated
    std::vector<size_t> lengths;  // tokens of each text
    std::vector<EmbeddingView> views;
  };
  Group group_;
  AlignedBuffer pooled_;   // [texts of a group, dimensions]
  AlignedBuffer vectors_;  // what the last call gave
  uint64_t loaded_bytes_ = 0;
  bool begun_ = false;  // BeginLoad was called, whatever came of it
  bool ready_ = false;
  std::vector<std::string> warnings_;  // of the last picture
};

Status EngineImpl::BeginLoad(std::vector<FileEntry> files) {
  if (begun_)
    return Status(Code::kInvalidArgument, "an engine loads one model, once; make a new one");
  begun_ = true;
  ReadOptions read;
  read.text = options_.text;
  read.vision = options_.vision;
  read.format = options_.format;
  read.hashes_optional = options_.unfinished_pack;
  CLIPGLOT_ASSIGN_OR_RETURN(reader_, ModelReader::Create(std::move(files), read, this));
  return OkStatus();
}

Result<std::span<std::byte>> EngineImpl::Reserve() {
  if (!reader_) return Status(Code::kInvalidArgument, "Reserve without BeginLoad");
  return reader_->Reserve();
}

Status EngineImpl::Commit(std::string_view sha256) {
  if (!reader_) return Status(Code::kInvalidArgument, "Commit without BeginLoad");
  CLIPGLOT_RETURN_IF_ERROR(reader_->Commit(sha256));
  if (!reader_->Want()) return FinishLoad();
  return OkStatus();
}

Status EngineImpl::FinishLoad() {
  const bool complete = (!options_.text || (tokenizer_ && text_ && text_->complete())) &&
                        (!options_.vision || (vision_ && vision_->complete()));
  if (!complete) return Status(Code::kInternal, "the model ended before its towers were complete");
  loaded_bytes_ = reader_->read_bytes();
  reader_.reset();
  ready_ = true;
  return RunTest();
}

Status EngineImpl::TestSelf(std::string_view json) {
  if (!ready_) return Status(Code::kNotLoaded, "a self-test before the model was loaded");
  CLIPGLOT_ASSIGN_OR_RETURN(const Json parsed, Json::Parse(json, "selfTest"));
  CLIPGLOT_RETURN_IF_ERROR(TakeTest(parsed));
  return RunTest();
}

// Parses a self-test, to be run when the model is complete.
Status EngineImpl::TakeTest(const Json& json) {
  CLIPGLOT_ASSIGN_OR_RETURN(self_test_,
                            ParseSelfTest(json, config_.dimensions, config_.vision.grid()));
  // Skip the image test if the image exceeds the caller's `max_pixels`.
  const std::optional<SelfTest::Image>& image = self_test_->image;
  if (image && uint64_t{image->width} * image->height > options_.max_pixels)
    self_test_->image.reset();
  return OkStatus();
}

Status EngineImpl::RunTest() {
  if (!self_test_) return OkStatus();
  const SelfTest test = *std::exchange(self_test_, std::nullopt);
  SelfTestEngine engine;
  if (text_) engine.text = [this](const SelfTest::Text& item) { return EmbedTestText(item); };
  if (vision_) engine.image = [this](const SelfTest::Image& item) { return EmbedTestImage(item); };
  const Status status = RunSelfTest(test, engine);
  ready_ = status.ok();
  return status;
}

Status EngineImpl::OnModel(const ModelConfig& config) {
  config_ = config;
  const uint64_t numbers = uint64_t{kGroupTexts} * config.dimensions;
  CLIPGLOT_ASSIGN_OR_RETURN(pooled_,
                            AlignedBuffer::TryAllocateArray<float>(numbers, "vectors of a group"));
  CLIPGLOT_ASSIGN_OR_RETURN(vectors_,
                            AlignedBuffer::TryAllocateArray<float>(numbers, "vectors of a group"));
  if (options_.self_test && config.self_test.exists() && !config.self_test.is_null())
    CLIPGLOT_RETURN_IF_ERROR(TakeTest(config.self_test));
  config_.self_test = Json();  // drop it: it keeps the whole manifest alive
  if (options_.text) {
    const TextConfig& text = config.text;
    options_.max_tokens = std::min(options_.max_tokens, text.max_position_embeddings);
    CLIPGLOT_ASSIGN_OR_RETURN(text_,
                              TextTower::Create(text, options_.max_tokens, workspace_.get()));
  }
  if (options_.vision) {
    const VisionConfig& vision = config.vision;
    CLIPGLOT_ASSIGN_OR_RETURN(vision_, VisionTower::Create(vision, workspace_.get()));
    CLIPGLOT_ASSIGN_OR_RETURN(pixels_,
                              AlignedBuffer::TryAllocateArray<float>(
                                  uint64_t{3} * vision.image_size * vision.image_size, "pixels"));
  }
  return OkStatus();
}

Status EngineImpl::OnTokenizer(std::string_view name, std::span<const std::byte> file) {
  CLIPGLOT_ASSIGN_OR_RETURN(tokenizer_, Tokenizer::Create(name, file));
  const TextConfig& text = config_.text;
  if (tokenizer_->vocab_size() != text.vocab_size) {
    return Status(Code::kCorruptModel,
                  StrCat(name, ": a tokenizer of ", tokenizer_->vocab_size(),
                         " ids does not belong to a model of ", text.vocab_size));
  }
  const auto same_id = [&](const char* what, int32_t found, int32_t expected) -> Status {
    if (found == expected) return OkStatus();
    return Status(Code::kCorruptModel,
                  StrCat(name, ": ", what, " has id ", found, ", the model expects ", expected));
  };
  CLIPGLOT_RETURN_IF_ERROR(same_id("<s>", tokenizer_->bos_id(), text.bos_id));
  CLIPGLOT_RETURN_IF_ERROR(same_id("<pad>", tokenizer_->pad_id(), text.pad_id));
  return same_id("</s>", tokenizer_->eos_id(), text.eos_id);
}

Status EngineImpl::OnPart(PartId /*id*/, PartData part) {
  return std::visit(
      Overloaded{[&](TextEmbeddings& words) { return text_->SetEmbeddings(std::move(words)); },
                 [&](TextLayer& layer) { return text_->AddLayer(std::move(layer)); },
                 [&](VisionStem& stem) { return vision_->SetStem(std::move(stem)); },
                 [&](VisionLayer& layer) { return vision_->AddLayer(std::move(layer)); },
                 [&](VisionNorm& last) { return vision_->SetNorm(std::move(last.norm)); }},
      part);
}

EngineInfo EngineImpl::Info() const {
  EngineInfo info;
  info.model_id = config_.model_id;
  info.revision = config_.revision;
  info.license = config_.license;
  info.text = text_ != nullptr;
  info.vision = vision_ != nullptr;
  info.format = config_.format;
  info.dimensions = config_.matryoshka_dimensions;
  info.full_dimensions = config_.dimensions;
  info.max_tokens = options_.max_tokens;
  info.threads = workspace_->threads();
  info.image_size = config_.vision.image_size;
  info.image_grid = config_.vision.grid();
  info.resident_bytes =
      (text_ ? text_->resident_bytes() : 0) + (vision_ ? vision_->resident_bytes() : 0);
  return info;
}

Status EngineImpl::NeedTower(bool wanted, const char* name) const {
  if (!ready_) return Status(Code::kNotLoaded, "no model is loaded");
  if (!wanted) return Status(Code::kNotLoaded, StrCat("the ", name, " tower was not loaded"));
  return OkStatus();
}

Status EngineImpl::BeginEmbedding(bool tower, const char* name,
                                  const VectorOptions& options) const {
  CLIPGLOT_RETURN_IF_ERROR(NeedTower(tower, name));
  return EmbeddingLength(config_.dimensions, options.dimensions, options.normalized).status();
}

Result<const PatchGrid*> EngineImpl::BeginImage(const ImageOptions& options) {
  CLIPGLOT_RETURN_IF_ERROR(BeginEmbedding(vision_ != nullptr, "vision", options));
  return vision_->Scaled(options.grid == 0 ? config_.vision.grid() : options.grid);
}

Result<Encoding> EngineImpl::Tokenize(std::string_view utf8, const TextOptions& options,
                                      size_t max_tokens) const {
  const ProfileScope scope(workspace_->profile(), ProfileCategory::kInput);
  if (!options.task.empty() && options.task != kQueryTask) {
    return Status(Code::kInvalidArgument, StrCat("task \"", Printable(options.task), "\": only \"",
                                                 kQueryTask, "\" is known"));
  }
  std::string text;
  if (options.task == kQueryTask) text = config_.text.query_instruction;
  if (options.normalize_nfc) {
    CLIPGLOT_ASSIGN_OR_RETURN(const std::string normalized, NormalizeNfc(utf8));
    text += normalized;
  } else {
    // Checked before the instruction goes in front, so that the byte offset in the error is the
    // caller's.
    size_t bad = 0;
    if (!IsUtf8(utf8, &bad)) return Status(Code::kInvalidText, StrCat("not UTF-8 at byte ", bad));
    if (text.empty()) return tokenizer_->Encode(utf8, max_tokens);
    text += utf8;
  }
  return tokenizer_->Encode(text, max_tokens);
}

Result<Encoding> EngineImpl::TokensToRead(std::string_view utf8, const TextOptions& options) const {
  const size_t max_tokens = options.max_tokens == 0 ? options_.max_tokens : options.max_tokens;
  if (max_tokens < 2 || max_tokens > options_.max_tokens) {
    return Status(Code::kInvalidArgument,
                  StrCat("maxTokens ", max_tokens, ": this engine was loaded for 2 to ",
                         options_.max_tokens));
  }
  CLIPGLOT_ASSIGN_OR_RETURN(Encoding encoding, Tokenize(utf8, options, max_tokens));
  if (encoding.truncated && options.error_when_too_long) {
    return Status(Code::kTooLong,
                  StrCat(encoding.total_tokens, " tokens, at most ", max_tokens, " are read"));
  }
  return encoding;
}

Status EngineImpl::FillGroup(std::span<const std::string_view> utf8, const TextOptions& options) {
  auto& [ids, lengths, views] = group_;
  ids.clear();
  lengths.clear();
  views.clear();
  const size_t most = std::min(kGroupTokens, options_.max_tokens);
  for (const std::string_view text : utf8.first(std::min(utf8.size(), kGroupTexts))) {
    const bool first = lengths.empty();
    if (!first && (ids.size() >= most || text.size() > (most - ids.size()) * kMostBytesAToken))
      break;
    const Result<Encoding> encoding = TokensToRead(text, options);
    if (!first && (!encoding.ok() || ids.size() + encoding->ids.size() > most)) break;
    CLIPGLOT_RETURN_IF_ERROR(encoding.status());
    ids.insert(ids.end(), encoding->ids.begin(), encoding->ids.end());
    lengths.push_back(encoding->ids.size());
    EmbeddingView view;
    view.tokens = encoding->ids.size();
    view.total_tokens = encoding->total_tokens;
    view.truncated = encoding->truncated;
    view.unknown_tokens = encoding->unknown_tokens;
    views.push_back(view);
  }
  return OkStatus();
}

Result<std::span<const EmbeddingView>> EngineImpl::EmbedTexts(
    std::span<const std::string_view> utf8, const TextOptions& options,
    const CallContext& context) {
  CLIPGLOT_RETURN_IF_ERROR(BeginEmbedding(text_ != nullptr, "text", options));
  const ProfileScope scope(profile(), ProfileCategory::kOther);
  CLIPGLOT_RETURN_IF_ERROR(FillGroup(utf8, options));
  auto& [ids, lengths, views] = group_;
  if (views.empty()) return std::span<const EmbeddingView>();
  Trace(context.trace, "ids", DType::kI32, {ids.size()}, std::span<const int32_t>(ids));
  CLIPGLOT_RETURN_IF_ERROR(text_->Forward(ids, lengths, pooled_.as<float>(), context));
  for (size_t i = 0; i < views.size(); ++i) {
    const Result<EmbeddingView> finished = Finish(i, options);
    if (!finished.ok() && i == 0) return finished.status();
    if (!finished.ok()) {
      views.resize(i);
      break;
    }
    views[i].vector = finished->vector;
  }
  return std::span<const EmbeddingView>(views);
}

Result<EmbeddingView> EngineImpl::EmbedText(std::string_view utf8, const TextOptions& options,
                                            const CallContext& context) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::span<const EmbeddingView> views,
                            EmbedTexts({&utf8, 1}, options, context));
  return views[0];
}

Result<TokenCount> EngineImpl::CountTokens(std::string_view utf8, const TextOptions& options) {
  CLIPGLOT_RETURN_IF_ERROR(NeedTower(text_ != nullptr, "text"));
  CLIPGLOT_ASSIGN_OR_RETURN(const Encoding encoding, Tokenize(utf8, options, options_.max_tokens));
  return TokenCount{encoding.total_tokens, options_.max_tokens};
}

Result<EmbeddingView> EngineImpl::EmbedEncodedImage(std::span<const std::byte> file,
                                                    const ImageOptions& options,
                                                    const CallContext& context) {
  CLIPGLOT_ASSIGN_OR_RETURN(const PatchGrid* grid, BeginImage(options));
  const ProfileScope scope(profile(), ProfileCategory::kInput);
  CLIPGLOT_ASSIGN_OR_RETURN(
      RgbImage image,
      DecodeImage(file, {.max_pixels = options_.max_pixels,
                         .orientation = options.ignore_orientation ? Orientation::kIgnore
                                                                   : Orientation::kApply,
                         .gray16 = options.scale_gray16 ? Gray16::kScale : Gray16::kClip,
                         .observer = context.observer}));
  return EmbedImage(std::move(image), *grid, options, context);
}

Result<EmbeddingView> EngineImpl::EmbedPixels(const RgbaView& image, const ImageOptions& options,
                                              const CallContext& context) {
  CLIPGLOT_ASSIGN_OR_RETURN(const PatchGrid* grid, BeginImage(options));
  return EmbedRgba(image, *grid, options, context);
}

Result<EmbeddingView> EngineImpl::EmbedRgba(const RgbaView& image, const PatchGrid& grid,
                                            const VectorOptions& options,
                                            const CallContext& context) {
  const ProfileScope scope(profile(), ProfileCategory::kInput);
  CLIPGLOT_ASSIGN_OR_RETURN(RgbImage rgb, ImageFromRgba(image.bytes, image.width, image.height,
                                                        options_.max_pixels, context.observer));
  return EmbedImage(std::move(rgb), grid, options, context);
}

Result<EmbeddingView> EngineImpl::EmbedTestText(const SelfTest::Text& item) {
  TextOptions options;
  options.task = item.task;
  options.error_when_too_long = true;
  return EmbedText(item.text, options, {});
}

Result<EmbeddingView> EngineImpl::EmbedTestImage(const SelfTest::Image& item) {
  CLIPGLOT_RETURN_IF_ERROR(BeginEmbedding(vision_ != nullptr, "vision", VectorOptions()));
  CLIPGLOT_ASSIGN_OR_RETURN(
      const PatchGrid* grid,
      vision_->Sampled(item.patches == 0 ? config_.vision.grid() : item.patches));
  return EmbedRgba({item.Rgba(), item.width, item.height}, *grid, VectorOptions(), {});
}

Result<EmbeddingView> EngineImpl::EmbedImage(RgbImage image, const PatchGrid& grid,
                                             const VectorOptions& options,
                                             const CallContext& context) {
  warnings_ = std::move(image.warnings);
  Trace(context.trace, "decoded_rgb", DType::kU8, {image.height, image.width, 3},
        image.pixels.as<const uint8_t>());
  RgbImage crop;
  {
    // The decoded photo may be a hundred times larger than the crop: gone before the tower runs.
    const RgbImage whole = std::move(image);
    CLIPGLOT_ASSIGN_OR_RETURN(crop, ResizeAndCrop(whole, grid.image_size, context.observer));
  }
  Trace(context.trace, "resized_cropped", DType::kU8, {crop.height, crop.width, 3},
        crop.pixels.as<const uint8_t>());
  const std::span<float> pixels = pixels_.as<float>().first(3 * crop.height * crop.width);
  NormalizePixels(crop, config_.preprocess, pixels);
  Trace(context.trace, "pixels", DType::kF32, {3, crop.height, crop.width},
        std::span<const float>(pixels));
  const ProfileScope scope(profile(), ProfileCategory::kOther);
  CLIPGLOT_RETURN_IF_ERROR(
      vision_->Forward(grid, pixels, pooled_.as<float>().first(config_.dimensions), context));
  CLIPGLOT_ASSIGN_OR_RETURN(EmbeddingView view, Finish(0, options));
  view.warnings = warnings_;
  return view;
}

Result<EmbeddingView> EngineImpl::Truncate(std::span<const float> vector,
                                           const VectorOptions& options) {
  if (!ready_) return Status(Code::kNotLoaded, "no model is loaded");
  if (vector.size() != config_.dimensions) {
    return Status(
        Code::kInvalidArgument,
        StrCat("a vector of ", vector.size(), " dimensions, the model gives ", config_.dimensions));
  }
  std::copy(vector.begin(), vector.end(), pooled_.as<float>().begin());
  return Finish(0, options);
}

Result<EmbeddingView> EngineImpl::Finish(size_t row, const VectorOptions& options) {
  const size_t full = config_.dimensions;
  CLIPGLOT_ASSIGN_OR_RETURN(const size_t length,
                            EmbeddingLength(full, options.dimensions, options.normalized));
  const std::span<float> vector = vectors_.as<float>().subspan(row * length, length);
  CLIPGLOT_RETURN_IF_ERROR(FinishEmbedding(pooled_.as<const float>().subspan(row * full, full),
                                           options.dimensions, options.normalized, vector));
  EmbeddingView view;
  view.vector = vector;
  return view;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options) {
  if (options.threads == 0 || options.threads > kMaxThreads) {
    return Status(Code::kInvalidArgument,
                  StrCat("threads ", options.threads, ": 1 to ", kMaxThreads));
  }
  if (options.max_tokens < 2 || options.max_tokens > kMaxTokens) {
    return Status(Code::kInvalidArgument,
                  StrCat("maxTokens ", options.max_tokens, ": 2 to ", kMaxTokens));
  }
  if (options.max_pixels == 0) return Status(Code::kInvalidArgument, "maxPixels 0");
  if (!options.text && !options.vision)
    return Status(Code::kInvalidArgument, "towers: none is asked for");
  CLIPGLOT_ASSIGN_OR_RETURN(std::unique_ptr<Workspace> workspace,
                            Workspace::Create(options.threads));
  return std::unique_ptr<Engine>(std::make_unique<EngineImpl>(options, std::move(workspace)));
}

}  // namespace clipglot
