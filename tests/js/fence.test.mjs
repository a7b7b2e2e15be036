// The border: whatever is given, a public function answers with a promise that rejects with an EmbedError or the signal's reason.
// With the stand-in engine. tests/fuzz tries far more, at random; these are the kinds one by one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deleteCached, EmbedError, listCached, load } from "clipglot";
import { imageNames, loadNames, textNames } from "../../dist/js/client/option-names.js";
import { junk, makeSource, reasons, sourceKinds, strangeSignals } from "../fuzz/values.mjs";
import { loadFake, memorySource, rejection } from "./support/fake.mjs";

const raw = [];
process.on("unhandledRejection", (error) => raw.push(error));
let embedder, index;
before(async () => {
  embedder = await loadFake();
  index = await embedder.createIndex();
});
after(async () => {
  await embedder.dispose();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(raw, [], "nothing was left unhandled");
});

/** A result or an EmbedError that says something; never thrown at once. */
async function tidy(name, call) {
  let promise;
  assert.doesNotThrow(() => {
    promise = call();
  }, name);
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof EmbedError, `${name}: ${error?.stack}`);
    assert.notEqual(error.code, "internal", `${name}: ${error.detail}`);
    assert.doesNotMatch(error.detail, /\[object /, name);
  }
}

// A folder that is made for a cache, and a search through the whole of a large list, are no business of this test.
const functions = {
  load: (value) => load(value),
  "load model": (value) => loadFake({ model: value }).then((loaded) => loaded.dispose()),
  "load files": (value) => loadFake({ model: { files: value } }),
  embedText: (value) => embedder.embedText(value),
  embedTexts: (value) => embedder.embedTexts(value),
  "embedTexts item": (value) => embedder.embedTexts(["a", value]),
  embedImage: (value) => embedder.embedImage(value),
  embedImages: (value) => embedder.embedImages(value),
  "embedImages item": (value) => embedder.embedImages([value]),
  countTokens: (value) => embedder.countTokens(value),
  add: (value) => index.add(value),
  "add item": (value) => index.add([value]),
  "add vector": (value) => index.add([{ id: "a", vector: value }]),
  "add id": (value) => index.add([{ id: value, vector: new Float32Array(8) }]),
  search: (value) => index.search(value),
  listCached: (value) => listCached({ cache: value }),
  deleteCached: (value) => deleteCached(value, { cache: "/nowhere/x" }),
};
for (const [name, call] of Object.entries(functions))
  test(`any value: ${name}`, async () => {
    for (const [kind, value] of Object.entries(junk))
      await tidy(`${name}(${kind})`, () => call(value()));
  });

// From the tables of the package, so that a new option is tried without being written here.
const optionsOf = {
  load: Object.keys(loadNames).filter((name) => name !== "model"),
  text: Object.keys(textNames),
  image: Object.keys(imageNames).filter((name) => !(name in textNames)),
};
test("any value for any option", async () => {
  for (const [kind, value] of Object.entries(junk).filter(([name]) => name !== "aborted")) {
    // whose reason comes back; see below
    for (const name of optionsOf.load)
      await tidy(`load ${name} ${kind}`, () =>
        loadFake({ model: memorySource({ corrupt: new Uint8Array(1) }), [name]: value() }),
      );
    for (const name of optionsOf.text)
      await tidy(`text ${name} ${kind}`, () => embedder.embedText("x", { [name]: value() }));
    for (const name of optionsOf.image)
      await tidy(`image ${name} ${kind}`, () =>
        embedder.embedImage(new Uint8Array([1]), { [name]: value() }),
      );
    await tidy(`options ${kind}`, () => embedder.embedText("x", value()));
    await tidy(`createIndex ${kind}`, () =>
      embedder.createIndex({ dimensions: value() }).then((made) => made.dispose()),
    );
    await tidy(`search ${kind}`, () => index.search(new Float32Array(8), { k: value() }));
  }
});

test("any source", async () => {
  for (const kind of sourceKinds) {
    const stop = new AbortController();
    const release = [];
    const loading = loadFake({ model: makeSource(kind, release), signal: stop.signal });
    if (/Hangs/.test(kind)) {
      stop.abort("enough");
      assert.equal(await rejection(loading), "enough", kind);
      for (const end of release) end();
    } else await tidy(`source ${kind}`, () => loading.then((loaded) => loaded.dispose()));
  }
});

test("any reason of an abort comes back as it is", async () => {
  for (const [kind, make] of Object.entries(reasons)) {
    const reason = make();
    for (const call of [
      (signal) => embedder.embedText("slow:5", { signal }),
      (signal) => embedder.embedTexts(["a", "b"], { signal }),
      (signal) => index.search(new Float32Array(8), { signal }),
      (signal) => loadFake({ signal }),
    ]) {
      const stop = new AbortController();
      const running = call(stop.signal);
      stop.abort(reason);
      const came = await running.then(
        () => assert.fail("it did not reject"),
        (error) => ({ error }),
      );
      assert.ok(Object.is(came.error, stop.signal.reason), kind);
    }
  }
});

test("signals that are none of the platform's", async () => {
  for (const [kind, make] of Object.entries(strangeSignals)) {
    const came = await embedder.embedText("slow:3", { signal: make() }).then(
      (result) => ({ result }),
      (error) => ({ error }),
    );
    if ("error" in came)
      assert.ok(
        came.error instanceof EmbedError ||
          ["at once", "later"].includes(came.error) ||
          came.error.name === "AbortError",
        `${kind}: ${came.error}`,
      );
  }
});

test("whatever a callback throws, at once or later", async () => {
  for (const [kind, make] of Object.entries(reasons)) {
    for (const onProgress of [
      () => {
        throw make();
      },
      async () => {
        throw make();
      },
      () => ({
        get then() {
          throw make();
        },
      }),
    ]) {
      for (const call of [
        () => loadFake({ onProgress }),
        () => embedder.embedText("layers:5", { onProgress }),
      ]) {
        const came = await call().then(
          (result) => ({ result }),
          (error) => ({ error }),
        );
        if ("error" in came) assert.match(came.error.detail, /^onProgress threw: ./, kind);
        else await came.result.dispose?.(); // an async callback may fail after the call
      }
    }
  }
});

test("what an index cannot take is refused, not passed over", async () => {
  const vector = new Float32Array(8);
  const batch = await embedder.embedTexts(["a"]);
  const own = await embedder.createIndex();
  for (const [items, pattern] of [
    [
      { id: "a", vector },
      /items must be an array or another iterable of \{ id, vector \}, not Object; put the item into an array/,
    ],
    [batch, /iterable/],
    [undefined, /not undefined/],
    [null, /not null/],
    ["ab", /not "ab"/],
    [{ length: 1, 0: { id: "a", vector } }, /iterable/],
    [[undefined], /items\[0\] must be \{ id, vector \}, not undefined/],
    [[, { id: "a", vector }], /items\[0\]/],
    [new Map([["a", vector]]), /items\[0\]\.id must be a string/],
    [[{ id: "a", vector: [1, 2] }], /items\[0\]\.vector must be a Float32Array/],
  ]) {
    const error = await rejection(own.add(items));
    assert.equal(error.code, "invalid-argument");
    assert.match(error.detail, pattern);
  }
  assert.equal(own.size, 0);
});

test("an iterator may fill one array again and again", async () => {
  const own = await embedder.createIndex({ dimensions: 2 });
  await own.add(
    (function* () {
      const vector = new Float32Array(2);
      for (let i = 0; i < 40; i++) {
        vector.set([i, 1]);
        yield { id: `${i}`, vector };
      }
    })(),
  );
  assert.deepEqual(await own.search(new Float32Array([1, 0]), { k: 2 }), [
    { id: "39", score: 39 },
    { id: "38", score: 38 },
  ]);
  await own.dispose();
  assert.equal(own.size, 0);
});

test("methods without their object", async () => {
  for (const name of [
    "embedText",
    "embedTexts",
    "embedImage",
    "embedImages",
    "countTokens",
    "createIndex",
    "profile",
    "dispose",
  ]) {
    const error = await rejection(Reflect.apply(embedder[name], undefined, ["x"]));
    assert.equal(error.code, "invalid-argument", name);
    assert.match(error.detail, new RegExp(`^${name} was called without its embedder`));
  }
  for (const name of ["add", "search", "clear", "dispose"])
    assert.match(
      (await rejection(Reflect.apply(index[name], undefined, [[]]))).detail,
      /without its index/,
    );
  assert.throws(() => Reflect.get(Object.getPrototypeOf(embedder), "info", {}), {
    name: "EmbedError",
    code: "invalid-argument",
  });
  assert.throws(() => Reflect.get(Object.getPrototypeOf(index), "size", {}), {
    name: "EmbedError",
    code: "invalid-argument",
  });
});

test("properties stay when all is disposed; info cannot be changed", async () => {
  const own = await loadFake();
  const small = await own.createIndex({ dimensions: 2 });
  const batch = await own.embedTexts(["a", "b"]);
  await own.dispose();
  assert.deepEqual([own.info.fullDimensions, small.dimensions, small.size], [8, 2, 0]);
  assert.equal(batch.row(1)[0], 1);
  for (const i of [2, -1, 0.5, NaN, "0", undefined, null, 1n])
    assert.throws(() => batch.row(i), { name: "EmbedError", code: "invalid-argument" });
  assert.throws(() => {
    own.info.fullDimensions = 9;
  }, TypeError);
  for (const call of [
    () => own.embedText("x"),
    () => own.createIndex(),
    () => small.add([{ id: "a", vector: new Float32Array(2) }]),
    () => small.search(new Float32Array(2)),
    () => small.clear(),
  ])
    assert.equal((await rejection(call())).code, "disposed");
  await Promise.all([own.dispose(), small.dispose(), own[Symbol.asyncDispose]?.()]);
});

test("what is added while the index ends is refused", async () => {
  const own = await embedder.createIndex({ dimensions: 1 });
  const item = (id) => [{ id, vector: new Float32Array(1) }];
  const added = [own.add(item("a")), own.add(item("b")), own.clear()];
  const ended = own.dispose();
  for (const one of added) assert.equal((await rejection(one)).code, "disposed");
  await ended;
});

test("a text that is too long is not even sent", async () => {
  const { code, detail } = await rejection(embedder.embedText("a".repeat((16 << 20) + 1)));
  assert.deepEqual(
    [code, detail],
    [
      "invalid-argument",
      "text has 16777217 characters; texts have at most 16777216 bytes in UTF-8",
    ],
  );
});
