#include "convert/self_test_maker.h"

#include <algorithm>
#include <utility>

#include "base/overloaded.h"
#include "base/strings.h"
#include "convert/self_test_content.h"
#include "embedding/embedding.h"
#include "text/tokenizer.h"
#include "vision/image.h"
#include "weights/store_row.h"

namespace clipglot {
namespace {

constexpr size_t kMaxTokens = 64;  // of one text
// Below the pack's own cosine: room for builds that round otherwise (relaxed SIMD).
constexpr double kMargin = 0.01;

// `state` as a vector of unit length.
Result<std::vector<float>> UnitVector(std::span<const float> pooled) {
  std::vector<float> vector(pooled.size());
  CLIPGLOT_RETURN_IF_ERROR(FinishEmbedding(pooled, 0, true, vector));
  return vector;
}

}  // namespace

SelfTestMaker::SelfTestMaker(const ModelConfig& config, bool text, bool vision,
                             std::unique_ptr<Workspace> workspace)
    : config_(config),
      test_(SelfTestInputs(text, vision, config.vision.grid())),
      workspace_(std::move(workspace)),
      small_(config.text) {
  test_.dimensions = config.dimensions;
}

Result<std::unique_ptr<SelfTestMaker>> SelfTestMaker::Create(const ModelConfig& config, bool text,
                                                             bool vision, size_t threads) {
  CLIPGLOT_ASSIGN_OR_RETURN(std::unique_ptr<Workspace> workspace, Workspace::Create(threads));
  return std::unique_ptr<SelfTestMaker>(
      new SelfTestMaker(config, text, vision, std::move(workspace)));
}

Status SelfTestMaker::OnTokenizer(std::string_view name, std::span<const std::byte> file) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                            Tokenizer::Create(name, file));
  const TextConfig& text = config_.text;
  if (tokenizer->vocab_size() != text.vocab_size) {
    return Status(Code::kCorruptModel,
                  StrCat(name, ": a tokenizer of ", tokenizer->vocab_size(),
                         " ids does not belong to a model of ", text.vocab_size));
  }
  const size_t max_tokens = std::min(kMaxTokens, text.max_position_embeddings);
  std::vector<SelfTest::Text> texts;
  for (const SelfTest::Text& item : test_.texts) {
    CLIPGLOT_ASSIGN_OR_RETURN(
        Encoding encoding,
        tokenizer->Encode((item.task.empty() ? "" : text.query_instruction) + item.text,
                          max_tokens));
    // A text that such a model cannot read whole, or that holds <pad>, is no test of it.
    const std::vector<int32_t>& ids = encoding.ids;
    if (encoding.truncated || std::find(ids.begin(), ids.end(), text.pad_id) != ids.end()) continue;
    ids_.push_back(ids);
    rows_.insert(rows_.end(), ids.begin(), ids.end());
    texts.push_back(item);
  }
  test_.texts = std::move(texts);
  std::sort(rows_.begin(), rows_.end());
  rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
  for (std::vector<int32_t>& ids : ids_) {
    for (int32_t& id : ids)
      id = static_cast<int32_t>(std::lower_bound(rows_.begin(), rows_.end(), id) - rows_.begin());
  }
  small_.vocab_size = rows_.size();
  small_.pad_id = -1;
  words_.resize(rows_.size() * text.hidden_size);
  for (auto& states : text_states_) states.resize(ids_.size());
  if (ids_.empty()) return OkStatus();
  CLIPGLOT_ASSIGN_OR_RETURN(text_, TextTower::Create(small_, max_tokens, workspace_.get()));
  return OkStatus();
}

void SelfTestMaker::OnWordRow(size_t row, std::span<const float> numbers) {
  const auto place = std::lower_bound(rows_.begin(), rows_.end(), static_cast<int32_t>(row));
  if (place == rows_.end() || static_cast<size_t>(*place) != row) return;
  std::copy(numbers.begin(), numbers.end(),
            words_.begin() + (place - rows_.begin()) * static_cast<ptrdiff_t>(numbers.size()));
}

Status SelfTestMaker::OnWordsEnd() {
  if (ids_.empty()) return OkStatus();
  CLIPGLOT_RETURN_IF_ERROR(BeginTexts(WeightFormat::kF32, text_states_[0]));
  return ways() == 1 ? OkStatus() : BeginTexts(config_.format, text_states_[1]);
}

// The texts after the embeddings, with words stored as `format`.
Status SelfTestMaker::BeginTexts(WeightFormat format, std::vector<std::vector<float>>& states) {
  ModelConfig config = config_;
  config.text = small_;
  PartData part = TextEmbeddings();
  for (const Slot& slot : ListSlots(config, {PartKind::kTextEmbeddings, 0}, part)) {
    if (slot.matrix == nullptr) continue;
    CLIPGLOT_RETURN_IF_ERROR(AllocateSlot(slot, format));
    for (size_t row = 0; row < slot.rows; ++row) {
      StoreRow(slot, row * slot.columns,
               std::span<const float>(words_).subspan(row * slot.columns, slot.columns));
    }
  }
  TextEmbeddings& embeddings = *std::get_if<TextEmbeddings>(&part);
  embeddings.token_type = token_type_;
  embeddings.norm = {norm_weight_, norm_bias_};
  CLIPGLOT_RETURN_IF_ERROR(text_->SetEmbeddings(std::move(embeddings)));
  for (size_t i = 0; i < ids_.size(); ++i)
    CLIPGLOT_RETURN_IF_ERROR(text_->Begin(ids_[i], states[i]));
  return OkStatus();
}

Status SelfTestMaker::OnPart(PartId id, const PartData& exact, const PartData& kept) {
  if (PartTower(id) == "vision") text_.reset();
  for (size_t way = 0; way < ways(); ++way)
    CLIPGLOT_RETURN_IF_ERROR(Advance(id, way == 0 ? exact : kept, way));
  return OkStatus();
}

Status SelfTestMaker::Advance(PartId id, const PartData& part, size_t way) {
  std::vector<float>& image = image_state_[way];
  return std::visit(
      Overloaded{
          [&](const TextEmbeddings& embeddings) {
            if (way > 0) return OkStatus();  // vectors are float32 in every format
            token_type_ = embeddings.token_type;
            norm_weight_ = embeddings.norm.weight;
            norm_bias_ = embeddings.norm.bias;
            return OkStatus();
          },
          [&](const TextLayer& layer) { return OnTextLayer(id.index, layer, text_states_[way]); },
          [&](const VisionStem& stem) { return OnVisionStem(stem, image); },
          [&](const VisionLayer& layer) -> Status {
            CLIPGLOT_ASSIGN_OR_RETURN(const PatchGrid* grid, NeedVision());
            return vision_->Apply(*grid, layer, image);
          },
          [&](const VisionNorm& last) { return OnVisionNorm(last.norm, image); }},
      part);
}

Status SelfTestMaker::OnTextLayer(size_t index, const TextLayer& part,
                                  std::vector<std::vector<float>>& states) {
  if (ids_.empty()) return OkStatus();
  CLIPGLOT_RETURN_IF_ERROR(text_->Apply(part, states));
  if (index + 1 < config_.text.layers) return OkStatus();
  for (std::vector<float>& state : states) {
    std::vector<float> pooled(config_.text.hidden_size);
    CLIPGLOT_RETURN_IF_ERROR(text_->End(state, pooled));
    state = std::move(pooled);
  }
  return OkStatus();
}

// Patches of the picture, a side.
size_t SelfTestMaker::Patches() const {
  return test_.image && test_.image->patches > 0 ? test_.image->patches : config_.vision.grid();
}

Result<const PatchGrid*> SelfTestMaker::NeedVision() {
  if (!vision_) {
    CLIPGLOT_ASSIGN_OR_RETURN(vision_, VisionTower::Create(config_.vision, workspace_.get()));
  }
  return vision_->Sampled(Patches());
}

Status SelfTestMaker::OnVisionStem(const VisionStem& part, std::vector<float>& state) {
  CLIPGLOT_RETURN_IF_ERROR(NeedVision().status());
  // Copied: SetStem takes ownership, and the part is only borrowed.
  VisionStem stem;
  const std::pair<const Matrix*, Matrix*> matrices[] = {{&part.patch.weight, &stem.patch.weight},
                                                        {&part.positions, &stem.positions}};
  for (const auto& [from, to] : matrices) {
    to->format = from->format;
    to->rows = from->rows;
    to->columns = from->columns;
    CLIPGLOT_ASSIGN_OR_RETURN(
        to->values, AlignedBuffer::TryAllocate(from->values.size(), "the picture's stem"));
    std::copy(from->values.bytes().begin(), from->values.bytes().end(), to->values.bytes().begin());
  }
  stem.patch.bias = part.patch.bias;
  stem.cls_token = part.cls_token;
  CLIPGLOT_RETURN_IF_ERROR(vision_->SetStem(std::move(stem)));

  const SelfTest::Image& picture = *test_.image;
  CLIPGLOT_ASSIGN_OR_RETURN(
      const RgbImage image,
      ImageFromRgba(picture.Rgba(), picture.width, picture.height, picture.width * picture.height));
  CLIPGLOT_ASSIGN_OR_RETURN(const RgbImage crop, ResizeAndCrop(image, config_.preprocess.size));
  std::vector<float> pixels(3 * crop.width * crop.height);
  NormalizePixels(crop, config_.preprocess, pixels);
  CLIPGLOT_ASSIGN_OR_RETURN(const PatchGrid* grid, NeedVision());  // with the stem's positions
  return vision_->Begin(*grid, pixels, state);
}

Status SelfTestMaker::OnVisionNorm(const NormWeights& norm, std::vector<float>& state) {
  CLIPGLOT_RETURN_IF_ERROR(NeedVision().status());
  const size_t width = config_.vision.width;
  if (state.size() < width) return Status(Code::kInvalidArgument, "a state of no image");
  std::vector<float> vector(width);
  vision_->End(norm, state, vector);
  state = std::move(vector);
  return OkStatus();
}

Result<SelfTest> SelfTestMaker::Finish() const {
  SelfTest test = test_;
  const auto take = [&](std::span<const float> exact, std::span<const float> kept,
                        std::vector<float>& vector) -> Status {
    if (exact.size() != config_.dimensions || (ways() > 1 && kept.size() != config_.dimensions))
      return Status(Code::kInternal, "the self-test was not computed to its end");
    CLIPGLOT_ASSIGN_OR_RETURN(vector, UnitVector(exact));
    if (ways() > 1) test.reached = std::min(test.reached, Cosine(exact, kept));
    return OkStatus();
  };
  for (size_t i = 0; i < test.texts.size(); ++i) {
    CLIPGLOT_RETURN_IF_ERROR(take(text_states_[0][i], text_states_[1][i], test.texts[i].vector));
  }
  if (test.image)
    CLIPGLOT_RETURN_IF_ERROR(take(image_state_[0], image_state_[1], test.image->vector));
  test.min_cosine = MinCosine(config_.format);
  if (ways() > 1)
    test.min_cosine = std::max(0.0, std::min(test.min_cosine, test.reached - kMargin));
  return test;
}

std::vector<std::vector<float>*> SelfTestMaker::Kept() {
  std::vector<std::vector<float>*> kept = {&token_type_, &norm_weight_, &norm_bias_, &words_};
  for (auto& states : text_states_) {
    for (std::vector<float>& state : states) kept.push_back(&state);
  }
  for (std::vector<float>& state : image_state_) kept.push_back(&state);
  return kept;
}

std::vector<std::span<const float>> SelfTestMaker::Save() const {
  std::vector<std::span<const float>> saved;
  for (const std::vector<float>* numbers : const_cast<SelfTestMaker*>(this)->Kept())
    saved.emplace_back(*numbers);
  return saved;
}

Status SelfTestMaker::Restore(std::vector<std::vector<float>> saved) {
  const Status wrong(Code::kInvalidArgument, "the saved state is not of this model");
  const std::vector<std::vector<float>*> kept = Kept();
  if (saved.size() != kept.size() || saved[3].size() != words_.size()) return wrong;
  // Each is empty (not begun), complete, or pooled.
  const size_t hidden = config_.text.hidden_size, width = config_.vision.width;
  for (size_t i = 0; i < 3; ++i) {
    if (!saved[i].empty() && saved[i].size() != hidden) return wrong;
  }
  for (size_t i = 4; i < saved.size(); ++i) {
    const size_t size = saved[i].size(), text = (i - 4) % std::max<size_t>(ids_.size(), 1);
    const bool image = i >= 4 + 2 * ids_.size();
    const size_t whole = image ? (1 + Patches() * Patches()) * width : ids_[text].size() * hidden;
    if (size != 0 && size != whole && size != (image ? width : hidden)) return wrong;
  }
  for (size_t i = 0; i < saved.size(); ++i) *kept[i] = std::move(saved[i]);
  return OkStatus();
}

}  // namespace clipglot
