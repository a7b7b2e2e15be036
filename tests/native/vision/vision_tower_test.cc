// The tower's grids: calls with one never change what another gives.
#include "vision/vision_tower.h"

#include <gtest/gtest.h>

#include <random>

#include "weights/model_files.h"

namespace clipglot::testing {
namespace {

constexpr size_t kFull = 4;  // patches a side of golden-a

// A tower of golden-a with its own workspace.
struct Tower {
  explicit Tower(WeightFormat dtype) {
    EXPECT_TRUE(Read(GoldenModel(), {false, true, dtype}, model).ok());
    auto made = Workspace::Create(1);
    EXPECT_TRUE(made.ok());
    workspace = std::move(*made);
    auto built = VisionTower::Create(model.config.vision, workspace.get());
    EXPECT_TRUE(built.ok());
    tower = std::move(*built);
    EXPECT_TRUE(tower->SetStem(std::move(model.stem)).ok());
    for (VisionLayer& layer : model.vision_layers)
      EXPECT_TRUE(tower->AddLayer(std::move(layer)).ok());
    EXPECT_TRUE(tower->SetNorm(std::move(model.vision_norm)).ok());
    EXPECT_TRUE(tower->complete());
  }

  // The vector of pixels that depend on nothing but the picture's size.
  std::vector<float> Forward(const PatchGrid& grid) const {
    std::mt19937 random(7);
    std::vector<float> pixels(3 * grid.image_size * grid.image_size);
    for (float& value : pixels) value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
    std::vector<float> vector(model.config.vision.width);
    EXPECT_TRUE(tower->Forward(grid, pixels, vector).ok());
    return vector;
  }
  std::vector<float> Scaled(size_t side) const { return Forward(**tower->Scaled(side)); }
  std::vector<float> Sampled(size_t side) const { return Forward(**tower->Sampled(side)); }

  ReadModel model;
  std::unique_ptr<Workspace> workspace;
  std::unique_ptr<VisionTower> tower;
};

TEST(VisionTower, GridsInTurnsGiveTheSameBits) {
  for (const WeightFormat dtype : {WeightFormat::kF32, WeightFormat::kInt8PerRow}) {
    // Each from a tower that has computed nothing else.
    const std::vector<float> full = Tower(dtype).Scaled(kFull), grid_a = Tower(dtype).Scaled(3),
                             grid_b = Tower(dtype).Scaled(2), self_test = Tower(dtype).Sampled(2);
    EXPECT_NE(grid_b, self_test);
    const Tower tower(dtype);
    for (int turn = 0; turn < 3; ++turn) {
      EXPECT_EQ(tower.Scaled(3), grid_a);
      EXPECT_EQ(tower.Sampled(2), self_test);
      EXPECT_EQ(tower.Scaled(2), grid_b);
      EXPECT_EQ(tower.Sampled(2), self_test);
      EXPECT_EQ(tower.Scaled(kFull), full);
      EXPECT_EQ(tower.Sampled(kFull), full);
    }
  }
}

TEST(VisionTower, GridsAreMadeOnceAndFewAreKept) {
  const Tower tower(WeightFormat::kF32);
  const PatchGrid* full = *tower.tower->Scaled(kFull);
  EXPECT_EQ(*tower.tower->Sampled(kFull), full);
  EXPECT_EQ(full->image_size, 56u);
  EXPECT_EQ(full->tokens(), 17u);
  const PatchGrid* scaled = *tower.tower->Scaled(2);
  EXPECT_EQ(scaled->image_size, 28u);
  const PatchGrid* sampled = *tower.tower->Sampled(2);
  EXPECT_EQ(sampled->image_size, 56u);
  EXPECT_EQ(sampled->Place(0), 1u);
  EXPECT_EQ(sampled->Place(1), 3u);
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(*tower.tower->Scaled(2), scaled);
    EXPECT_EQ(*tower.tower->Sampled(2), sampled);
    EXPECT_EQ(*tower.tower->Scaled(kFull), full);
  }
  const std::vector<float> before = tower.Scaled(1);
  for (const size_t side : {2, 3}) EXPECT_TRUE(tower.tower->Sampled(side).ok());
  for (const size_t side : {2, 3}) EXPECT_TRUE(tower.tower->Scaled(side).ok());
  EXPECT_EQ(tower.Scaled(1), before);  // made again
}

TEST(VisionTower, RejectsImpossibleGridsAndMismatchedPixels) {
  const Tower tower(WeightFormat::kF32);
  for (const size_t side : {size_t{0}, kFull + 1}) {
    EXPECT_EQ(tower.tower->Scaled(side).status().code(), Code::kInvalidArgument);
    EXPECT_EQ(tower.tower->Sampled(side).status().code(), Code::kInvalidArgument);
  }
  std::vector<float> pixels(3 * 56 * 56), vector(64);
  const Status status = tower.tower->Forward(**tower.tower->Scaled(2), pixels, vector);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.detail(), "9408 pixel values for an image size of 28");
}

}  // namespace
}  // namespace clipglot::testing
