#include "call_observer.h"

#include <emscripten/em_js.h>

EM_JS(void, clipglot_layer_done, (int done, int total), {
  if (Module["clipglotLayer"]) Module["clipglotLayer"](done, total);
});

EM_JS(int, clipglot_cancelled, (),
      { return Module["clipglotCancelFlag"] ? Atomics.load(Module["clipglotCancelFlag"], 0) : 0; });

namespace clipglot {

bool ModuleObserver::OnLayer(size_t done, size_t total) {
  clipglot_layer_done(static_cast<int>(done), static_cast<int>(total));
  return Continue();
}

bool ModuleObserver::Continue() { return clipglot_cancelled() == 0; }

}  // namespace clipglot
