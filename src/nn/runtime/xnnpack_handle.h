// XNNPACK is started and stopped through this. Private to nn.
#pragma once

#include <cstddef>

#include "base/status.h"

struct xnn_operator;

namespace clipglot {

// Keeps XNNPACK initialised while it lives; any number may live at once. Thread-safe.
class XnnpackHandle {
 public:
  XnnpackHandle() = default;
  XnnpackHandle(const XnnpackHandle&) = delete;
  XnnpackHandle& operator=(const XnnpackHandle&) = delete;
  ~XnnpackHandle();

  // Errors: kInternal when XNNPACK finds the hardware unfit.
  Status Acquire();

 private:
  bool acquired_ = false;
};

// Turns a status of XNNPACK into ours: kOutOfMemory stays, all else is a bug of ours (kInternal).
// `what` names the call.
Status FromXnnpack(int status, const char* what);

// Bytes that XNNPACK has allocated on the calling thread since it started, freed or not: the
// difference around a call is what that call took.
size_t XnnpackBytesAllocated();

}  // namespace clipglot
