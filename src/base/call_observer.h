// How a running call tells how far it is, and how it is stopped.
//
// One way for all work: the towers ask between layers, the image decoders and the resizer inside
// rows and scans (vision/stop_check.h). Whoever implements this owns the flag that stops a call;
// the core keeps none.
#pragma once

#include <cstddef>

namespace clipglot {

class TraceSink;

// Asked on the thread that makes the call. Once an answer is false, the call ends with kCancelled.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  // `done` of `total` layers of the tower are computed: 0 before the first, then after each. False:
  // stop. After the last layer the answer does not matter any more.
  virtual bool OnLayer(size_t done, size_t total) = 0;
  // Every few milliseconds while an image is decoded and resized. False: stop.
  virtual bool Continue() = 0;
};

// What an embedding call may be given besides its input; both may be null.
struct CallContext {
  TraceSink* trace = nullptr;  // base/trace.h
  CallObserver* observer = nullptr;

  bool OnLayer(size_t done, size_t total) const {
    return observer == nullptr || observer->OnLayer(done, total);
  }
};

}  // namespace clipglot
