// Asks now and then whether to go on, so that long work can be stopped within milliseconds.
//
// Takes: how much work was done since the last call. Not thread-safe; one for each picture.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/call_observer.h"
#include "base/status.h"

namespace clipglot {

class StopCheck {
 public:
  // Work between two questions: a unit is about one byte unpacked or copied, so this is about a
  // millisecond.
  static constexpr uint64_t kInterval = uint64_t{256} * 1024;

  // `observer` must outlive this; null: nobody stops the work.
  explicit StopCheck(CallObserver* observer) : observer_(observer) {}
  StopCheck(const StopCheck&) = delete;
  StopCheck& operator=(const StopCheck&) = delete;

  // Counts `work` units and asks if enough have come together (the first call always asks). True:
  // end with Stopped().
  bool Spend(uint64_t work) {
    left_ -= left_ < work ? left_ : work;
    if (left_ > 0) return false;
    left_ = kInterval;
    return observer_ != nullptr && !observer_->Continue();
  }

  // Work of `each` units for each of `count` things in a row, such as the pixels of one:
  // `work(begin, end)` does some of them, in order, and before each call this asks if enough have
  // come together. A picture may be one row, so what walks along a row goes through here. Pieces
  // begin at multiples of 8, so at whole bytes of pixels of less than 8 bits. Errors: kCancelled.
  template <typename Work>
  Status InPieces(size_t count, uint64_t each, Work&& work) {
    // Rounded up, so that each whole piece is enough for a question.
    const auto piece =
        static_cast<size_t>(kInterval / std::clamp<uint64_t>(each, 1, kInterval / 8) / 8 * 8 + 8);
    for (size_t begin = 0; begin < count; begin += std::min(piece, count - begin)) {
      const size_t end = begin + std::min(piece, count - begin);
      if (Spend((end - begin) * each)) return Stopped();
      work(begin, end);
    }
    return OkStatus();
  }
  static Status Stopped() { return {Code::kCancelled, "stopped while reading the image"}; }

 private:
  CallObserver* const observer_;
  uint64_t left_ = 0;
};

}  // namespace clipglot
