// Keeps the stages of the last call for the tools that compare them one by one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "base/trace.h"
#include "result_objects.h"

namespace clipglot {

class StageKeeper final : public TraceSink {
 public:
  void OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
               std::span<const std::byte> data) override;
  void Clear() { stages_.clear(); }
  int count() const { return static_cast<int>(stages_.size()); }
  StageObject Get(int index) const;

 private:
  struct Stage {
    std::string name;
    DType dtype;
    std::vector<size_t> shape;
    std::vector<std::byte> data;
  };
  std::vector<Stage> stages_;
};

}  // namespace clipglot
