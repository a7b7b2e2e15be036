#include "weights/model_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "weights/model_files.h"
#include "weights/model_layout.h"

namespace clipglot {
namespace {

using nlohmann::json;

// The published config.json of jina-clip-v2, key for key; the text tower's sizes are not in it.
json JinaConfig() {
  return json::parse(R"({
    "add_projections": false, "architectures": ["JinaCLIPModel"],
    "auto_map": {"AutoConfig": "jinaai/jina-clip-implementation--configuration_clip.JinaCLIPConfig",
                 "AutoModel": "jinaai/jina-clip-implementation--modeling_clip.JinaCLIPModel"},
    "initializer_factor": 1.0, "logit_scale_init_value": 2.6592,
    "matryoshka_dimensions": [32, 64, 128, 256, 512, 768, 1024], "model_type": "jina_clip", "projection_dim": 1024,
    "text_config": {
      "default_instruction_task": null, "default_lora_task": "retrieval.query", "embed_dim": 1024,
      "hf_model_config_kwargs": {
        "load_trained_adapters": false, "lora_adaptations": ["retrieval.query"], "lora_alpha": 4,
        "lora_dropout_p": 0.0, "lora_main_params_trainable": false, "lora_rank": 4,
        "task_instructions": {"retrieval.query": "Represent the query for retrieving evidence documents: "},
        "use_flash_attn": true},
      "hf_model_name_or_path": "jinaai/jina-embeddings-v3", "model_type": "jina_clip_text",
      "pooler_type": "mean_pooler", "proj_bias": false, "proj_type": null},
    "torch_dtype": "bfloat16", "transformers.js_config": {"use_external_data_format": {"model.onnx": true}},
    "truncate_dim": null, "use_text_flash_attn": null, "use_vision_xformers": null,
    "vision_config": {
      "embed_dim": 1024, "fused_layer_norm": false, "head_width": 64, "image_size": 512, "intp_freq": true,
      "layers": 24, "ls_init_value": null, "mlp_ratio": 2.6667, "model_type": "jina_clip_vision",
      "naive_swiglu": true, "patch_dropout": 0.1, "patch_size": 14, "post_norm": false, "proj_type": null,
      "pt_hw_seq_len": 16, "qkv_bias": true, "rope_embeddings": true, "subln": true, "width": 1024,
      "x_attention": true}})");
}

json JinaPreprocessor() {
  return json::parse(
      R"({"fill_color": 0, "image_processor_type": "JinaCLIPImageProcessor", "interpolation": "bicubic",
    "mean": [0.48145466, 0.4578275, 0.40821073], "processor_class": "JinaCLIPProcessor", "resize_mode": "shortest",
    "size": 512, "std": [0.26862954, 0.26130258, 0.27577711]})");
}

Result<ModelConfig> Parse(const json& config, const json& preprocessor) {
  const auto parsed = Json::Parse(config.dump(), "config.json");
  const auto parsed_preprocessor = Json::Parse(preprocessor.dump(), "preprocessor_config.json");
  EXPECT_TRUE(parsed.ok() && parsed_preprocessor.ok());
  return ParseModelConfig(*parsed, *parsed_preprocessor);
}

TEST(ModelConfig, ReadsThePublishedFiles) {
  const auto config = Parse(JinaConfig(), JinaPreprocessor());
  ASSERT_TRUE(config.ok()) << config.status().detail();
  const TextConfig& text = config->text;
  EXPECT_EQ(text.vocab_size, 250002u);
  EXPECT_EQ(text.hidden_size, 1024u);
  EXPECT_EQ(text.layers, 24u);
  EXPECT_EQ(text.heads, 16u);
  EXPECT_EQ(text.head_dim(), 64u);
  EXPECT_EQ(text.intermediate_size, 4096u);
  EXPECT_EQ(text.layer_norm_eps, 1e-5);
  EXPECT_EQ(text.rotary_base, 20000.0);
  EXPECT_EQ(text.pad_id, 1);
  EXPECT_EQ(text.bos_id, 0);
  EXPECT_EQ(text.eos_id, 2);
  EXPECT_EQ(text.lora_rank, 4u);
  EXPECT_EQ(text.lora_scale, 1.0);
  EXPECT_EQ(text.lora_adapters, 1u);
  EXPECT_EQ(text.lora_index, 0u);
  EXPECT_EQ(text.query_instruction, "Represent the query for retrieving evidence documents: ");
  const VisionConfig& vision = config->vision;
  EXPECT_EQ(vision.heads(), 16u);
  EXPECT_EQ(vision.grid(), 36u);
  EXPECT_EQ(vision.tokens(), 1297u);
  EXPECT_EQ(vision.mlp_hidden, 2730u);
  EXPECT_EQ(vision.rope_reference, 16u);
  EXPECT_TRUE(vision.rope_interpolate);
  EXPECT_EQ(vision.layer_norm_eps, 1e-6);
  EXPECT_EQ(config->preprocess.size, 512u);
  EXPECT_FLOAT_EQ(config->preprocess.std[2], 0.27577711f);
  EXPECT_EQ(config->dimensions, 1024u);
  EXPECT_EQ(config->matryoshka_dimensions, (std::vector<size_t>{32, 64, 128, 256, 512, 768, 1024}));
}

TEST(ModelConfig, GivesThePublishedTensors) {
  const auto config = Parse(JinaConfig(), JinaPreprocessor());
  ASSERT_TRUE(config.ok()) << config.status().detail();
  const auto tensors = ListCheckpointTensors(*config);
  EXPECT_EQ(tensors.size() + 1, 999u) << "logit_scale is the one that is not listed";
  uint64_t parameters = 0, text = 0, adapters = 0;
  std::map<std::string, std::vector<uint64_t>> shapes;
  for (const ExpectedTensor& tensor : tensors) {
    uint64_t count = 1;
    for (const uint64_t size : tensor.shape) count *= size;
    parameters += count;
    if (tensor.name.starts_with("text_model.")) text += count;
    if (tensor.name.find(".lora_") != std::string::npos) adapters += count;
    EXPECT_TRUE(shapes.emplace(tensor.name, tensor.shape).second) << tensor.name << " twice";
  }
  EXPECT_EQ(parameters, 865'278'476u);
  EXPECT_EQ(text, 560'895'564u);
  EXPECT_EQ(adapters, 2'581'068u);
  using Shape = std::vector<uint64_t>;
  const std::string roberta = "text_model.transformer.roberta.";
  EXPECT_EQ(shapes.at(roberta + "embeddings.word_embeddings.parametrizations.weight.original"),
            (Shape{250002, 1024}));
  EXPECT_EQ(shapes.at(roberta + "embeddings.word_embeddings.parametrizations.weight.0.lora_A"),
            (Shape{1, 250002, 4}));
  EXPECT_EQ(
      shapes.at(roberta + "embeddings.token_type_embeddings.parametrizations.weight.0.lora_B"),
      (Shape{1, 4, 1024}));
  EXPECT_EQ(shapes.at(roberta + "encoder.layers.23.mixer.Wqkv.parametrizations.weight.0.lora_A"),
            (Shape{1, 4, 1024}));
  EXPECT_EQ(shapes.at(roberta + "encoder.layers.23.mixer.Wqkv.parametrizations.weight.0.lora_B"),
            (Shape{1, 3072, 4}));
  EXPECT_EQ(shapes.at(roberta + "encoder.layers.0.mlp.fc2.parametrizations.weight.0.lora_A"),
            (Shape{1, 4, 4096}));
  EXPECT_EQ(shapes.at(roberta + "encoder.layers.0.mlp.fc1.bias"), (Shape{4096}));
  EXPECT_EQ(shapes.at("vision_model.pos_embed"), (Shape{1, 1297, 1024}));
  EXPECT_EQ(shapes.at("vision_model.patch_embed.proj.weight"), (Shape{1024, 3, 14, 14}));
  EXPECT_EQ(shapes.at("vision_model.blocks.23.mlp.w3.weight"), (Shape{1024, 2730}));
  EXPECT_EQ(shapes.at("vision_model.blocks.0.attn.q_bias"), (Shape{1024}));
  EXPECT_FALSE(shapes.contains("vision_model.blocks.0.attn.k_bias"));
}

TEST(ModelConfig, TextSizesOverrideTheBaseModels) {
  json config = JinaConfig();
  json& model = config["text_config"]["hf_model_config_kwargs"];
  model["num_hidden_layers"] = 2;
  model["rotary_emb_base"] = 10000.0;
  model["lora_rank"] = 8;
  model["lora_alpha"] = 2;
  model["lora_adaptations"] = {"classification", "retrieval.query", "separation"};
  const auto parsed = Parse(config, JinaPreprocessor());
  ASSERT_TRUE(parsed.ok()) << parsed.status().detail();
  EXPECT_EQ(parsed->text.layers, 2u);
  EXPECT_EQ(parsed->text.rotary_base, 10000.0);
  EXPECT_EQ(parsed->text.lora_rank, 8u);
  EXPECT_EQ(parsed->text.lora_scale, 0.25);
  EXPECT_EQ(parsed->text.lora_adapters, 3u);
  EXPECT_EQ(parsed->text.lora_index, 1u);
  EXPECT_EQ(parsed->text.intermediate_size, 4096u);
}

TEST(ModelConfig, ReadsAModelWithoutAdapters) {
  json config = JinaConfig();
  config["text_config"]["default_lora_task"] = nullptr;
  config["text_config"]["hf_model_config_kwargs"]["lora_adaptations"] = nullptr;
  const auto parsed = Parse(config, JinaPreprocessor());
  ASSERT_TRUE(parsed.ok()) << parsed.status().detail();
  EXPECT_EQ(parsed->text.lora_rank, 0u);
  EXPECT_EQ(ListCheckpointTensors(*parsed).size(), 998u - 2 * (2 + 24 * 4));
}

TEST(ModelConfig, AddsTheFullLengthToTheDimensions) {
  json config = JinaConfig();
  config["matryoshka_dimensions"] = {512, 64, 64};
  EXPECT_EQ(Parse(config, JinaPreprocessor())->matryoshka_dimensions,
            (std::vector<size_t>{64, 512, 1024}));
  config["matryoshka_dimensions"] = nullptr;
  EXPECT_EQ(Parse(config, JinaPreprocessor())->matryoshka_dimensions, (std::vector<size_t>{1024}));
}

struct Refusal {
  const char* path;   // JSON pointer; "pre:" before it means preprocessor_config.json
  const char* value;  // JSON, or "-" to take the member away
  Code code;
  const char* named;  // what the detail must contain
};

constexpr Refusal kRefusals[] = {
    {"/add_projections", "true", Code::kUnsupportedModel, "add_projections"},
    {"/model_type", "\"clip\"", Code::kUnsupportedModel, "model_type"},
    {"/truncate_dim", "64", Code::kUnsupportedModel, "truncate_dim"},
    {"/matryoshka_dimensions", "[2048]", Code::kCorruptModel, "matryoshka_dimensions[0]"},
    {"/matryoshka_dimensions", "[0]", Code::kCorruptModel, "matryoshka_dimensions[0]"},
    {"/matryoshka_dimensions", "{}", Code::kCorruptModel, "matryoshka_dimensions"},
    {"/text_config", "-", Code::kCorruptModel, "text_config"},
    {"/text_config", "[]", Code::kCorruptModel, "text_config"},
    {"/text_config/embed_dim", "-", Code::kCorruptModel, "text_config.embed_dim"},
    {"/text_config/embed_dim", "512", Code::kCorruptModel, "text_config.embed_dim"},
    {"/text_config/pooler_type", "\"cls_pooler\"", Code::kUnsupportedModel,
     "text_config.pooler_type"},
    {"/text_config/proj_type", "\"linear\"", Code::kUnsupportedModel, "text_config.proj_type"},
    {"/text_config/default_instruction_task", "\"retrieval.query\"", Code::kUnsupportedModel,
     "default_instruction_task"},
    {"/text_config/default_lora_task", "\"other\"", Code::kCorruptModel,
     "default_lora_task: unknown adapter other"},
    {"/text_config/default_lora_task", "null", Code::kUnsupportedModel, "default_lora_task"},
    {"/text_config/hf_model_config_kwargs", "7", Code::kCorruptModel, "hf_model_config_kwargs"},
    {"/text_config/hf_model_config_kwargs/lora_adaptations", "[]", Code::kCorruptModel,
     "default_lora_task"},
    {"/text_config/hf_model_config_kwargs/lora_adaptations", "\"x\"", Code::kCorruptModel,
     "lora_adaptations"},
    {"/text_config/hf_model_config_kwargs/lora_rank", "0", Code::kCorruptModel, "lora_rank"},
    {"/text_config/hf_model_config_kwargs/lora_rank", "100000", Code::kCorruptModel, "lora_rank"},
    {"/text_config/hf_model_config_kwargs/lora_alpha", "\"4\"", Code::kCorruptModel, "lora_alpha"},
    {"/text_config/hf_model_config_kwargs/hidden_act", "\"gelu_new\"", Code::kUnsupportedModel,
     "hidden_act"},
    {"/text_config/hf_model_config_kwargs/position_embedding_type", "\"absolute\"",
     Code::kUnsupportedModel, "position_embedding_type"},
    {"/text_config/hf_model_config_kwargs/type_vocab_size", "2", Code::kUnsupportedModel,
     "type_vocab_size"},
    {"/text_config/hf_model_config_kwargs/vocab_size", "5000000", Code::kCorruptModel,
     "vocab_size"},
    {"/text_config/hf_model_config_kwargs/vocab_size", "-1", Code::kCorruptModel, "vocab_size"},
    {"/text_config/hf_model_config_kwargs/vocab_size", "1e300", Code::kCorruptModel, "vocab_size"},
    {"/text_config/hf_model_config_kwargs/hidden_size", "16384", Code::kCorruptModel,
     "hidden_size"},
    {"/text_config/hf_model_config_kwargs/num_hidden_layers", "129", Code::kCorruptModel,
     "num_hidden_layers"},
    {"/text_config/hf_model_config_kwargs/num_attention_heads", "15", Code::kCorruptModel,
     "num_attention_heads"},
    {"/text_config/hf_model_config_kwargs/num_attention_heads", "1024", Code::kCorruptModel,
     "num_attention_heads"},
    {"/text_config/hf_model_config_kwargs/layer_norm_eps", "0", Code::kCorruptModel,
     "layer_norm_eps"},
    {"/text_config/hf_model_config_kwargs/pad_token_id", "250002", Code::kCorruptModel,
     "pad_token_id"},
    {"/vision_config/width", "512", Code::kCorruptModel, "vision_config"},
    {"/vision_config/width", "-", Code::kCorruptModel, "vision_config.width"},
    {"/vision_config/head_width", "60", Code::kCorruptModel, "vision_config.head_width"},
    {"/vision_config/patch_size", "600", Code::kCorruptModel, "vision_config.patch_size"},
    {"/vision_config/patch_size", "1", Code::kCorruptModel, "vision_config.patch_size"},
    {"/vision_config/image_size", "224", Code::kCorruptModel, "size"},
    {"/vision_config/mlp_ratio", "1e9", Code::kCorruptModel, "vision_config.mlp_ratio"},
    {"/vision_config/mlp_ratio", "-1", Code::kCorruptModel, "vision_config.mlp_ratio"},
    {"/vision_config/post_norm", "true", Code::kUnsupportedModel, "vision_config.post_norm"},
    {"/vision_config/rope_embeddings", "false", Code::kUnsupportedModel,
     "vision_config.rope_embeddings"},
    {"/vision_config/rope_embeddings", "-", Code::kUnsupportedModel,
     "vision_config.rope_embeddings"},
    {"/vision_config/subln", "false", Code::kUnsupportedModel, "vision_config.subln"},
    {"/vision_config/naive_swiglu", "false", Code::kUnsupportedModel, "vision_config.naive_swiglu"},
    {"/vision_config/qkv_bias", "false", Code::kUnsupportedModel, "vision_config.qkv_bias"},
    {"/vision_config/ls_init_value", "0.1", Code::kUnsupportedModel, "vision_config.ls_init_value"},
    {"/vision_config/proj_type", "\"linear\"", Code::kUnsupportedModel, "vision_config.proj_type"},
    {"pre:/resize_mode", "\"longest\"", Code::kUnsupportedModel,
     "preprocessor_config.json: resize_mode"},
    {"pre:/interpolation", "\"bilinear\"", Code::kUnsupportedModel,
     "preprocessor_config.json: interpolation"},
    {"pre:/size", "384", Code::kCorruptModel, "preprocessor_config.json: size"},
    {"pre:/mean", "[1, 2]", Code::kCorruptModel, "preprocessor_config.json: mean"},
    {"pre:/std", "[1, 0, 1]", Code::kCorruptModel, "preprocessor_config.json: std[1]"},
    {"pre:/std", "-", Code::kCorruptModel, "preprocessor_config.json: std"},
};

TEST(ModelConfig, NamesTheKeyThatItRejects) {
  for (const Refusal& refusal : kRefusals) {
    json config = JinaConfig(), preprocessor = JinaPreprocessor();
    std::string path = refusal.path;
    json& document = path.starts_with("pre:") ? preprocessor : config;
    if (path.starts_with("pre:")) path = path.substr(4);
    const json::json_pointer pointer(path);
    if (std::string(refusal.value) == "-") {
      document.at(pointer.parent_pointer()).erase(pointer.back());
    } else {
      document[pointer] = json::parse(refusal.value);
    }
    const auto parsed = Parse(config, preprocessor);
    ASSERT_FALSE(parsed.ok()) << refusal.path << " = " << refusal.value;
    EXPECT_EQ(parsed.status().code(), refusal.code) << parsed.status().detail();
    EXPECT_NE(parsed.status().detail().find(refusal.named), std::string::npos)
        << refusal.path << ": " << parsed.status().detail();
  }
}

}  // namespace
}  // namespace clipglot
