#include "stage_keeper.h"

#include "conversions.h"

namespace clipglot {

void StageKeeper::OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
                          std::span<const std::byte> data) {
  stages_.push_back(
      {std::string(name), dtype, {shape.begin(), shape.end()}, {data.begin(), data.end()}});
}

StageObject StageKeeper::Get(int index) const {
  if (index < 0 || index >= count()) return {};
  const Stage& stage = stages_[index];
  return {stage.name, std::string(DTypeName(stage.dtype)), ToArray(std::span(stage.shape)),
          Address(stage.data.data()), static_cast<double>(stage.data.size())};
}

}  // namespace clipglot
