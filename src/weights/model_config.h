// The model's configuration, read strictly from upstream's small files (config.json,
// preprocessor_config.json) or from a pack's manifest that carries the same objects.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "base/weight_format.h"

namespace clipglot {

// Jina XLM-RoBERTa. Defaults are those of the base model jinaai/jina-embeddings-v3, which upstream
// merges with text_config.hf_model_config_kwargs.
struct TextConfig {
  size_t vocab_size = 250002;
  size_t hidden_size = 1024;
  size_t layers = 24;
  size_t heads = 16;
  size_t intermediate_size = 4096;
  size_t max_position_embeddings = 8194;
  double layer_norm_eps = 1e-5;
  double rotary_base = 20000.0;
  int32_t pad_id = 1, bos_id = 0, eos_id = 2;
  // The adapter that upstream always applies; rank 0 when the checkpoint has none.
  size_t lora_rank = 0;
  double lora_scale = 0.0;   // alpha / rank
  size_t lora_adapters = 0;  // adapters stored; `lora_index` is the one applied
  size_t lora_index = 0;
  // task_instructions["retrieval.query"]: put before the text when the task is "retrieval.query".
  // Empty when unknown.
  std::string query_instruction;

  size_t head_dim() const { return hidden_size / heads; }
};

// EVA02. Sizes in pixels.
struct VisionConfig {
  size_t width = 1024;
  size_t head_width = 64;
  size_t layers = 24;
  size_t image_size = 512;
  size_t patch_size = 14;
  size_t mlp_hidden = 2730;      // int(width · mlp_ratio)
  size_t rope_reference = 16;    // pt_hw_seq_len
  bool rope_interpolate = true;  // intp_freq
  double layer_norm_eps = 1e-6;
  double rotary_base = 10000.0;

  size_t heads() const { return width / head_width; }
  size_t grid() const {
    return image_size / patch_size;
  }  // rounded down: the rest of the pixels is never read
  size_t tokens() const { return 1 + grid() * grid(); }
};

// Pixels: resize so that the shorter side is `size` (bicubic), centre crop, (x/255 - mean) / std.
struct PreprocessConfig {
  size_t size = 512;
  std::array<float, 3> mean{}, std{};
};

struct ModelConfig {
  TextConfig text;
  VisionConfig vision;
  PreprocessConfig preprocess;
  size_t dimensions = 1024;                   // length of a full vector
  std::vector<size_t> matryoshka_dimensions;  // trained truncations, ascending
  // From a pack's manifest; empty or "unknown" for an upstream folder.
  std::string model_id, revision, license;
  // Of the linear layers and the vocabulary table, chosen for this load. kF32 is the judge.
  WeightFormat format = WeightFormat::kF32;
  Json self_test;  // of a pack's manifest, not looked at here; missing where there is none
};

// `config`: parsed config.json. `preprocessor`: parsed preprocessor_config.json. Every size is
// bounded and checked for consistency (hidden divisible by heads, even head width, both towers of
// the same length, ...); a structure that this engine would compute differently from upstream
// (another activation, pooler, projection, resize mode ...) is refused. Errors: kCorruptModel
// (missing, of another kind or absurd), kUnsupportedModel (known but not built), each naming the
// key.
Result<ModelConfig> ParseModelConfig(const Json& config, const Json& preprocessor);

}  // namespace clipglot
