// One run of the fuzzer: an arbitrary list of steps, and what carries it out. A step is plain data.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { deleteCached, EmbedError, listCached, load } from "clipglot";
import { loadNames } from "../../dist/js/client/option-names.js";
import { junk, makeSource, reasons, sourceKinds, strangeSignals } from "./values.mjs";

const fakeEngine = new URL("../js/support/fake-engine/", import.meta.url);
const emojiModel = fileURLToPath(new URL("../../models/emoji", import.meta.url));
const cacheFolder = join(tmpdir(), `clipglot-fuzz-${process.pid}`);
const picture = new Uint8Array(
  Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  ),
);

// Arguments: right ones by kind, or junk by name.
const anyJunk = fc.constantFrom(...Object.keys(junk)).map((name) => ({ junk: name }));
const right = {
  text: fc
    .constantFrom(
      "",
      "cat",
      "고양이 🐈",
      "slow:3",
      "layers:3",
      "fail:6",
      "fail:8",
      "fail:1",
      "done",
      "x".repeat(60),
      "trap",
      "late",
    )
    .map((text) => ({ text })),
  texts: fc
    .array(fc.constantFrom("", "a", "bb", "slow:2", "fail:7", "c".repeat(30)), { maxLength: 7 })
    .map((texts) => ({ texts })),
  image: fc
    .constantFrom("bytes", "pixels", "blob", "buffer", "picture")
    .map((image) => ({ image })),
  images: fc
    .array(fc.constantFrom("bytes", "pixels", "blob", "picture", "noBytes"), { maxLength: 4 })
    .map((images) => ({ images })),
  items: fc
    .array(fc.tuple(fc.constantFrom("a", "b", "c", ""), fc.constantFrom("floats", "embedding")), {
      maxLength: 5,
    })
    .map((items) => ({ items })),
  query: fc.constantFrom("floats", "embedding").map((query) => ({ query })),
  cached: fc.constantFrom(cacheFolder, "/nowhere/x/").map((text) => ({ text })),
  row: fc.nat(3).map((number) => ({ number })),
};
const options = {
  load: {
    towers: [["text"], ["vision"], ["text", "vision"]],
    variant: ["simd", "auto"],
    threads: [1, 2],
    maxTokens: [16, 512],
    maxPixels: [100, 64e6],
    dtype: ["f32", "q8"],
    selfTest: [false],
    profile: [true],
  },
  text: {
    dimensions: [1, 4, 8],
    normalized: [false, true],
    priority: ["interactive", "background"],
    task: ["retrieval.query"],
    maxTokens: [2, 16],
    tooLong: ["error", "truncate"],
    normalizeText: ["NFC"],
  },
  image: {
    dimensions: [1, 8],
    normalized: [true],
    priority: ["background"],
    orientation: ["ignore"],
    grid: [1, 2],
    gray16: ["scale"],
  },
  index: { dimensions: [1, 8] },
  search: { k: [1, 3, 1e6] },
  cache: { cache: [cacheFolder] },
};
const withSignal = new Set(["load", "text", "image", "search"]);
const withProgress = new Set(["load", "text", "image"]);

const now = (weight, arbitrary) =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const signalOf = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      when: fc.constantFrom("before", "at once", "soon", "later", "after", "never"),
      reason: fc.constantFrom(...Object.keys(reasons)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...Object.keys(strangeSignals)).map((strange) => ({ strange })),
  },
);
const progressOf = fc.record({
  does: fc.constantFrom("nothing", "throws", "rejects", "aborts", "disposes", "thenable", "calls"),
  reason: fc.constantFrom(...Object.keys(reasons)),
});

function optionsOf(kind) {
  const names = Object.keys(options[kind]);
  const good = fc.record(
    Object.fromEntries(names.map((name) => [name, fc.constantFrom(...options[kind][name])])),
    { requiredKeys: [] },
  );
  const wrongNames = [
    ...names,
    ...(kind === "load" ? Object.keys(loadNames) : ["signal", "onProgress", "cache"]),
    "dimension",
    "__proto__",
    "constructor",
    "then",
  ];
  return fc.record({
    good,
    wrong: now(5, fc.tuple(fc.constantFrom(...wrongNames), fc.constantFrom(...Object.keys(junk)))),
    getter: now(25, fc.constantFrom(...wrongNames)),
    ...(withSignal.has(kind) ? { signal: now(2, signalOf) } : {}),
    ...(withProgress.has(kind) ? { progress: now(2, progressOf) } : {}),
  });
}

const argument = (kind) =>
  fc.oneof({ weight: 3, arbitrary: right[kind] }, { weight: 1, arbitrary: anyJunk });
const optionsArgument = (kind) =>
  fc.oneof(
    { weight: 8, arbitrary: optionsOf(kind).map((given) => ({ options: given })) },
    { weight: 1, arbitrary: anyJunk },
  );
const step = (weight, call, ...args) => ({
  weight,
  arbitrary: fc.record({
    call: fc.constant(call),
    on: fc.nat(5),
    args: fc.tuple(...args),
    wait: fc.boolean(),
    bare: fc.integer({ min: 0, max: 30 }).map((n) => n === 0),
  }),
});
const model = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ source: "good" }) },
  { weight: 4, arbitrary: fc.constantFrom(...sourceKinds).map((source) => ({ source })) },
  { weight: 3, arbitrary: anyJunk },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("files", "filesJunk", "addresses", "addressesJunk")
      .map((files) => ({ files })),
  },
);

export const runArbitrary = fc.record({
  real: fc.integer({ min: 0, max: 24 }).map((n) => n === 0),
  steps: fc.array(
    fc.oneof(
      step(
        2,
        "load",
        fc.record({
          model,
          options: optionsOf("load"),
          moved: fc.constantFrom("fake", "fake", "fake", "fake", "junk", "nowhere"),
          junk: fc.constantFrom(...Object.keys(junk)),
        }),
      ),
      step(1, "load", anyJunk),
      step(8, "embedText", argument("text"), optionsArgument("text")),
      step(8, "embedTexts", argument("texts"), optionsArgument("text")),
      step(8, "embedImage", argument("image"), optionsArgument("image")),
      step(6, "embedImages", argument("images"), optionsArgument("image")),
      step(4, "countTokens", argument("text"), optionsArgument("text")),
      step(4, "createIndex", optionsArgument("index")),
      step(1, "profile", anyJunk),
      step(8, "add", argument("items")),
      step(8, "search", argument("query"), optionsArgument("search")),
      step(1, "clear"),
      step(1, "disposeIndex"),
      step(1, "dispose"),
      step(2, "listCached", optionsArgument("cache")),
      step(2, "deleteCached", argument("cached"), optionsArgument("cache")),
      step(2, "row", argument("row")),
      step(1, "look"),
      step(3, "pause"),
    ),
    { minLength: 1, maxLength: 80, size: "max" },
  ),
});

const knownCodes = new Set([
  "invalid-argument",
  "unsupported-version",
  "unsupported-model",
  "corrupt-model",
  "out-of-memory",
  "invalid-text",
  "invalid-image",
  "too-long",
  "not-loaded",
  "network",
  "unreadable",
  "start-failed",
  "disposed",
  "engine-lost",
  "model-mismatch",
]);

/** Carries out the steps of a run, and counts how they end in `outcomes`. Throws when an outcome is none that is promised. */
export async function carryOut({ real, steps }, watch, outcomes = {}) {
  const world = {
    real,
    outcomes,
    embedders: [],
    indexes: [],
    embeddings: [],
    batches: [],
    pending: [],
    release: [],
    ends: [],
    problems: [],
  };
  try {
    await perform(world, firstLoad(real));
    await perform(world, { call: "createIndex", on: 0, args: [] });
    for (const one of steps) {
      watch(one);
      const done = perform(world, one);
      if (one.wait) await settled(done, world, one);
      if (world.problems.length) break;
    }
  } finally {
    watch({ call: "the end" });
    for (const release of world.release) release();
    await settled(Promise.all(world.embedders.map((embedder) => embedder.dispose())), world, {
      call: "the last dispose",
    });
    for (const end of world.ends) end();
    await settled(Promise.all(world.pending), world, { call: "everything that was begun" });
    for (const embedder of world.embedders) await embedder.dispose(); // those that came meanwhile
  }
  if (world.problems.length) throw new Error(world.problems[0]);
}

const firstLoad = (real) => ({
  call: "load",
  on: 0,
  args: [{ model: real ? "emoji" : { source: "good" }, options: { good: {} }, moved: "fake" }],
  wait: true,
});

// A last resort: nothing takes so long.
const patienceMs = 120_000;
async function settled(promise, world, one) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, patienceMs, "late");
  });
  if ((await Promise.race([promise, late])) === "late")
    world.problems.push(`${JSON.stringify(one)} does not settle`);
  clearTimeout(timer);
}

function perform(world, one) {
  const allowed = [];
  const { embedders, indexes } = world;
  const embedder = embedders[one.on % Math.max(1, embedders.length)];
  const index = indexes[one.on % Math.max(1, indexes.length)];
  const args = one.args.map((given) => make(given, world, allowed, embedder));
  const on = (self, method) => Reflect.apply(self[method], one.bare ? undefined : self, args);
  const calls = {
    load: () => load(...loadArguments(one.args[0], world, allowed)),
    add: () => index && on(index, "add"),
    search: () => index && on(index, "search"),
    clear: () => index && on(index, "clear"),
    disposeIndex: () => index && on(index, "dispose"),
    listCached: () => listCached(...args),
    deleteCached: () => deleteCached(...args),
    pause: () => new Promise((resolve) => setTimeout(resolve, one.on)),
    row: () => looking(() => world.batches[0]?.row(args[0])),
    look: () => looking(() => [embedder?.info.modelId, index?.size, index?.dimensions]),
  };
  let promise;
  try {
    promise = (calls[one.call] ?? (() => embedder && on(embedder, one.call)))();
  } catch (error) {
    world.problems.push(`${JSON.stringify(one)} threw at once: ${told(error)}`);
  }
  const outcome = Promise.resolve(promise)
    .then(
      (result) => keep(world, one, result),
      (error) => judge(world, one, error, allowed),
    )
    .then(() => allowed.ended?.());
  world.pending.push(outcome);
  return outcome;
}

// What answers at once: a value, or an EmbedError.
function looking(look) {
  try {
    look();
  } catch (error) {
    return Promise.reject(error);
  }
  return Promise.resolve();
}

function judge(world, one, error, allowed) {
  const count = (name) => {
    world.outcomes[name] = (world.outcomes[name] ?? 0) + 1;
  };
  if (allowed.some((reason) => Object.is(reason, error))) return count("the signal's reason");
  if (allowed.abortError && error instanceof DOMException && error.name === "AbortError")
    return count("the signal's reason");
  const typed =
    error instanceof EmbedError &&
    knownCodes.has(error.code) &&
    typeof error.detail === "string" &&
    error.detail !== "" &&
    !/\[object /.test(error.detail);
  if (!typed) world.problems.push(`${JSON.stringify(one)} rejected with ${told(error)}`);
  else count(error.code);
}

function keep(world, one, result) {
  const name =
    result === undefined && !["add", "clear", "dispose", "disposeIndex"].includes(one.call)
      ? "nothing"
      : "result";
  world.outcomes[name] = (world.outcomes[name] ?? 0) + 1;
  if (one.call === "load") world.embedders.push(result);
  if (one.call === "createIndex" && result) world.indexes.push(result);
  if (one.call === "embedText" && result) world.embeddings.push(result);
  if (one.call === "embedTexts" && result) world.batches.unshift(result);
}

function told(error) {
  try {
    return error?.stack ?? String(error);
  } catch {
    return "something that cannot be told";
  }
}

function make(given, world, allowed, embedder) {
  if (given === undefined || typeof given !== "object") return given;
  if ("junk" in given) return junk[given.junk]();
  if ("text" in given) return given.text;
  if ("texts" in given) return given.texts.slice();
  if ("number" in given) return given.number;
  if ("image" in given) return image(given.image);
  if ("images" in given) return given.images.map(image);
  const vector = (kind) =>
    (kind === "embedding" && world.embeddings[0]) ||
    new Float32Array(world.real ? 192 : 8).fill(0.5);
  if ("items" in given) return given.items.map(([id, kind]) => ({ id, vector: vector(kind) }));
  if ("query" in given) return vector(given.query);
  if ("options" in given) return makeOptions(given.options, world, allowed, embedder);
  return given;
}

const image = (name) => (name === "picture" ? picture : junk[name]());

function loadArguments(given, world, allowed) {
  if ("junk" in given) return [junk[given.junk]()];
  const { model: wanted, options: more, moved } = given;
  const made = makeOptions(more, world, allowed);
  const base =
    moved === "junk" ? junk[given.junk]() : moved === "nowhere" ? "/nowhere/engine/" : fakeEngine;
  if (wanted === "emoji") return [{ variant: "simd", model: emojiModel, ...made }];
  const file = (name, bytes) => new File([new Uint8Array(bytes).fill(1)], name);
  const files = {
    files: () => [file("config.json", 1200), file("weights", 30)],
    filesJunk: () => [
      file("config.json", 12),
      { name: "x", size: 5, slice: () => ({ size: 5, f() {} }) },
    ],
    addresses: () => ({ files: { "config.json": "/nowhere/config.json" } }),
    addressesJunk: () => ({ files: { "config.json": new URL("http://127.0.0.1:1/x"), b: 7 } }),
  };
  const source = wanted.source
    ? makeSource(wanted.source, world.release)
    : wanted.files
      ? files[wanted.files]()
      : junk[wanted.junk]();
  const all = { model: source, variant: "simd", assetBase: base };
  Object.defineProperties(all, Object.getOwnPropertyDescriptors(made));
  return [all];
}

function makeOptions({ good, wrong, getter, signal, progress }, world, allowed, embedder) {
  const made = { ...good };
  let control;
  if (signal?.strange) {
    made.signal = strangeSignals[signal.strange]();
    allowed.abortError = true;
    allowed.push("at once", "later");
  } else if (signal) {
    control = new AbortController();
    made.signal = control.signal;
    const stop = () => control.abort(reasons[signal.reason]());
    control.signal.addEventListener("abort", () => allowed.push(control.signal.reason));
    if (signal.when === "before") stop();
    if (signal.when === "at once") queueMicrotask(stop);
    if (signal.when === "soon") setImmediate(stop);
    if (signal.when === "later") setTimeout(stop, 4);
    if (signal.when === "after") allowed.ended = stop;
    if (control.signal.aborted) allowed.push(control.signal.reason);
    world.ends.push(stop);
  }
  if (progress) {
    const reason = () => reasons[progress.reason]();
    made.onProgress = {
      nothing: () => {},
      throws: () => {
        throw reason();
      },
      rejects: async () => {
        throw reason();
      },
      thenable: () => ({
        get then() {
          throw reason();
        },
      }),
      aborts: () => control?.abort(reason()),
      disposes: () => void embedder?.dispose(),
      calls: () =>
        void world.pending.push(
          Promise.resolve(embedder?.embedText("again")).catch((error) =>
            judge(world, { call: "a call in a callback" }, error, []),
          ),
        ),
    }[progress.does];
  }
  if (wrong)
    Object.defineProperty(made, wrong[0], {
      value: junk[wrong[1]](),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  if (getter)
    Object.defineProperty(made, getter, {
      get() {
        throw new Error("a getter throws");
      },
      enumerable: true,
      configurable: true,
    });
  if (wrong?.[0] === "signal" && wrong[1] === "aborted" && getter !== "signal")
    allowed.push(made.signal.reason);
  return made;
}
