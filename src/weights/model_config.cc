#include "weights/model_config.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "base/strings.h"

namespace clipglot {
namespace {

// Limits of sizes from outside. Far above any model of this family, far below what would overflow.
constexpr int64_t kMaxVocab = 4'000'000;
constexpr int64_t kMaxHidden = 8192;
constexpr int64_t kMaxIntermediate = 32768;
constexpr int64_t kMaxLayers = 128;
constexpr int64_t kMaxPositions = 1 << 20;
constexpr int64_t kMaxImageSize = 4096;
constexpr int64_t kMaxPatchSize = 256;
constexpr int64_t kMaxGrid = 256;
constexpr int64_t kMaxRank = 256;
constexpr size_t kMaxAdapters = 64;
constexpr size_t kMaxDimensions = 64;
constexpr size_t kMaxInstruction = 4096;

// What jinaai/jina-embeddings-v3's own configuration gives where hf_model_config_kwargs is silent.
constexpr std::string_view kBaseAdapters[] = {"retrieval.query", "retrieval.passage", "separation",
                                              "classification", "text-matching"};
constexpr int64_t kBaseLoraRank = 4;
constexpr double kBaseLoraAlpha = 1.0;

Status Unsupported(const Json& json, std::string_view problem) {
  return Status(Code::kUnsupportedModel, StrCat(json.Path(), ": ", problem));
}

Result<size_t> InRange(const Json& json, int64_t value, int64_t lowest, int64_t highest) {
  if (value < lowest || value > highest) {
    return json.Error(StrCat(value, " is outside ", lowest, " ... ", highest));
  }
  return static_cast<size_t>(value);
}

// A size that must be there.
Result<size_t> Size(const Json& json, int64_t lowest, int64_t highest) {
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t value, json.AsInt());
  return InRange(json, value, lowest, highest);
}

Result<size_t> SizeOr(const Json& json, size_t fallback, int64_t lowest, int64_t highest) {
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t value, json.AsIntOr(static_cast<int64_t>(fallback)));
  return InRange(json, value, lowest, highest);
}

// A real number in (0, highest].
Result<double> PositiveOr(const Json& json, double fallback, double highest) {
  CLIPGLOT_ASSIGN_OR_RETURN(const double value, json.AsDoubleOr(fallback));
  if (!(value > 0 && value <= highest))
    return json.Error("the number is not positive or too large");
  return value;
}

// Only `only` is built. A missing flag has upstream's default, `missing`.
Status RequireFlag(const Json& json, bool only, bool missing) {
  CLIPGLOT_ASSIGN_OR_RETURN(const bool value, json.AsBoolOr(missing));
  if (value != only)
    return Unsupported(json, only ? "false is not supported" : "true is not supported");
  return OkStatus();
}

Status RequireNull(const Json& json) {
  if (json.exists() && !json.is_null()) return Unsupported(json, "only null is supported");
  return OkStatus();
}

// Only `only` is built; missing means the same.
Status RequireText(const Json& json, std::string_view only) {
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string value, json.AsStringOr(std::string(only)));
  if (value != only)
    return Unsupported(
        json, StrCat("\"", Printable(value, 40), "\" is not supported, only \"", only, "\""));
  return OkStatus();
}

// The adapter that upstream applies to every text: default_lora_task's place in lora_adaptations.
Status ParseAdapter(const Json& text, const Json& model, TextConfig& config) {
  const Json adaptations = model["lora_adaptations"], task = text["default_lora_task"];
  std::vector<std::string> names;
  if (!adaptations.exists()) {
    names.assign(std::begin(kBaseAdapters), std::end(kBaseAdapters));
  } else if (!adaptations.is_null()) {
    if (!adaptations.is_array()) return adaptations.Error("a list of adapter names is expected");
    if (adaptations.size() > kMaxAdapters) return adaptations.Error("more than 64 adapters");
    for (size_t i = 0; i < adaptations.size(); ++i) {
      CLIPGLOT_ASSIGN_OR_RETURN(std::string name, adaptations.At(i).AsString());
      names.push_back(std::move(name));
    }
  }
  CLIPGLOT_ASSIGN_OR_RETURN(const std::string chosen, task.AsStringOr(""));
  if (names.empty()) {
    if (!chosen.empty())
      return task.Error(StrCat("no adapter ", Printable(chosen), ": lora_adaptations is empty"));
    return OkStatus();
  }
  if (chosen.empty()) return Unsupported(task, "adapters without a default one are not supported");
  const auto found = std::find(names.begin(), names.end(), chosen);
  if (found == names.end()) return task.Error(StrCat("unknown adapter ", Printable(chosen)));
  config.lora_adapters = names.size();
  config.lora_index = static_cast<size_t>(found - names.begin());
  CLIPGLOT_ASSIGN_OR_RETURN(config.lora_rank,
                            SizeOr(model["lora_rank"], kBaseLoraRank, 1, kMaxRank));
  CLIPGLOT_ASSIGN_OR_RETURN(const double alpha, model["lora_alpha"].AsDoubleOr(kBaseLoraAlpha));
  if (std::abs(alpha) > 1e6) return model["lora_alpha"].Error("the number is too large");
  config.lora_scale = alpha / static_cast<double>(config.lora_rank);
  return OkStatus();
}

Result<TextConfig> ParseText(const Json& text) {
  if (!text.is_object()) return text.Error("an object is expected");
  CLIPGLOT_RETURN_IF_ERROR(RequireText(text["pooler_type"], "mean_pooler"));
  CLIPGLOT_RETURN_IF_ERROR(RequireNull(text["proj_type"]));
  CLIPGLOT_RETURN_IF_ERROR(RequireNull(text["default_instruction_task"]));
  const Json model = text["hf_model_config_kwargs"];
  if (model.exists() && !model.is_null() && !model.is_object())
    return model.Error("an object is expected");
  CLIPGLOT_RETURN_IF_ERROR(RequireText(model["hidden_act"], "gelu"));
  CLIPGLOT_RETURN_IF_ERROR(RequireText(model["position_embedding_type"], "rotary"));
  CLIPGLOT_ASSIGN_OR_RETURN(const int64_t types, model["type_vocab_size"].AsIntOr(1));
  if (types != 1) return Unsupported(model["type_vocab_size"], "only one token type is supported");

  TextConfig config;
  CLIPGLOT_ASSIGN_OR_RETURN(config.vocab_size,
                            SizeOr(model["vocab_size"], config.vocab_size, 4, kMaxVocab));
  CLIPGLOT_ASSIGN_OR_RETURN(config.hidden_size,
                            SizeOr(model["hidden_size"], config.hidden_size, 2, kMaxHidden));
  CLIPGLOT_ASSIGN_OR_RETURN(config.layers,
                            SizeOr(model["num_hidden_layers"], config.layers, 1, kMaxLayers));
  CLIPGLOT_ASSIGN_OR_RETURN(config.heads,
                            SizeOr(model["num_attention_heads"], config.heads, 1, kMaxHidden));
  CLIPGLOT_ASSIGN_OR_RETURN(
      config.intermediate_size,
      SizeOr(model["intermediate_size"], config.intermediate_size, 1, kMaxIntermediate));
  CLIPGLOT_ASSIGN_OR_RETURN(
      config.max_position_embeddings,
      SizeOr(model["max_position_embeddings"], config.max_position_embeddings, 2, kMaxPositions));
  CLIPGLOT_ASSIGN_OR_RETURN(config.layer_norm_eps,
                            PositiveOr(model["layer_norm_eps"], config.layer_norm_eps, 0.1));
  CLIPGLOT_ASSIGN_OR_RETURN(config.rotary_base,
                            PositiveOr(model["rotary_emb_base"], config.rotary_base, 1e9));
  const struct {
    const char* key;
    int32_t* id;
  } ids[] = {{"pad_token_id", &config.pad_id},
             {"bos_token_id", &config.bos_id},
             {"eos_token_id", &config.eos_id}};
  for (const auto& [key, id] : ids) {
    CLIPGLOT_ASSIGN_OR_RETURN(const size_t value,
                              SizeOr(model[key], static_cast<size_t>(*id), 0,
                                     static_cast<int64_t>(config.vocab_size) - 1));
    *id = static_cast<int32_t>(value);
  }
  if (config.hidden_size % config.heads != 0) {
    return model["num_attention_heads"].Error(
        StrCat(config.heads, " heads do not divide the hidden size ", config.hidden_size));
  }
  if (config.head_dim() % 2 != 0 || config.head_dim() > kMaxHeadDim) {
    return model["num_attention_heads"].Error(StrCat(
        "heads are ", config.head_dim(), " wide; even and at most ", kMaxHeadDim, " is expected"));
  }
  CLIPGLOT_ASSIGN_OR_RETURN(const size_t embed_dim, Size(text["embed_dim"], 1, kMaxHidden));
  if (embed_dim != config.hidden_size) {
    return text["embed_dim"].Error(
        StrCat(embed_dim, " is not the hidden size ", config.hidden_size));
  }
  CLIPGLOT_RETURN_IF_ERROR(ParseAdapter(text, model, config));
  CLIPGLOT_ASSIGN_OR_RETURN(config.query_instruction,
                            model["task_instructions"]["retrieval.query"].AsStringOr(""));
  if (config.query_instruction.size() > kMaxInstruction) {
    return model["task_instructions"]["retrieval.query"].Error("longer than 4096 bytes");
  }
  return config;
}

Result<VisionConfig> ParseVision(const Json& vision) {
  if (!vision.is_object()) return vision.Error("an object is expected");
  CLIPGLOT_RETURN_IF_ERROR(RequireNull(vision["proj_type"]));
  CLIPGLOT_RETURN_IF_ERROR(RequireNull(vision["ls_init_value"]));
  CLIPGLOT_RETURN_IF_ERROR(RequireFlag(vision["post_norm"], false, false));
  CLIPGLOT_RETURN_IF_ERROR(RequireFlag(vision["rope_embeddings"], true, false));
  CLIPGLOT_RETURN_IF_ERROR(RequireFlag(vision["subln"], true, false));
  CLIPGLOT_RETURN_IF_ERROR(RequireFlag(vision["naive_swiglu"], true, false));
  CLIPGLOT_RETURN_IF_ERROR(RequireFlag(vision["qkv_bias"], true, true));

  VisionConfig config;
  CLIPGLOT_ASSIGN_OR_RETURN(config.width, Size(vision["width"], 4, kMaxHidden));
  CLIPGLOT_ASSIGN_OR_RETURN(config.head_width,
                            SizeOr(vision["head_width"], config.head_width, 4, kMaxHeadDim));
  CLIPGLOT_ASSIGN_OR_RETURN(config.layers, Size(vision["layers"], 1, kMaxLayers));
  CLIPGLOT_ASSIGN_OR_RETURN(config.image_size, Size(vision["image_size"], 1, kMaxImageSize));
  CLIPGLOT_ASSIGN_OR_RETURN(config.patch_size, Size(vision["patch_size"], 1, kMaxPatchSize));
  CLIPGLOT_ASSIGN_OR_RETURN(config.rope_reference, SizeOr(vision["pt_hw_seq_len"],
                                                          config.rope_reference, 1, kMaxImageSize));
  CLIPGLOT_ASSIGN_OR_RETURN(config.rope_interpolate, vision["intp_freq"].AsBoolOr(false));
  // 2-D rotary: rows and columns take half the channels each, in pairs.
  if (config.width % config.head_width != 0 || config.head_width % 4 != 0) {
    return vision["head_width"].Error(
        StrCat(config.head_width, " is not a multiple of 4 that divides the width ", config.width));
  }
  if (config.patch_size > config.image_size || config.grid() > kMaxGrid) {
    return vision["patch_size"].Error(StrCat("image of ", config.image_size, " with patches of ",
                                             config.patch_size, " pixels; 1 to ", kMaxGrid,
                                             " patches a side are expected"));
  }
  // int(width * mlp_ratio), in double as Python computes it.
  CLIPGLOT_ASSIGN_OR_RETURN(const double ratio, vision["mlp_ratio"].AsDouble());
  const double hidden = static_cast<double>(config.width) * ratio;
  if (!(hidden >= 1 && hidden <= kMaxIntermediate))
    return vision["mlp_ratio"].Error("the hidden size is out of range");
  config.mlp_hidden = static_cast<size_t>(hidden);
  CLIPGLOT_ASSIGN_OR_RETURN(const size_t embed_dim, Size(vision["embed_dim"], 1, kMaxHidden));
  if (embed_dim != config.width) {
    return vision["embed_dim"].Error(StrCat(embed_dim, " is not the width ", config.width));
  }
  return config;
}

Result<PreprocessConfig> ParsePreprocess(const Json& preprocessor, const VisionConfig& vision) {
  if (!preprocessor.is_object()) return preprocessor.Error("an object is expected");
  CLIPGLOT_RETURN_IF_ERROR(RequireText(preprocessor["resize_mode"], "shortest"));
  CLIPGLOT_RETURN_IF_ERROR(RequireText(preprocessor["interpolation"], "bicubic"));
  PreprocessConfig config;
  CLIPGLOT_ASSIGN_OR_RETURN(config.size, Size(preprocessor["size"], 1, kMaxImageSize));
  if (config.size != vision.image_size) {
    return preprocessor["size"].Error(
        StrCat(config.size, " is not the image size ", vision.image_size));
  }
  const struct {
    const char* key;
    std::array<float, 3>* values;
  } lists[] = {{"mean", &config.mean}, {"std", &config.std}};
  for (const auto& [key, values] : lists) {
    const Json list = preprocessor[key];
    if (!list.is_array() || list.size() != values->size())
      return list.Error("a list of 3 numbers is expected");
    for (size_t i = 0; i < values->size(); ++i) {
      CLIPGLOT_ASSIGN_OR_RETURN(const double value, list.At(i).AsDouble());
      if (std::abs(value) > 1e3) return list.At(i).Error("the number is too large");
      (*values)[i] = static_cast<float>(value);
      if (values == &config.std && !((*values)[i] >= 1e-6f))
        return list.At(i).Error("the number is not positive");
    }
  }
  return config;
}

Status ParseDimensions(const Json& list, ModelConfig& config) {
  if (list.exists() && !list.is_null() && !list.is_array()) return list.Error("a list is expected");
  if (list.size() > kMaxDimensions) return list.Error("more than 64 lengths");
  std::vector<size_t>& dimensions = config.matryoshka_dimensions;
  for (size_t i = 0; i < list.size(); ++i) {
    CLIPGLOT_ASSIGN_OR_RETURN(const size_t value,
                              Size(list.At(i), 1, static_cast<int64_t>(config.dimensions)));
    dimensions.push_back(value);
  }
  dimensions.push_back(config.dimensions);
  std::sort(dimensions.begin(), dimensions.end());
  dimensions.erase(std::unique(dimensions.begin(), dimensions.end()), dimensions.end());
  return OkStatus();
}

}  // namespace

Result<ModelConfig> ParseModelConfig(const Json& config, const Json& preprocessor) {
  if (!config.is_object()) return config.Error("an object is expected");
  CLIPGLOT_RETURN_IF_ERROR(RequireText(config["model_type"], "jina_clip"));
  CLIPGLOT_RETURN_IF_ERROR(RequireFlag(config["add_projections"], false, false));
  CLIPGLOT_RETURN_IF_ERROR(RequireNull(config["truncate_dim"]));
  ModelConfig model;
  CLIPGLOT_ASSIGN_OR_RETURN(model.text, ParseText(config["text_config"]));
  CLIPGLOT_ASSIGN_OR_RETURN(model.vision, ParseVision(config["vision_config"]));
  CLIPGLOT_ASSIGN_OR_RETURN(model.preprocess, ParsePreprocess(preprocessor, model.vision));
  if (model.text.hidden_size != model.vision.width) {
    return config["vision_config"]["width"].Error(StrCat(
        model.vision.width, " is not the text tower's hidden size ", model.text.hidden_size));
  }
  model.dimensions = model.text.hidden_size;
  CLIPGLOT_RETURN_IF_ERROR(ParseDimensions(config["matryoshka_dimensions"], model));
  model.model_id = model.revision = model.license = "unknown";
  return model;
}

}  // namespace clipglot
