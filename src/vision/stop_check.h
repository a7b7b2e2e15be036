// Asks now and then whether to go on, so that long work can be stopped within milliseconds.
//
// Takes: how much work was done since the last call. Not thread-safe; one for each picture.
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"

namespace clipglot {

class StopCheck {
 public:
  // Work between two questions: a unit is about one byte unpacked or copied, so this is about a millisecond.
  static constexpr uint64_t kInterval = 256 * 1024;

  // `stop` must outlive this; empty means never.
  explicit StopCheck(const std::function<bool()>& stop) : stop_(stop) {}
  StopCheck(const StopCheck&) = delete;
  StopCheck& operator=(const StopCheck&) = delete;

  // Counts `work` units and asks if enough have come together (the first call always asks). True: end with Stopped().
  bool Spend(uint64_t work) {
    left_ -= left_ < work ? left_ : work;
    if (left_ > 0) return false;
    left_ = kInterval;
    return stop_ && stop_();
  }
  static Status Stopped() { return {Code::kCancelled, "stopped while reading the image"}; }

 private:
  const std::function<bool()>& stop_;
  uint64_t left_ = 0;
};

}  // namespace clipglot
