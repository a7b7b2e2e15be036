// Computes the vectors of a pack's self-test while the pack is made: layer by layer as the parts
// arrive, so that no tower is ever whole in memory. Each input is computed twice, in float32 and in
// the pack's own format; the first gives the stored vectors, the second the cosine that a sound
// engine reaches.
//
// Takes: the parts in the order of ModelSink, each in both formats. Gives: a SelfTest. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/self_test.h"
#include "nn/nn.h"
#include "text/text_tower.h"
#include "vision/vision_tower.h"
#include "weights/model_layout.h"

namespace clipglot {

class SelfTestMaker {
 public:
  // `config`: its dtype is the pack's. `threads`: as Workspace::Create. Errors: kOutOfMemory, those
  // of the workspace.
  static Result<std::unique_ptr<SelfTestMaker>> Create(const ModelConfig& config, bool text,
                                                       bool vision, size_t threads);

  Status OnTokenizer(std::string_view name, std::span<const std::byte> file);
  // `row`: of the word embedding, in float32.
  void OnWordRow(size_t row, std::span<const float> numbers);
  // After the last row.
  Status OnWordsEnd();
  // `exact`: the part in float32, `kept`: in the pack's format (the same object for a pack of
  // float32). The first part (text embeddings) comes without words.
  Status OnPart(PartId id, const PartData& exact, const PartData& kept);

  // After the last part.
  Result<SelfTest> Finish() const;

  // Everything that was computed so far, to continue later in another object of the same
  // configuration (after OnTokenizer). Errors: kInvalidArgument when the values are not of this
  // model.
  std::vector<std::span<const float>> Save() const;
  Status Restore(std::vector<std::vector<float>> saved);

 private:
  SelfTestMaker(const ModelConfig& config, bool text, bool vision,
                std::unique_ptr<Workspace> workspace);
  size_t ways() const { return config_.format == WeightFormat::kF32 ? 1 : 2; }
  // One step of OnPart, in one of the ways().
  Status Advance(PartId id, const PartData& part, size_t way);
  Status BeginTexts(WeightFormat format, std::vector<std::vector<float>>& states);
  Status OnTextLayer(size_t index, const TextLayer& part, std::vector<std::vector<float>>& states);
  size_t Patches() const;
  // The tower, made when it is first needed (which may be after Restore), and the patches it reads.
  Result<const PatchGrid*> NeedVision();
  Status OnVisionStem(const VisionStem& part, std::vector<float>& state);
  Status OnVisionNorm(const NormWeights& norm, std::vector<float>& state);
  std::vector<std::vector<float>*> Kept();

  const ModelConfig config_;
  SelfTest test_;  // the inputs
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<TextTower> text_;
  std::unique_ptr<VisionTower> vision_;
  TextConfig small_;                       // of text_: a vocabulary of the words that are needed
  std::vector<std::vector<int32_t>> ids_;  // of each text, in the small vocabulary
  std::vector<int32_t> rows_;              // of the word embedding, ascending: the small vocabulary

  // What Save keeps. A state is [tokens · hidden] between layers, and the pooled vector at the end.
  std::vector<float> token_type_, norm_weight_, norm_bias_;
  std::vector<float> words_;  // [rows_, hidden]
  std::vector<std::vector<float>>
      text_states_[2];  // one of each text: in float32, in the pack's format
  std::vector<float> image_state_[2];
};

}  // namespace clipglot
