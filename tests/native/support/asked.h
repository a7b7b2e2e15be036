// Observers for tests of what a call asks and how it is stopped.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "base/call_observer.h"

namespace clipglot::testing {

// Answers the questions of decoders and the resizer with a function, and never stops at a layer.
class Asked final : public CallObserver {
 public:
  explicit Asked(std::function<bool()> go_on) : go_on_(std::move(go_on)) {}
  bool OnLayer(size_t, size_t) override { return true; }
  bool Continue() override { return go_on_(); }

 private:
  std::function<bool()> go_on_;
};

// Stops a call when `layers` of its layers are done, and notes what it was told.
class StopAtLayer final : public CallObserver {
 public:
  explicit StopAtLayer(size_t layers) : layers_(layers) {}
  bool OnLayer(size_t done, size_t total) override {
    seen.push_back({done, total});
    return done < layers_;
  }
  bool Continue() override { return true; }

  std::vector<std::pair<size_t, size_t>> seen;  // done, total

 private:
  size_t layers_;
};

}  // namespace clipglot::testing
