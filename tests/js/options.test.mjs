// Names of options: unknown ones are refused, null is "not given", each is read once. With the stand-in engine.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deleteCached, EmbedError, listCached, load } from "clipglot";
import { nearestName, loadNames, textNames } from "../../dist/js/client/option-names.js";
import { loadFake, memorySource, rejection } from "./support/fake.mjs";

let embedder, index;
before(async () => {
  embedder = await loadFake();
  index = await embedder.createIndex({ dimensions: 2 });
});
after(() => embedder.dispose());

const pixel = { data: new Uint8Array(4), width: 1, height: 1 };
const vector = new Float32Array(2);
const misspelt = {
  "load tower": [
    () => load({ model: "x", tower: ["text"] }),
    'options.tower is unknown; did you mean "towers"?',
  ],
  "load onprogress": [
    () => load({ model: "x", onprogress() {} }),
    'options.onprogress is unknown; did you mean "onProgress"?',
  ],
  "load max_tokens": [
    () => load({ model: "x", max_tokens: 5 }),
    'options.max_tokens is unknown; did you mean "maxTokens"?',
  ],
  "load, nothing like it": [
    () => load({ model: "x", q: 1 }),
    /^options\.q is unknown; there are: model, towers, /,
  ],
  "load { files }": [
    () => load({ model: { files: { "config.json": "x" }, file: 1 } }),
    'model.file is unknown; did you mean "files"?',
  ],
  "embedText dimension": [
    () => embedder.embedText("x", { dimension: 4 }),
    'options.dimension is unknown; did you mean "dimensions"?',
  ],
  "embedText of a picture's option": [
    () => embedder.embedText("x", { orientation: "exif" }),
    /options\.orientation is unknown/,
  ],
  "embedTexts normalised": [
    () => embedder.embedTexts(["x"], { normalised: true }),
    'options.normalised is unknown; did you mean "normalized"?',
  ],
  "embedImage gird": [
    () => embedder.embedImage(pixel, { gird: 1 }),
    'options.gird is unknown; did you mean "grid"?',
  ],
  "embedImages maxTokens": [
    () => embedder.embedImages([pixel], { maxTokens: 9 }),
    /options\.maxTokens is unknown/,
  ],
  "countTokens Task": [
    () => embedder.countTokens("x", { Task: "retrieval.query" }),
    'options.Task is unknown; did you mean "task"?',
  ],
  "createIndex dim": [
    () => embedder.createIndex({ dim: 4 }),
    "options.dim is unknown; there are: dimensions",
  ],
  "search limit": [
    () => index.search(vector, { limit: 4 }),
    "options.limit is unknown; there are: k, signal",
  ],
  "listCached cach": [
    () => listCached({ cach: "x" }),
    'options.cach is unknown; did you mean "cache"?',
  ],
  "deleteCached folder": [
    () => deleteCached("x", { folder: "x" }),
    "options.folder is unknown; there are: cache",
  ],
  "a name that is undefined": [
    () => embedder.embedText("x", { dimension: undefined }),
    'options.dimension is unknown; did you mean "dimensions"?',
  ],
};
for (const [name, [call, expected]] of Object.entries(misspelt)) {
  test(`unknown: ${name}`, async () => {
    const error = await rejection(call());
    assert.ok(error instanceof EmbedError, `${error}`);
    assert.equal(error.code, "invalid-argument");
    if (typeof expected === "string") assert.equal(error.detail, expected);
    else assert.match(error.detail, expected);
  });
}

test("the nearest name", () => {
  const names = Object.keys(loadNames);
  for (const [given, near] of [
    ["treads", "threads"],
    ["THREADS", "threads"],
    ["variants", "variant"],
    ["selftest", "selfTest"],
    ["onProgres", "onProgress"],
    ["assetsBase", "assetBase"],
    ["zzzzzzzzzz", undefined],
    ["x".repeat(1e6), undefined],
  ])
    assert.equal(nearestName(given, names), near, given.slice(0, 20));
});

const nothing = (names) =>
  Object.fromEntries(
    Object.keys(names)
      .filter((name) => name !== "model")
      .map((name) => [name, null]),
  );

test("null is not given, everywhere", async () => {
  const { variant, assetBase, ...others } = nothing(loadNames);
  const loaded = await loadFake(others);
  assert.equal(loaded.info.maxTokens, 512);
  const plain = await embedder.embedText("abc");
  const { milliseconds, ...same } = await loaded.embedText("abc", nothing(textNames));
  const { milliseconds: _, ...expected } = plain;
  assert.deepEqual(same, expected);
  assert.equal((await loaded.embedText("abc", null)).dimensions, 8);
  assert.equal(
    (await loaded.embedImage(pixel, { grid: null, orientation: null, gray16: null, signal: null }))
      .dimensions,
    8,
  );
  assert.equal((await loaded.embedTexts(["a"], { onProgress: null, priority: null })).count, 1);
  assert.equal((await loaded.countTokens("a", { task: null })).maxTokens, 512);
  const made = await loaded.createIndex({ dimensions: null });
  assert.equal(made.dimensions, 8);
  assert.deepEqual(await made.search(plain, { k: null, signal: null }), []);
  await loaded.dispose();
});

test("what must be given is named", async () => {
  for (const call of [
    () => load(),
    () => load(null),
    () => load({}),
    () => load({ model: null }),
    () => load({ model: undefined }),
  ])
    assert.equal(
      (await rejection(call())).detail,
      "model is missing: a URL, files, addresses or a ModelSource",
    );
});

test("a name of a model hub is taken for a folder, and the error says so", async () => {
  const error = await rejection(loadFake({ model: "org/name" }));
  assert.equal(error.code, "unreadable");
  assert.match(
    error.detail,
    /cannot read .*org.name.*ENOENT.*"org\/name" was taken for a folder, since names of model hubs are not looked up/,
  );
  for (const model of ["./org/name", "/org/name"])
    assert.doesNotMatch((await rejection(loadFake({ model }))).detail, /hubs/);
});

test("a search that names no k gives ten hits", async () => {
  const many = await embedder.createIndex({ dimensions: 1 });
  await many.add(
    Array.from({ length: 15 }, (_, i) => ({ id: `${i}`, vector: new Float32Array([i]) })),
  );
  assert.deepEqual(
    (await many.search(new Float32Array([1]))).map(({ id }) => id),
    ["14", "13", "12", "11", "10", "9", "8", "7", "6", "5"],
  );
  assert.equal((await many.search(new Float32Array([1]), { k: 20 })).length, 15);
});

test("options are read once, when the call begins", async () => {
  let reads = 0;
  const options = {
    get dimensions() {
      return ++reads === 1 ? 2 : "changed";
    },
  };
  const batch = await embedder.embedTexts(["a", "b", "c", "d"], options);
  assert.deepEqual([batch.dimensions, reads], [2, 1]);
  const changing = { dimensions: 2 };
  const pending = embedder.embedTexts(["a", "slow:5", "c", "d"], changing);
  changing.dimensions = 5;
  assert.equal((await pending).dimensions, 2);
});

test("options may be inherited, frozen, or without a prototype; callbacks keep their object", async () => {
  const defaults = { dimensions: 3 };
  assert.equal((await embedder.embedText("a", Object.create(defaults))).dimensions, 3);
  assert.equal((await embedder.embedText("a", Object.freeze({ dimensions: 3 }))).dimensions, 3);
  assert.equal(
    (await embedder.embedText("a", Object.assign(Object.create(null), { dimensions: 3 })))
      .dimensions,
    3,
  );
  let self;
  const heard = {
    onProgress() {
      self = this;
    },
  };
  await embedder.embedTexts(["a"], heard);
  class Counter {
    #seen = 0;
    onProgress = () => {
      this.#seen++;
    };
    get seen() {
      return this.#seen;
    }
  }
  const counter = new Counter();
  await embedder.embedTexts(["a"], counter);
  assert.equal(self, heard);
  assert.equal(counter.seen, 1);
});

test("a model's source may be of any class", async () => {
  class Source {
    #inner = memorySource();
    more = 1;
    list() {
      return this.#inner.list();
    }
    read(...args) {
      return this.#inner.read(...args);
    }
  }
  await (await loadFake({ model: new Source() })).dispose();
});
