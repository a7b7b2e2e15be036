// config.json and preprocessor_config.json. Input: both, with a zero byte between.
#include <algorithm>

#include "fuzz.h"
#include "weights/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace clipglot;
  const std::string_view text = fuzz::Text(data, size);
  const size_t zero = std::min(text.find('\0'), text.size());
  const auto config = Json::Parse(text.substr(0, zero), "config.json");
  if (!config.ok()) {
    fuzz::CheckModelError(config.status());
    return 0;
  }
  const auto preprocessor =
      Json::Parse(text.substr(std::min(zero + 1, text.size())), "preprocessor_config.json");
  const Result<ModelConfig> model =
      ParseModelConfig(*config, preprocessor.ok() ? *preprocessor : Json());
  if (!model.ok()) {
    fuzz::CheckModelError(model.status());
    return 0;
  }
  // What the rest of the code divides by or allocates.
  FUZZ_CHECK(model->text.heads > 0 && model->text.hidden_size % model->text.heads == 0);
  FUZZ_CHECK(model->vision.head_width > 0 && model->vision.width % model->vision.head_width == 0);
  FUZZ_CHECK(model->vision.grid() > 0 && model->preprocess.size == model->vision.image_size);
  FUZZ_CHECK(model->dimensions == model->text.hidden_size || model->dimensions > 0);
  return 0;
}
