// Prints the folder of the Emscripten that builds use, for the presets' CLIPGLOT_EMSCRIPTEN.
import { runMain } from "./log.mjs";
import { emscriptenEnvironment } from "./toolchain.mjs";

await runMain(() => console.log(emscriptenEnvironment().CLIPGLOT_EMSCRIPTEN));
