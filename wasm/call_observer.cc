#include "call_observer.h"

#include <emscripten/em_js.h>

// The module's setting clipglotLayer, a function (layers done) that gives whether the call shall
// stop; none: it shall not.
EM_JS(int, clipglot_layer_done, (int done),
      { return Module["clipglotLayer"] && Module["clipglotLayer"](done) ? 1 : 0; });

// The module's setting clipglotStop, a function that gives whether the running call shall stop;
// none: it shall not.
EM_JS(int, clipglot_stop, (),
      { return Module["clipglotStop"] && Module["clipglotStop"]() ? 1 : 0; });

namespace clipglot {

void CallFollower::OnStage(std::string_view name, DType dtype, std::span<const size_t> shape,
                           std::span<const std::byte> data) {
  if (keeper_ != nullptr) keeper_->OnStage(name, dtype, shape, data);
  if (!name.starts_with("hidden.")) return;
  // "hidden.0" comes before the first layer.
  if (clipglot_layer_done(layers_++) != 0)
    engine_->cancel_flag().store(1, std::memory_order_relaxed);
}

bool StopAsked() { return clipglot_stop() != 0; }

}  // namespace clipglot
