// The self-test of a pack: a few inputs with the vectors that the source model gives for them in
// float32. The converter computes and stores them; an engine that has loaded the pack embeds the
// same inputs and compares. That finds what no hash can: a build that computes something else, a
// pack that was made wrongly.
//
// The manifest's member `selfTest` is described in docs/FORMAT.md. Thread-safe: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "engine/engine.h"
#include "weights/model_config.h"

namespace clipglot {

struct SelfTest {
  struct Text {
    std::string text, task;
    std::vector<float> vector;  // [dimensions], of unit length
  };
  struct Image {
    size_t width = 0, height = 0;
    std::vector<uint8_t> rgb;  // [height, width, 3]
    size_t patches = 0;  // a side: the vector is of so many, spread over the picture; 0: of all
    std::vector<float> vector;

    std::vector<uint8_t> Rgba() const;  // `rgb`, opaque
  };
  size_t dimensions = 0;
  std::vector<Text> texts;
  std::optional<Image> image;
  double min_cosine = 0;
  // Lowest cosine between the float32 vectors and those of the pack's own arithmetic, as the
  // converter saw it.
  double reached = 1;
};

// Of the directions of `a` and `b`, which have the same length; 0 if one of them is zero.
double Cosine(std::span<const float> a, std::span<const float> b);

// From the member in a manifest (written by convert/self_test_content.h). `dimensions`, `grid`
// (patches a side): of the model. Errors: kCorruptModel naming the member.
Result<SelfTest> ParseSelfTest(const Json& json, size_t dimensions, size_t grid);

// The engine under test: each function embeds one item of the test, the picture with as many
// patches as it says. An empty function: that tower is not loaded, and its items are left out.
struct SelfTestEngine {
  std::function<Result<EmbeddingView>(const SelfTest::Text&)> text;
  std::function<Result<EmbeddingView>(const SelfTest::Image&)> image;
};
// Embeds all items and compares. A text that is longer than the engine was loaded for (kTooLong) is
// left out. Errors: kCorruptModel naming the item, its cosine and the lowest allowed; those of the
// embedding calls.
Status RunSelfTest(const SelfTest& test, const SelfTestEngine& engine);

}  // namespace clipglot
