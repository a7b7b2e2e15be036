// Starting the engine in Node where something is in the way, with the real modules, some of them damaged.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { load } from "clipglot";
import { fails, rejection } from "../shared/check.mjs";
import { goldenFolder } from "./support/suite-runner.mjs";
import { loadFake } from "./support/fake.mjs";

const built = fileURLToPath(new URL("../../dist/wasm/", import.meta.url));
const folders = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A copy of the modules with changes: file name → its text or bytes from what it was, or nothing to take it away. */
function modules(changes) {
  const folder = mkdtempSync(join(tmpdir(), "clipglot-start-"));
  folders.push(folder);
  cpSync(built, folder, { recursive: true });
  for (const [name, change] of Object.entries(changes)) {
    if (change) writeFileSync(join(folder, name), change(readFileSync(join(folder, name))));
    else rmSync(join(folder, name));
  }
  return folder;
}

async function start(options) {
  const warnings = [];
  const embedder = await load({
    model: goldenFolder,
    towers: ["text"],
    onWarning: (warning) => warnings.push(warning),
    ...options,
  });
  try {
    const { vector } = await embedder.embedText("cat");
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-4);
    return { ...embedder.info, warnings };
  } finally {
    await embedder.dispose();
  }
}

// What a thread's worker does in the place of loading the engine.
const inThread = (code) => (glue) =>
  `import { workerData as given } from "node:worker_threads";\nif (given === "em-pthread") { ${code} }\n${glue}`;
const bothThreads = (change) => ({
  "clipglot-simd-threads.mjs": change,
  "clipglot-relaxed-simd-threads.mjs": change,
});

for (const [what, code, pattern] of [
  ["throws", 'throw new Error("odd host")', /did not start: odd host/],
  ["ends", "process.exit(3)", /ended with code 3/],
  ["says nothing", "await new Promise(() => setInterval(() => {}, 1e6))", /said nothing for 5 s/],
]) {
  test(`a thread's worker that ${what}: one thread, and why; an error for a build asked for by name`, async () => {
    const assetBase = modules(bothThreads(inThread(code)));
    // Only silence is ended by the time.
    const startTimeout = what === "says nothing" ? 5000 : 60_000;
    const info = await start({ assetBase, threads: 2, startTimeout });
    assert.equal(info.threads, 1);
    assert.match(info.variant, /simd$/);
    assert.equal(info.fallbacks.length, 1);
    assert.match(info.fallbacks[0].reason, pattern);
    assert.match(info.fallbacks[0].reason, /clipglot-(relaxed-)?simd-threads\.mjs/);
    assert.deepEqual(
      info.warnings.map(({ code: name }) => name),
      ["other-build"],
    );
    await fails(
      start({ assetBase, variant: "simd-threads", threads: 2, startTimeout }),
      "start-failed",
      pattern,
    );
  });
}

test("files that are missing or damaged: the error names them, and says nothing of how the engine was built", async () => {
  const missing = modules({ "clipglot-simd.wasm": undefined });
  const error = await fails(
    start({ assetBase: missing, variant: "simd" }),
    "start-failed",
    /clipglot-simd\.wasm: cannot be read: ENOENT/,
  );
  assert.doesNotMatch(error.detail, /ASSERTIONS|\[object/);
  await fails(
    start({
      assetBase: modules({ "clipglot-simd.wasm": () => "<!doctype html>" }),
      variant: "simd",
    }),
    "start-failed",
    /clipglot-simd\.wasm: not a WebAssembly file/,
  );
  await fails(
    start({
      assetBase: modules({ "clipglot-simd.wasm": (bytes) => bytes.subarray(0, 100_000) }),
      variant: "simd",
    }),
    "start-failed",
    /clipglot-simd\.wasm: cannot be compiled here, or is damaged/,
  );
  await fails(
    start({
      assetBase: modules({ "clipglot-simd.mjs": () => "export default 7" }),
      variant: "simd",
    }),
    "start-failed",
    /clipglot-simd\.mjs: not the engine's module/,
  );
  await fails(
    start({
      assetBase: modules({ "clipglot-simd.mjs": () => "<!doctype html>" }),
      variant: "simd",
    }),
    "start-failed",
    /clipglot-simd\.mjs: cannot be imported/,
  );
});

test("the only build that is left is taken", async () => {
  const assetBase = modules(
    Object.fromEntries(
      ["simd-threads", "relaxed-simd", "relaxed-simd-threads"].map((name) => [
        `clipglot-${name}.wasm`,
        undefined,
      ]),
    ),
  );
  const info = await start({ assetBase, threads: 2 });
  assert.equal(info.variant, "simd");
  assert.ok(info.fallbacks.length >= 1);
  for (const { reason } of info.fallbacks) assert.match(reason, /ENOENT/);
});

test("createWorker: a worker of the caller's making, by the package's script", async () => {
  const made = [];
  const embedder = await loadFake({
    createWorker(url, options) {
      made.push([url, options]);
      return new Worker(new URL(url), options);
    },
  });
  assert.equal((await embedder.embedText("four")).tokens, 4);
  await embedder.dispose();
  const script = pathToFileURL(fileURLToPath(import.meta.resolve("clipglot/worker"))).href;
  assert.deepEqual(made, [[script, { name: "clipglot" }]]);
});

test("createWorker: what is no worker, what throws, what ends, what never speaks", async () => {
  const mine = new Error("not today");
  const thrown = await fails(
    loadFake({
      createWorker: () => {
        throw mine;
      },
    }),
    "invalid-argument",
    /node\/worker\.js cannot be made: Error: not today/,
  );
  assert.equal(thrown.cause, mine);
  for (const given of [
    undefined,
    null,
    7,
    {},
    Promise.resolve(),
    { postMessage() {}, terminate() {} },
  ])
    await fails(
      loadFake({ createWorker: () => given }),
      "invalid-argument",
      /createWorker must give a Worker/,
    );
  await fails(
    loadFake({ createWorker: "worker.js" }),
    "invalid-argument",
    /createWorker must be a function/,
  );
  const made = (code) => ({ createWorker: () => new Worker(code, { eval: true }) });
  await fails(
    loadFake(made("process.exit(4)")),
    "start-failed",
    /could not start: the worker ended with code 4/,
  );
  await fails(loadFake(made('throw new TypeError("odd")')), "start-failed", /could not start: odd/);
  await fails(
    loadFake({ ...made("setInterval(() => {}, 1e6)"), startTimeout: 200 }),
    "start-failed",
    /no word of it for 0\.4 s/,
  );
});

test("a load that is aborted while its worker says nothing ends the worker", async () => {
  const abort = new AbortController();
  let worker;
  const loading = loadFake({
    signal: abort.signal,
    createWorker: () => (worker = new Worker("setInterval(() => {}, 1e6)", { eval: true })),
  });
  loading.catch(() => {});
  while (!worker) await new Promise((resolve) => setImmediate(resolve));
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  abort.abort("enough");
  assert.equal(await rejection(loading), "enough");
  await ended;
});

test("startTimeout is checked", async () => {
  for (const startTimeout of [0, 99, 1.5, "1000", Infinity])
    await fails(
      loadFake({ startTimeout }),
      "invalid-argument",
      /startTimeout must be an integer from 100/,
    );
});

test("nothing of the engine's memory leaves its worker", async () => {
  // Every message is looked through for memory that both sides hold.
  const sharedBytes = [];
  const look = (value) => {
    if (value instanceof SharedArrayBuffer) sharedBytes.push(value.byteLength);
    else if (ArrayBuffer.isView(value)) look(value.buffer);
    else if (typeof value === "object" && value !== null && !(value instanceof ArrayBuffer))
      Object.values(value).forEach(look);
  };
  const embedder = await load({
    model: goldenFolder,
    variant: "simd-threads",
    threads: 2,
    createWorker(url, options) {
      const worker = new Worker(new URL(url), options);
      worker.on("message", look);
      return worker;
    },
  });
  await embedder.embedText("cat");
  await embedder.embedTexts(["a", "b"]);
  const index = await embedder.createIndex();
  await index.add([{ id: "a", vector: new Float32Array(embedder.info.fullDimensions).fill(0.1) }]);
  await index.search(new Float32Array(embedder.info.fullDimensions), { k: 1 });
  await embedder.dispose();
  assert.deepEqual(sharedBytes, [4], "the flag that stops a call, and nothing else");
});

test("addresses are written in the forms that bundlers and tracers of files see", () => {
  const code = (name) =>
    readFileSync(new URL(`../../dist/js/platform/${name}.js`, import.meta.url), "utf8");
  // A tracer misses an address inside a function whose whole body is an array.
  const assets = code("client/assets");
  assert.equal(
    [
      ...assets.matchAll(
        /(module|wasm): new URL\("\.\.\/\.\.\/\.\.\/wasm\/clipglot-[a-z-]+\.(mjs|wasm)", import\.meta\.url\)/g,
      ),
    ].length,
    8,
  );
  assert.doesNotMatch(assets, /=> \[/);
  assert.match(
    code("client/worker-ways"),
    /new Worker\(new URL\("\.\.\/\.\.\/worker\/main\.js", import\.meta\.url\), \{\s+type: "module",\s+name: "clipglot",?\s+\}\)/,
  );
  assert.match(
    code("node/client"),
    /new Worker\(new URL\("\.\.\/\.\.\/node\/worker\.js", import\.meta\.url\), /,
  );
});
