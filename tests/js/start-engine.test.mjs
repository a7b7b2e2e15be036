// The ladder of builds and the watch over each start (js/src/worker/start-engine.ts, module.ts), with files and threads that do what the
// test says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startEngineModule } from "../../dist/js/worker/start-engine.js";
import { StartFailure } from "../../dist/js/shared/start-failure.js";
import { fallbackChoices } from "../../dist/js/shared/variants.js";
import { rejection } from "../shared/check.mjs";

// (module): compiles at once, asks for nothing.
const emptyModule = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));

/**
 * Starts "relaxed-simd-threads" with three threads, or `build`. `does`:
 *   import, compile (variant)   may throw
 *   thread (events, place, way) what a thread does when it is made
 *   settled                     false: the module never settles, whatever happens
 */
async function start(
  does = {},
  {
    build = { variant: "relaxed-simd-threads", threads: 3 },
    automatic = true,
    startTimeout = 60_000,
  } = {},
) {
  const seen = { warnings: [], lost: [], made: [], ended: 0, started: [] };
  const locate = (one) => ({
    ...one,
    moduleUrl: `file:///${one.variant}.mjs`,
    wasmUrl: `file:///${one.variant}.wasm`,
  });
  const variantOf = (url) => /\/([a-z-]+)\.\w+$/.exec(url)[1];
  const files = {
    async importModule(url) {
      does.import?.(variantOf(url));
      return { default: (settings) => factory(variantOf(url), settings) };
    },
    async compile(url) {
      does.compile?.(variantOf(url));
      return emptyModule;
    },
    threadWays: () => ({ ways: does.ways ?? ["address"], noneBecause: "no such thing here" }),
    startThread(_url, _options, way, events) {
      seen.made.push(way);
      let alive = true;
      const thread = {
        worker: {},
        async end() {
          if (!alive) return;
          alive = false;
          for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
          seen.ended++;
        },
      };
      if (does.thread) does.thread(events, seen.made.length - 1, way);
      else setImmediate(() => events.loaded());
      return thread;
    },
    explainThread: async (url) => `${url} is odd`,
  };
  // As Emscripten's: makes the workers at once, asks for the instance, and is there when all have loaded.
  async function factory(variant, settings) {
    seen.started.push(variant);
    for (let i = 1; i < settings.clipglotThreads; i++)
      settings.clipglotWorker(new URL(`file:///${variant}.mjs`), {});
    await new Promise((resolve) => settings.instantiateWasm({}, resolve));
    if (does.settled === false && settings.clipglotThreads > 1) await new Promise(() => {});
    if (does.refuse?.(variant)) throw new RangeError("out of pages");
    return { variant };
  }
  const result = startEngineModule({
    builds: [build, ...(automatic ? fallbackChoices(build) : [])].map(locate),
    startTimeout,
    files,
    hooks: {},
    onLost: (reason) => seen.lost.push(reason),
    onWarning: (warning) => seen.warnings.push(warning),
    reserveMemory:
      does.memory ?? (() => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })),
  });
  return { result, seen };
}

const fellTo = async ({ result, seen }, variant, threads, ...reasons) => {
  const { build, fallbacks } = await result;
  assert.deepEqual([build.variant, build.threads], [variant, threads]);
  assert.equal(fallbacks.length, reasons.length, JSON.stringify(fallbacks));
  for (const [i, pattern] of reasons.entries()) assert.match(fallbacks[i].reason, pattern);
  assert.deepEqual(
    seen.warnings.map(({ code }) => code),
    reasons.map(() => "other-build"),
  );
};

test("nothing in the way", async () => {
  const started = await start();
  await fellTo(started, "relaxed-simd-threads", 3);
  assert.deepEqual([started.seen.made.length, started.seen.ended], [2, 0]);
});

test("a thread whose script does not load: one thread, and no worker is left", async () => {
  const started = await start({
    settled: false,
    thread: (events, place) => place === 1 && events.failed(""),
  });
  await fellTo(
    started,
    "relaxed-simd",
    1,
    /worker of a thread \(file:\/\/\/relaxed-simd-threads\.mjs\) did not start: its script could not be loaded: .* is odd/,
  );
  assert.deepEqual([started.seen.made.length, started.seen.ended], [2, 2]);
});

test("a thread that breaks before it waits for work", async () => {
  await fellTo(
    await start({
      settled: false,
      thread: (events) => setImmediate(() => events.failed("SyntaxError: odd")),
    }),
    "relaxed-simd",
    1,
    /did not start: SyntaxError: odd/,
  );
});

test("threads that say nothing: one thread, after the time that was given", async () => {
  const started = await start(
    { settled: false, thread: (events, place) => place === 0 && events.loaded() },
    { startTimeout: 100 },
  );
  await fellTo(started, "relaxed-simd", 1, /1 of 2 workers said nothing for 0\.1 s/);
  assert.equal(started.seen.ended, 2);
});

test("threads start by a blob where they do not by the address, and that is no other build", async () => {
  const started = await start({
    settled: true,
    ways: ["address", "blob"],
    thread: (events, _place, way) =>
      way === "blob" ? setImmediate(() => events.loaded()) : events.failed(""),
  });
  await fellTo(started, "relaxed-simd-threads", 3);
  assert.deepEqual(started.seen.made, ["address", "address", "blob", "blob"]);
  assert.equal(started.seen.ended, 2);
});

test("a place without threads", async () => {
  await fellTo(await start({ ways: [] }), "relaxed-simd", 1, /no such thing here/);
});

test("memory that is refused, to share or at all", async () => {
  await fellTo(
    await start({ memory: () => undefined }),
    "relaxed-simd",
    1,
    /gives no memory that threads can share/,
  );
  await fellTo(
    await start({ refuse: (variant) => variant.endsWith("threads") }),
    "relaxed-simd",
    1,
    /heap was refused: out of pages/,
  );
  const { result } = await start({ refuse: () => true });
  const error = await rejection(result);
  assert.equal(error.code, "out-of-memory");
});

test("an instruction that is not known: plain SIMD with the same threads, then one thread", async () => {
  const unknown = (pattern) => ({
    compile: (variant) => {
      if (pattern.test(variant))
        throw new StartFailure("compile", `${variant}.wasm: invalid opcode`);
    },
  });
  await fellTo(
    await start(unknown(/relaxed/)),
    "simd-threads",
    3,
    /relaxed-simd-threads\.wasm: invalid opcode/,
  );
  await fellTo(
    await start(unknown(/relaxed|threads/)),
    "simd",
    1,
    /relaxed/,
    /^simd-threads\.wasm/,
  );
});

test("files that do not come: any other build; none of them: the first reason, and what else was tried", async () => {
  const missing = (pattern) => ({
    import: (variant) => {
      if (pattern.test(variant)) throw new StartFailure("files", `${variant}.mjs: 404`);
    },
  });
  await fellTo(await start(missing(/relaxed-simd-threads/)), "simd-threads", 3, /404/);
  await fellTo(await start(missing(/threads/)), "relaxed-simd", 1, /404/, /404/);
  const { result, seen } = await start(missing(/./));
  const error = await rejection(result);
  assert.equal(error.code, "start-failed");
  assert.match(
    error.detail,
    /^relaxed-simd-threads\.mjs: 404 \(nor did others start: simd-threads, relaxed-simd, simd\)$/,
  );
  assert.equal(seen.warnings.length, 3);
});

test("what the page forbids is told at once", async () => {
  const { result, seen } = await start({
    compile: () => {
      throw new StartFailure("policy", "forbidden");
    },
  });
  const error = await rejection(result);
  assert.deepEqual(
    [error.code, error.detail, seen.started.length],
    ["start-failed", "forbidden", 1],
  );
});

test("a build asked for by name: the reason, and nothing else is tried", async () => {
  const { result, seen } = await start(
    { settled: false, thread: (events) => events.failed("broken") },
    { automatic: false },
  );
  const error = await rejection(result);
  assert.equal(error.code, "start-failed");
  assert.match(error.detail, /did not start: broken/);
  assert.deepEqual([seen.started, seen.warnings], [["relaxed-simd-threads"], []]);
  assert.equal(seen.ended, seen.made.length);
});

test("a thread that breaks later is the end of the engine, and is told", async () => {
  let broken;
  const { result, seen } = await start({
    thread: (events) => {
      setImmediate(() => events.loaded());
      broken = events;
    },
  });
  await result;
  broken.failed("RuntimeError: unreachable");
  assert.deepEqual(seen.lost, ["a thread of the engine broke: RuntimeError: unreachable"]);
});

test("a module that is none", async () => {
  const { result } = await start({
    import: () => {
      throw new TypeError("odd");
    },
  });
  assert.equal((await rejection(result)).code, "start-failed");
});
