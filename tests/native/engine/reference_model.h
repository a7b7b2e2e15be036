// Both towers as plain loops in double precision, written from the description of the model and
// sharing no code with the engine: reads the checkpoint's tensors by their upstream names. For
// tests only.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "weights/model_files.h"

namespace clipglot::testing {

using Doubles = std::vector<double>;

class ReferenceModel {
 public:
  // `files`: config.json and model.safetensors (F32, F16 or BF16) of a valid checkpoint.
  explicit ReferenceModel(const Files& files);

  // Mean of the last layer over the tokens that are not <pad>, [hidden].
  Doubles EmbedIds(const std::vector<int32_t>& ids) const;
  // Class token after the last norm, [width]. `pixels` [3, size, size]. `reads`: rows and columns
  // of patches that are not masked; empty: all.
  Doubles EmbedPixels(const std::vector<float>& pixels, const std::set<size_t>& reads = {}) const;

  size_t image_size() const { return vision_["image_size"].get<size_t>(); }

 private:
  struct Tensor {
    std::vector<size_t> shape;
    Doubles values;
  };
  const Tensor& Get(const std::string& name) const;
  // The effective weight of a text layer or embedding, [rows, columns]: adapter folded in where
  // there is one.
  Tensor TextWeight(const std::string& stem, bool embedding) const;
  Doubles Linear(const Doubles& x, const Tensor& weight, const Doubles& bias) const;
  void LayerNorm(Doubles& x, const std::string& name, double eps) const;

  nlohmann::json text_, vision_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace clipglot::testing
