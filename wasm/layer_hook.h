// Tells JavaScript how far a call is.
#pragma once

#include <emscripten/em_js.h>

// The module's setting clipglotLayer, a function (layers done) that gives whether the call shall
// stop; none: it shall not.
EM_JS(int, clipglot_layer_done, (int done),
      { return Module["clipglotLayer"] && Module["clipglotLayer"](done) ? 1 : 0; });

// The module's setting clipglotStop, a function that gives whether the running call shall stop;
// none: it shall not.
EM_JS(int, clipglot_stop, (),
      { return Module["clipglotStop"] && Module["clipglotStop"]() ? 1 : 0; });
