// What sizes a stand-in has, and upstream's small files for them.

/** jina-clip-v2's own sizes. */
export const FULL = {
  vocab: 250_002,
  hidden: 1024,
  textLayers: 24,
  textHeads: 16,
  intermediate: 4096,
  rank: 4,
  width: 1024,
  headWidth: 64,
  visionLayers: 24,
  imageSize: 512,
  patch: 14,
  mlpRatio: 2.6667,
};

/** A small one of the same build, for tests of the tools. */
export const SMALL = {
  vocab: 3000,
  hidden: 128,
  textLayers: 5,
  textHeads: 4,
  intermediate: 256,
  rank: 4,
  width: 128,
  headWidth: 32,
  visionLayers: 5,
  imageSize: 56,
  patch: 14,
  mlpRatio: 2.6667,
};

export const mlpHidden = (shape) => Math.trunc(shape.width * shape.mlpRatio);
export const patches = (shape) => Math.floor(shape.imageSize / shape.patch) ** 2;

/** Upstream's config.json. What upstream leaves to the base model's own configuration is written only where it differs. */
export function configJson(shape) {
  const own = {};
  const say = (key, value, usual) => {
    if (value !== usual) own[key] = value;
  };
  say("vocab_size", shape.vocab, FULL.vocab);
  say("hidden_size", shape.hidden, FULL.hidden);
  say("num_hidden_layers", shape.textLayers, FULL.textLayers);
  say("num_attention_heads", shape.textHeads, FULL.textHeads);
  say("intermediate_size", shape.intermediate, FULL.intermediate);
  const dimensions = [32, 64, 128, 256, 512, 768, 1024].filter((n) => n <= shape.hidden);
  return {
    add_projections: false,
    architectures: ["JinaCLIPModel"],
    auto_map: {
      AutoConfig: "jinaai/jina-clip-implementation--configuration_clip.JinaCLIPConfig",
      AutoModel: "jinaai/jina-clip-implementation--modeling_clip.JinaCLIPModel",
    },
    initializer_factor: 1.0,
    logit_scale_init_value: 2.6592,
    matryoshka_dimensions: dimensions,
    model_type: "jina_clip",
    projection_dim: shape.hidden,
    text_config: {
      default_instruction_task: null,
      default_lora_task: "retrieval.query",
      embed_dim: shape.hidden,
      hf_model_config_kwargs: {
        load_trained_adapters: false,
        lora_adaptations: ["retrieval.query"],
        lora_alpha: shape.rank,
        lora_dropout_p: 0.0,
        lora_main_params_trainable: false,
        lora_rank: shape.rank,
        task_instructions: {
          "retrieval.query": "Represent the query for retrieving evidence documents: ",
        },
        use_flash_attn: true,
        ...own,
      },
      hf_model_name_or_path: "jinaai/jina-embeddings-v3",
      model_type: "jina_clip_text",
      pooler_type: "mean_pooler",
      proj_bias: false,
      proj_type: null,
    },
    torch_dtype: "bfloat16",
    "transformers.js_config": { use_external_data_format: { "model.onnx": true } },
    truncate_dim: null,
    use_text_flash_attn: null,
    use_vision_xformers: null,
    vision_config: {
      embed_dim: shape.width,
      fused_layer_norm: false,
      head_width: shape.headWidth,
      image_size: shape.imageSize,
      intp_freq: true,
      layers: shape.visionLayers,
      ls_init_value: null,
      mlp_ratio: shape.mlpRatio,
      model_type: "jina_clip_vision",
      naive_swiglu: true,
      patch_dropout: 0.1,
      patch_size: shape.patch,
      post_norm: false,
      proj_type: null,
      pt_hw_seq_len: 16,
      qkv_bias: true,
      rope_embeddings: true,
      subln: true,
      width: shape.width,
      x_attention: true,
    },
  };
}

export function preprocessorJson(shape) {
  return {
    auto_map: {
      AutoImageProcessor: "jinaai/jina-clip-implementation--processing_clip.JinaCLIPImageProcessor",
      AutoProcessor: "jinaai/jina-clip-implementation--processing_clip.JinaCLIPProcessor",
    },
    fill_color: 0,
    image_processor_type: "JinaCLIPImageProcessor",
    interpolation: "bicubic",
    mean: [0.48145466, 0.4578275, 0.40821073],
    processor_class: "JinaCLIPProcessor",
    resize_mode: "shortest",
    size: shape.imageSize,
    std: [0.26862954, 0.26130258, 0.27577711],
  };
}
