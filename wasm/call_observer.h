// The observer of calls that JavaScript makes: tells it of each layer, and asks the one flag that
// stops a call.
#pragma once

#include <cstddef>

#include "base/call_observer.h"

namespace clipglot {

// Speaks with two settings of the module (ModuleSettings in js/src/worker/engine-module.d.ts):
//   clipglotLayer(done, total)   called at each OnLayer; left out: nobody hears of layers
//   clipglotCancelFlag           an Int32Array whose first number is not 0 while the running call
//                                shall stop, in memory that the page shares with the worker; left
//                                out: no call can be stopped
// The engine never writes the flag; whoever sends a call clears it before.
class ModuleObserver final : public CallObserver {
 public:
  bool OnLayer(size_t done, size_t total) override;
  bool Continue() override;
};

}  // namespace clipglot
