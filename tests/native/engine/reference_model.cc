#include "engine/reference_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace clipglot::testing {
namespace {

constexpr char kText[] = "text_model.transformer.roberta.";
constexpr char kVision[] = "vision_model.";

// softmax(q kᵀ / sqrt(d)) v for every head; q, k, v, result [tokens, heads · d]; `counts`: whether
// a key is seen.
Doubles Attend(const Doubles& q, const Doubles& k, const Doubles& v, size_t heads, size_t d,
               const std::function<bool(size_t)>& counts) {
  const size_t width = heads * d, tokens = q.size() / width;
  Doubles out(q.size());
  for (size_t head = 0; head < heads; ++head) {
    for (size_t i = 0; i < tokens; ++i) {
      Doubles weights(tokens);
      double total = 0;
      for (size_t j = 0; j < tokens; ++j) {
        if (!counts(j)) continue;
        double logit = 0;
        for (size_t c = 0; c < d; ++c)
          logit += q[i * width + head * d + c] * k[j * width + head * d + c];
        weights[j] = std::exp(logit / std::sqrt(static_cast<double>(d)));
        total += weights[j];
      }
      for (size_t j = 0; j < tokens; ++j) {
        for (size_t c = 0; c < d; ++c) {
          out[i * width + head * d + c] += weights[j] / total * v[j * width + head * d + c];
        }
      }
    }
  }
  return out;
}

void Turn(double& a, double& b, double angle) {
  const double turned = a * std::cos(angle) - b * std::sin(angle);
  b = b * std::cos(angle) + a * std::sin(angle);
  a = turned;
}

}  // namespace

ReferenceModel::ReferenceModel(const Files& files) {
  const nlohmann::json config = JsonOf(files.at("config.json"));
  text_ = config["text_config"];
  vision_ = config["vision_config"];
  for (const RawTensor& raw : SplitTensors(files.at("model.safetensors"))) {
    const std::vector<float> numbers = Numbers(raw);
    tensors_[raw.name] = {{raw.shape.begin(), raw.shape.end()}, {numbers.begin(), numbers.end()}};
  }
}

const ReferenceModel::Tensor& ReferenceModel::Get(const std::string& name) const {
  const auto found = tensors_.find(name);
  EXPECT_NE(found, tensors_.end()) << name;
  static const Tensor kNone;
  return found == tensors_.end() ? kNone : found->second;
}

ReferenceModel::Tensor ReferenceModel::TextWeight(const std::string& stem, bool embedding) const {
  const nlohmann::json& kwargs = text_["hf_model_config_kwargs"];
  if (!tensors_.contains(stem + ".parametrizations.weight.original")) return Get(stem + ".weight");
  Tensor weight = Get(stem + ".parametrizations.weight.original");
  // Embeddings: W + s A B, A [T, rows, r], B [T, r, columns]. Linears: W + s B A, B [T, rows, r], A
  // [T, r, columns].
  const Tensor& left =
      Get(stem + ".parametrizations.weight.0." + (embedding ? "lora_A" : "lora_B"));
  const Tensor& right =
      Get(stem + ".parametrizations.weight.0." + (embedding ? "lora_B" : "lora_A"));
  const size_t rows = weight.shape[0], columns = weight.shape[1], rank = left.shape[2];
  const std::vector<std::string> adapters = kwargs["lora_adaptations"];
  const std::string wanted = text_["default_lora_task"];
  const size_t adapter =
      static_cast<size_t>(std::find(adapters.begin(), adapters.end(), wanted) - adapters.begin());
  const double scale = kwargs["lora_alpha"].get<double>() / kwargs["lora_rank"].get<double>();
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      for (size_t k = 0; k < rank; ++k) {
        weight.values[i * columns + j] += scale * left.values[(adapter * rows + i) * rank + k] *
                                          right.values[(adapter * rank + k) * columns + j];
      }
    }
  }
  return weight;
}

Doubles ReferenceModel::Linear(const Doubles& x, const Tensor& weight, const Doubles& bias) const {
  const size_t out = weight.shape[0], in = weight.values.size() / out, rows = x.size() / in;
  Doubles y(rows * out);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t o = 0; o < out; ++o) {
      double sum = bias.empty() ? 0 : bias[o];
      for (size_t i = 0; i < in; ++i) sum += x[r * in + i] * weight.values[o * in + i];
      y[r * out + o] = sum;
    }
  }
  return y;
}

void ReferenceModel::LayerNorm(Doubles& x, const std::string& name, double eps) const {
  const Doubles& gain = Get(name + ".weight").values;
  const Doubles& shift = Get(name + ".bias").values;
  const size_t n = gain.size();
  for (size_t r = 0; r < x.size() / n; ++r) {
    double mean = 0, variance = 0;
    for (size_t c = 0; c < n; ++c) mean += x[r * n + c] / static_cast<double>(n);
    for (size_t c = 0; c < n; ++c)
      variance += std::pow(x[r * n + c] - mean, 2) / static_cast<double>(n);
    for (size_t c = 0; c < n; ++c)
      x[r * n + c] = (x[r * n + c] - mean) / std::sqrt(variance + eps) * gain[c] + shift[c];
  }
}

Doubles ReferenceModel::EmbedIds(const std::vector<int32_t>& ids) const {
  const nlohmann::json& kwargs = text_["hf_model_config_kwargs"];
  const size_t hidden = kwargs["hidden_size"], heads = kwargs["num_attention_heads"],
               d = hidden / heads;
  const double eps = kwargs.value("layer_norm_eps", 1e-5),
               base = kwargs.value("rotary_emb_base", 20000.0);
  const std::string embeddings = std::string(kText) + "embeddings.";
  const Tensor words = TextWeight(embeddings + "word_embeddings", true);
  const Tensor types = TextWeight(embeddings + "token_type_embeddings", true);
  const size_t tokens = ids.size();
  Doubles x(tokens * hidden);
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t c = 0; c < hidden; ++c) {
      x[t * hidden + c] = words.values[static_cast<size_t>(ids[t]) * hidden + c] + types.values[c];
    }
  }
  LayerNorm(x, std::string(kText) + "emb_ln", eps);
  const auto counts = [&](size_t t) { return ids[t] != 1; };
  for (size_t layer = 0; layer < kwargs["num_hidden_layers"].get<size_t>(); ++layer) {
    const std::string name = std::string(kText) + "encoder.layers." + std::to_string(layer) + ".";
    const auto linear = [&](const Doubles& in, const std::string& stem) {
      return Linear(in, TextWeight(name + stem, false), Get(name + stem + ".bias").values);
    };
    const Doubles qkv = linear(x, "mixer.Wqkv");
    Doubles parts[3];  // q, k, v
    for (size_t p = 0; p < 3; ++p) {
      for (size_t t = 0; t < tokens; ++t) {
        const auto from = qkv.begin() + static_cast<ptrdiff_t>((t * 3 + p) * hidden);
        parts[p].insert(parts[p].end(), from, from + static_cast<ptrdiff_t>(hidden));
      }
      if (p == 2) continue;
      for (size_t t = 0; t < tokens; ++t) {
        for (size_t head = 0; head < heads; ++head) {
          double* at = &parts[p][t * hidden + head * d];
          for (size_t j = 0; j < d / 2; ++j) {
            const double frequency =
                std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(d));
            Turn(at[j], at[j + d / 2], static_cast<double>(t) * frequency);
          }
        }
      }
    }
    const Doubles attended =
        linear(Attend(parts[0], parts[1], parts[2], heads, d, counts), "mixer.out_proj");
    for (size_t i = 0; i < x.size(); ++i) x[i] += attended[i];
    LayerNorm(x, name + "norm1", eps);
    Doubles inner = linear(x, "mlp.fc1");
    for (double& value : inner) value = 0.5 * value * (1 + std::erf(value / std::sqrt(2.0)));
    const Doubles mlp = linear(inner, "mlp.fc2");
    for (size_t i = 0; i < x.size(); ++i) x[i] += mlp[i];
    LayerNorm(x, name + "norm2", eps);
  }
  Doubles pooled(hidden);
  double counted = 0;
  for (size_t t = 0; t < tokens; ++t) counted += counts(t) ? 1 : 0;
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t c = 0; c < hidden && counts(t); ++c) pooled[c] += x[t * hidden + c] / counted;
  }
  return pooled;
}

Doubles ReferenceModel::EmbedPixels(const std::vector<float>& pixels,
                                    const std::set<size_t>& reads) const {
  const size_t width = vision_["width"], d = vision_["head_width"], heads = width / d;
  const size_t size = vision_["image_size"], patch = vision_["patch_size"], grid = size / patch;
  const double reference = vision_["pt_hw_seq_len"], eps = 1e-6;
  const std::string root = kVision;
  Doubles patches;
  for (size_t row = 0; row < grid; ++row) {
    for (size_t column = 0; column < grid; ++column) {
      for (size_t channel = 0; channel < 3; ++channel) {
        for (size_t y = 0; y < patch; ++y) {
          for (size_t x = 0; x < patch; ++x) {
            patches.push_back(
                pixels[(channel * size + row * patch + y) * size + column * patch + x]);
          }
        }
      }
    }
  }
  Doubles x = Get(root + "cls_token").values;
  const Doubles embedded = Linear(patches, Get(root + "patch_embed.proj.weight"),
                                  Get(root + "patch_embed.proj.bias").values);
  x.insert(x.end(), embedded.begin(), embedded.end());
  const Doubles& positions = Get(root + "pos_embed").values;
  for (size_t i = 0; i < x.size(); ++i) x[i] += positions[i];

  const auto rotate = [&](Doubles& q) {
    for (size_t n = 0; n < grid * grid; ++n) {
      const double at[2] = {static_cast<double>(n / grid),
                            static_cast<double>(n % grid)};  // row, column
      for (size_t head = 0; head < heads; ++head) {
        double* pair = &q[(n + 1) * width + head * d];
        for (size_t half = 0; half < 2; ++half) {
          for (size_t i = 0; i < d / 4; ++i, pair += 2) {
            const double frequency =
                std::pow(10000.0, -2.0 * static_cast<double>(i) / (static_cast<double>(d) / 2));
            Turn(pair[0], pair[1], at[half] / static_cast<double>(grid) * reference * frequency);
          }
        }
      }
    }
  };
  for (size_t layer = 0; layer < vision_["layers"].get<size_t>(); ++layer) {
    const std::string name = root + "blocks." + std::to_string(layer) + ".";
    Doubles y = x;
    LayerNorm(y, name + "norm1", eps);
    Doubles q = Linear(y, Get(name + "attn.q_proj.weight"), Get(name + "attn.q_bias").values);
    Doubles k = Linear(y, Get(name + "attn.k_proj.weight"), {});
    const Doubles v = Linear(y, Get(name + "attn.v_proj.weight"), Get(name + "attn.v_bias").values);
    rotate(q);
    rotate(k);
    y = Attend(q, k, v, heads, d, [&](size_t token) {
      return token == 0 || reads.empty() ||
             (reads.contains((token - 1) / grid) && reads.contains((token - 1) % grid));
    });
    LayerNorm(y, name + "attn.inner_attn_ln", eps);
    y = Linear(y, Get(name + "attn.proj.weight"), Get(name + "attn.proj.bias").values);
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    y = x;
    LayerNorm(y, name + "norm2", eps);
    Doubles gate = Linear(y, Get(name + "mlp.w1.weight"), Get(name + "mlp.w1.bias").values);
    const Doubles value = Linear(y, Get(name + "mlp.w2.weight"), Get(name + "mlp.w2.bias").values);
    for (size_t i = 0; i < gate.size(); ++i)
      gate[i] = gate[i] / (1 + std::exp(-gate[i])) * value[i];
    LayerNorm(gate, name + "mlp.ffn_ln", eps);
    y = Linear(gate, Get(name + "mlp.w3.weight"), Get(name + "mlp.w3.bias").values);
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }
  LayerNorm(x, root + "norm", eps);
  return {x.begin(), x.begin() + static_cast<ptrdiff_t>(width)};
}

}  // namespace clipglot::testing
