// The engine in this thread of Node, synchronously: for tools and tests that want the numbers between the stages, or a wanted
// build and nothing else. Needs dist/ (npm run build).
import { spawnSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join, resolve } from "node:path";

// Loaded at the first use: a tool may import this file before it has built dist/.
async function parts() {
  const dist = new URL("../../dist/js/", import.meta.url);
  const names = [
    "worker/engine-adapter.js",
    "worker/module.js",
    "platform/node/worker.js",
    "loading/progress-meter.js",
    "loading/transfer.js",
    "platform/node/client.js",
    "shared/variants.js",
  ];
  return Object.assign(
    {},
    ...(await Promise.all(names.map((name) => import(new URL(name, dist).href)))),
  );
}

/** Whether this Node takes relaxed SIMD. Needs no dist/. */
export function canRunRelaxedSimd() {
  // (func (result v128) three splats, f32x4.relaxed_madd)
  const code = [
    0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x85, 0x02, 0x0b,
  ];
  return WebAssembly.validate(
    new Uint8Array([
      0x00,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      1,
      5,
      1,
      0x60,
      0,
      1,
      0x7b,
      3,
      2,
      1,
      0,
      10,
      code.length + 3,
      1,
      code.length + 1,
      0,
      ...code,
    ]),
  );
}

/** What Node must be started with so that it runs `variant`: Node 20 knows relaxed SIMD, but only behind a flag. */
export function nodeFlagsFor(variant) {
  return variant.startsWith("relaxed-simd") && !canRunRelaxedSimd()
    ? ["--experimental-wasm-relaxed-simd"]
    : [];
}

/** For a tool's start: where Node needs a flag to run `variant`, runs the same command again with it, and does not return. */
export function restartFor(variant) {
  const flags = nodeFlagsFor(variant);
  if (!flags.length) return;
  if (flags.every((flag) => process.execArgv.includes(flag)))
    throw new Error(`Node ${process.version} cannot run ${variant} even with ${flags}`);
  process.exit(
    spawnSync(process.execPath, [...flags, ...process.argv.slice(1)], { stdio: "inherit" })
      .status ?? 1,
  );
}

const defaultWasmFolder = fileURLToPath(new URL("../../dist/wasm", import.meta.url));
const textDefaults = {
  dimensions: 0,
  normalized: true,
  task: "",
  maxTokens: 0,
  errorWhenTooLong: false,
  normalizeNfc: false,
};
const imageDefaults = {
  dimensions: 0,
  normalized: true,
  ignoreOrientation: false,
  grid: 0,
  scaleGray16: false,
};

/**
 * Starts exactly the build `variant` with `threads`, or fails with an EmbedError that says why. Gives an EngineAdapter
 * (js/src/worker/engine-adapter.ts) without a model. `memory`: of builds with threads, if not their own. `cancelFlag`, `onLayer`:
 * as ModuleRequest in js/src/worker/module.ts.
 */
export async function startAdapter({
  variant,
  threads = 1,
  wasmFolder = defaultWasmFolder,
  memory,
  cancelFlag,
  onLayer,
}) {
  const { EngineAdapter, startModule, nodePlatform, chooseVariant } = await parts();
  chooseVariant(variant, threads, nodePlatform.capabilities());
  const base = pathToFileURL(join(resolve(wasmFolder), `clipglot-${variant}`)).href;
  return new EngineAdapter(
    await startModule({
      moduleUrl: `${base}.mjs`,
      wasmUrl: `${base}.wasm`,
      threads,
      ...(memory ? { memory } : {}),
      ...(onLayer ? { onLayer } : {}),
      cancelFlag,
    }),
  );
}

/**
 * An engine with the model in `folder`, or in `files`: the place of each file, by its path in the model.
 *   variant, threads, memory, cancelFlag, onLayer   as startAdapter
 *   towers, dtype, maxTokens, maxPixels, selfTest   as the options of load()
 */
export async function openEngine({
  variant,
  threads = 1,
  folder,
  files,
  towers = ["text", "vision"],
  dtype = "q8",
  maxTokens = 512,
  maxPixels = 64e6,
  selfTest = true,
  wasmFolder,
  memory,
  cancelFlag,
  onLayer,
  onProgress = () => {},
}) {
  const { openPath, openPaths, ProgressMeter, transfer } = await parts();
  const adapter = await startAdapter({
    variant,
    threads,
    wasmFolder,
    memory,
    cancelFlag,
    onLayer,
  });
  adapter.create({
    text: towers.includes("text"),
    vision: towers.includes("vision"),
    dtype,
    threads,
    maxTokens,
    maxPixels,
    selfTest,
  });
  const source = files ? await openPaths(files) : await openPath(resolve(folder));
  try {
    await transfer(
      source,
      adapter.beginLoad(source.files),
      (pointer, piece) => adapter.heap.copyIn(pointer, piece),
      new ProgressMeter(folder ?? "files", onProgress),
    );
  } finally {
    await source.close();
  }
  return new DirectEngine(adapter);
}

class DirectEngine {
  constructor(adapter) {
    this.adapter = adapter;
    this.info = adapter.info();
  }

  /** `settings`: any of {dimensions, normalized, task, maxTokens, errorWhenTooLong, normalizeNfc}. Gives {vector, tokens, …}. */
  embedText(text, settings = {}) {
    return this.adapter.embedText(text, { ...textDefaults, ...settings });
  }

  /** As many of the first texts as are computed at once: {vectors, truncated}; `settings` as for embedText. */
  embedTexts(texts, settings = {}) {
    return this.adapter.embedTexts(texts, { ...textDefaults, ...settings });
  }

  /** `file`: bytes of an image file; `settings`: any of {dimensions, normalized, ignoreOrientation, grid}. */
  embedImage(file, settings = {}) {
    return this.adapter.embedEncodedImage(file, { ...imageDefaults, ...settings });
  }

  /** `rgba`: width × height × 4 bytes. */
  embedPixels(rgba, width, height, settings = {}) {
    return this.adapter.embedPixels(rgba, width, height, { ...imageDefaults, ...settings });
  }

  /** The first `dimensions` numbers of a full vector, of unit length again. */
  truncate(vector, dimensions) {
    return this.adapter.truncate(vector, dimensions);
  }

  countTokens(text, settings = {}) {
    return this.adapter.countTokens(text, { ...textDefaults, ...settings });
  }

  /**
   * Runs `call` (one embed… of this engine) with tracing: {…its result, stages}, where stages is a Map of
   * name → {dtype, shape, data}, in the order of computation (src/base/trace.h).
   */
  traced(call) {
    this.adapter.tracing.set(true);
    try {
      const result = call(this);
      const stages = new Map(
        this.adapter.tracing
          .stages()
          .map(({ name, dtype, shape, bytes }) => [
            name,
            { dtype, shape, data: typed(dtype, bytes) },
          ]),
      );
      return { ...result, stages };
    } finally {
      this.adapter.tracing.set(false);
    }
  }

  threadsSeen() {
    return this.adapter.threadsSeen();
  }

  dispose() {
    this.adapter.dispose();
  }
}

/** Bytes as numbers of `dtype`. */
export function typed(dtype, bytes) {
  const types = { F32: Float32Array, I32: Int32Array, I8: Int8Array, U8: Uint8Array };
  if (!(dtype in types)) throw new Error(`no array for ${dtype}`);
  return new types[dtype](
    bytes.buffer,
    bytes.byteOffset,
    bytes.byteLength / types[dtype].BYTES_PER_ELEMENT,
  );
}
