// Pictures of fewer patches: the bits of a model that was made for that size, and no trace
// afterwards.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "engine/load.h"
#include "vision/position_grid.h"

namespace clipglot::testing {
namespace {

using nlohmann::json;

constexpr size_t kFullGrid = 4, kWidth = 64;  // of golden-a: 56 pixels, patches of 14

// golden-a as upstream would load it for pictures of grid x grid patches.
Files ModelOf(size_t grid) {
  Files files = GoldenModel();
  json config = JsonOf(files.at("config.json")),
       preprocessor = JsonOf(files.at("preprocessor_config.json"));
  config["vision_config"]["image_size"] = preprocessor["size"] = 14 * grid;
  files["config.json"] = ToBytes(config.dump());
  files["preprocessor_config.json"] = ToBytes(preprocessor.dump());
  std::vector<RawTensor> tensors;
  for (const RawTensor& tensor : SplitTensors(files["model.safetensors"])) {
    tensors.push_back(tensor);
    if (!tensor.name.ends_with("pos_embed")) continue;
    const std::vector<float> all = Numbers(tensor);
    std::vector<float> few((1 + grid * grid) * kWidth);
    std::copy_n(all.begin(), kWidth, few.begin());
    ResizePositions(std::span(all).subspan(kWidth), kFullGrid, kWidth, grid,
                    std::span(few).subspan(kWidth));
    tensors.back() = FloatTensor(tensor.name, {1, 1 + grid * grid, kWidth}, few);
  }
  files["model.safetensors"] = JoinTensors(tensors);
  return files;
}

std::vector<float> Embed(Engine& engine, const std::vector<uint8_t>& rgba, size_t grid) {
  ImageOptions options;
  options.grid = grid;
  const auto view = engine.EmbedPixels({rgba, 50, 37}, options);
  EXPECT_TRUE(view.ok()) << view.status().detail();
  return view.ok() ? std::vector<float>(view->vector.begin(), view->vector.end())
                   : std::vector<float>();
}

TEST(Grid, IsTheModelOfThatSize) {
  std::mt19937 random(5);
  std::vector<uint8_t> rgba(4 * 50 * 37);
  for (uint8_t& value : rgba) value = static_cast<uint8_t>(random());
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kInt8PerRow}) {
    EngineOptions options;
    options.format = format;
    options.text = false;
    const auto engine = MakeEngine(GoldenModel(), options);
    ASSERT_NE(engine, nullptr);
    const std::vector<float> full = Embed(*engine, rgba, 0);
    for (size_t grid = 1; grid <= kFullGrid; ++grid) {
      const auto other = MakeEngine(ModelOf(grid), options);
      ASSERT_NE(other, nullptr);
      const std::vector<float> found = Embed(*engine, rgba, grid);
      EXPECT_EQ(found, Embed(*other, rgba, 0)) << TraitsOf(format).name << " " << grid;
      EXPECT_EQ(found == full, grid == kFullGrid);
      EXPECT_EQ(Embed(*engine, rgba, grid), found);
      if (grid % 2 == 0) {
        EXPECT_EQ(Embed(*engine, rgba, 0), full);  // else from one grid to the next
      }
    }
    ImageOptions bad;
    bad.grid = kFullGrid + 1;
    const auto refused = engine->EmbedPixels({rgba, 50, 37}, bad);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), Code::kInvalidArgument);
    EXPECT_NE(refused.status().detail().find("grid 5: 1 to 4"), std::string::npos)
        << refused.status().detail();
    EXPECT_EQ(Embed(*engine, rgba, 0), full);
  }
}

}  // namespace
}  // namespace clipglot::testing
