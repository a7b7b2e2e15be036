// The pieces of a build, called by build.mjs, demo.mjs, test.mjs and the tools that need the engine.
// Each is quick when there is nothing to do. Call setUp(…) of tools/setup first, or buildFor(…) below.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { log, SetupError } from "../setup/log.mjs";
import { build, root } from "../setup/paths.mjs";
import { run } from "../setup/run.mjs";
import { setUp } from "../setup/setup.mjs";
import { emscriptenEnvironment } from "../setup/toolchain.mjs";

/** The four WebAssembly variants; the names of their presets are wasm-<variant>. */
export const variants = ["simd", "relaxed-simd", "simd-threads", "relaxed-simd-threads"];
/** The converter's modules, and the variant whose build tree makes each. */
export const converters = { convert: "simd", "convert-threads": "simd-threads" };
export const wasmFolder = join(root, "dist/wasm");

// Ninja's last lines are for people, its hundred steps are not; in a log file they are one line each.
const compile = (preset, targets, env) =>
  run(
    "cmake",
    [
      "--build",
      "--preset",
      preset,
      "--parallel",
      String(availableParallelism()),
      ...(targets.length ? ["--target", ...targets] : []),
    ],
    { cwd: root, env: { ...env, NINJA_STATUS: `[${preset} %f/%t] ` } },
  );

async function configure(preset, env, definitions = []) {
  await run("cmake", ["--preset", preset, "--log-level=WARNING", ...definitions], {
    cwd: root,
    env,
    quiet: true,
  });
}

/** Configures a native build: its compile commands are enough for the linter. */
export const configureNative = (preset, definitions = []) =>
  configure(preset, process.env, definitions);

/** Builds targets natively, e.g. buildNative('native-debug', ['clipglot_tests_text']); none means all. */
export async function buildNative(preset, targets = [], definitions = []) {
  log(`building ${preset}${targets.length ? `: ${targets.join(" ")}` : ""}`, "build");
  await configure(preset, process.env, definitions);
  await compile(preset, targets, process.env);
}

/** Builds targets of one variant, e.g. buildWasm('simd', ['clipglot_bench_kernels']). */
export async function buildWasm(variant, targets) {
  if (!variants.includes(variant))
    throw new SetupError(`no variant ${variant}; there are: ${variants.join(" ")}`);
  const preset = `wasm-${variant}`;
  log(`building ${preset}`, "build");
  const env = emscriptenEnvironment();
  // CMake keeps the first toolchain it saw; another needs a new tree.
  const used = join(build, preset, "emscripten.txt");
  if (
    existsSync(join(build, preset)) &&
    (!existsSync(used) || readFileSync(used, "utf8") !== env.CLIPGLOT_EMSCRIPTEN)
  ) {
    rmSync(join(build, preset), { recursive: true, force: true });
  }
  mkdirSync(join(build, preset), { recursive: true });
  writeFileSync(used, env.CLIPGLOT_EMSCRIPTEN);
  await configure(preset, env);
  await compile(preset, targets, env);
}

/** Builds one variant's module, and the converter's of the same tree, into dist/wasm/. */
export async function buildVariant(variant) {
  const converter = Object.keys(converters).find((name) => converters[name] === variant);
  const modules = converter ? [variant, converter] : [variant];
  const targets = [`clipglot_wasm_${variant}`, ...(converter ? ["clipglot_wasm_convert"] : [])];
  await buildWasm(variant, targets);
  mkdirSync(wasmFolder, { recursive: true });
  for (const name of modules) {
    for (const file of [`clipglot-${name}.mjs`, `clipglot-${name}.wasm`])
      copyIfChanged(join(build, `wasm-${variant}`, "wasm", file), join(wasmFolder, file));
  }
}

// Keeps the time of an unchanged file, so that nobody downstream thinks it new.
function copyIfChanged(from, to) {
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return;
  copyFileSync(from, to);
}

/** Compiles the TypeScript package into dist/js/. */
export async function buildTypeScript() {
  log("building the TypeScript package", "build");
  await run(process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-b",
    join(root, "js"),
  ]);
}

/** For tools: sets up and builds what they need. needs: { native?: preset → targets, variants?: names, js?: boolean }. */
export async function buildFor({ native = {}, variants: wanted = [], js = false }) {
  const steps = ["compiler", "sources"];
  if (wanted.length || js) steps.push("node-modules");
  if (wanted.length) steps.push("toolchain");
  await setUp(steps);
  for (const [preset, targets] of Object.entries(native)) await buildNative(preset, targets);
  for (const variant of wanted) await buildVariant(variant);
  if (js) await buildTypeScript();
}
