// Follows a call from layer to layer: JavaScript hears of each, and may ask to stop. Hands the
// stages on when they are wanted.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/trace.h"
#include "engine/engine.h"
#include "stage_keeper.h"

namespace clipglot {

class CallFollower final : public TraceSink {
 public:
  // `keeper` may be null.
  CallFollower(Engine* engine, StageKeeper* keeper) : engine_(engine), keeper_(keeper) {}
  void OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
               std::span<const std::byte> data) override;

 private:
  Engine* engine_;
  StageKeeper* keeper_;
  int layers_ = 0;
};

// Whether JavaScript wants the running call to stop.
bool StopAsked();

}  // namespace clipglot
