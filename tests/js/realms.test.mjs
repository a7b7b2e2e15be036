// What callers give may come from another realm (an iframe, node:vm, and so Jest and Vitest), where Float32Array, Error, URL …
// are other classes with the same names. With the stand-in engine.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import vm from "node:vm";
import { reasonOf } from "../../dist/js/shared/reason.js";
import { isUint8Array, isUrl, tagOf, typedArrayName } from "../../dist/js/shared/values.js";
import { EmbedError } from "clipglot";
import { loadFake, memorySource, rejection } from "./support/fake.mjs";

const other = vm.createContext({ AbortController, URL, setTimeout });
const run = (code) => vm.runInContext(code, other);
// The realm has no URL and no AbortSignal of its own; these are what such ones look like from outside.
run(`
  class OtherUrl { constructor(href) { this.href = href; } toString() { return this.href; } get [Symbol.toStringTag]() { return "URL"; } }
  class OtherSignal {
    aborted = false; reason = undefined; listeners = new Set();
    addEventListener(type, listener) { this.listeners.add(listener); }
    removeEventListener(type, listener) { this.listeners.delete(listener); }
    abort(reason) { this.aborted = true; this.reason = reason; for (const listener of this.listeners) listener({ type: "abort" }); }
  }`);

let embedder;
before(async () => {
  embedder = await loadFake();
});
after(() => embedder.dispose());

test("vectors for an index", async () => {
  const index = await embedder.createIndex({ dimensions: 2 });
  const vector = run("new Float32Array([1, 0])");
  assert.equal(vector instanceof Float32Array, false, "it is of another realm");
  await index.add(
    run(
      "[{ id: 'a', vector: new Float32Array([1, 0]) }, { id: 'b', vector: new Float32Array([0, 1]) }]",
    ),
  );
  await index.add(run("new Set([{ id: 'c', vector: new Float32Array([2, 0]) }])"));
  assert.deepEqual(
    (await index.search(vector, run("({ k: 2 })"))).map(({ id }) => id),
    ["c", "a"],
  );
  const { code, detail } = await rejection(index.search(run("new Float64Array(2)")));
  assert.deepEqual(
    [code, detail],
    ["invalid-argument", "query must be a Float32Array or an Embedding, not Float64Array"],
  );
  await index.dispose();
});

test("texts, pictures and options", async () => {
  const batch = await embedder.embedTexts(run("['a', 'bb']"), run("({ dimensions: 1 })"));
  assert.deepEqual([...batch.data], [1, 2]);
  for (const code of [
    "new Uint8Array([66, 77])",
    "new Uint8Array([66, 77]).buffer",
    "new DataView(new Uint8Array([66, 77]).buffer)",
    "({ bytes: new Uint8Array([66, 77]) })",
  ]) // as a BMP begins
    assert.deepEqual(
      [...(await embedder.embedImage(run(code))).vector.subarray(0, 2)],
      [2, 66],
      code,
    );
  for (const name of ["Uint8Array", "Uint8ClampedArray"])
    assert.deepEqual(
      [
        ...(
          await embedder.embedImage(run(`({ data: new ${name}(8), width: 2, height: 1 })`))
        ).vector.subarray(0, 3),
      ],
      [8, 2, 1],
      name,
    );
});

test("a signal: its reason comes back, before and during the call, and no listener stays", async () => {
  const signal = run("new OtherSignal()");
  const reason = run("new Error('theirs')");
  const running = embedder.embedText("slow:30", { signal });
  assert.equal(signal.listeners.size, 1);
  signal.abort(reason);
  assert.equal(await rejection(running), reason);
  assert.equal(signal.listeners.size, 0);
  assert.equal(await rejection(embedder.embedText("x", { signal })), reason);
  const without = run("new OtherSignal()");
  without.abort(undefined);
  assert.equal((await rejection(embedder.embedText("x", { signal: without }))).name, "AbortError");
});

test("a model: addresses, sources, their bytes and their errors", async () => {
  const folder = new URL("../data/", import.meta.url).href;
  const { code, detail } = await rejection(loadFake({ model: run(`new OtherUrl("ftp://x/")`) }));
  assert.deepEqual([code, /ftp:/.test(detail)], ["invalid-argument", true], detail);
  assert.equal(
    (await rejection(loadFake({ assetBase: run(`new OtherUrl(${JSON.stringify(folder)})`) }))).code,
    "start-failed",
  );
  const files = run(`({ files: { "config.json": new OtherUrl("file:///nowhere/config.json") } })`);
  assert.match((await rejection(loadFake({ model: files }))).detail, /nowhere/);
  const source = run(
    `({ list: async () => [{ path: "config.json", byteLength: 3 }], read: async (path, offset, length) => new Uint8Array(length).fill(1) })`,
  );
  const loaded = await loadFake({ model: source, towers: run(`["text"]`) });
  assert.equal(loaded.info.residentBytes, 3);
  await loaded.dispose();
  const failing = await rejection(
    loadFake({
      model: { ...memorySource(), read: run(`async () => { throw new TypeError("their disk"); }`) },
    }),
  );
  assert.deepEqual([failing.code, failing.detail], ["unreadable", "config.json: their disk"]);
  assert.match(
    (
      await rejection(
        loadFake({
          model: { ...memorySource(), list: run(`() => { throw new TypeError("their list"); }`) },
        }),
      )
    ).detail,
    /their list/,
  );
});

test("a callback's error", async () => {
  const thrown = await rejection(
    embedder.embedTexts(["a"], {
      onProgress: run(`() => { throw new RangeError("their callback"); }`),
    }),
  );
  assert.ok(thrown instanceof EmbedError);
  assert.equal(thrown.detail, "onProgress threw: their callback");
  assert.equal(thrown.cause.constructor.name, "RangeError");
});

test("what is said of anything that may be thrown", () => {
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const throwing = {
    get message() {
      throw new Error("no");
    },
    get [Symbol.toStringTag]() {
      throw new Error("no");
    },
  };
  const said = [
    [new Error("plain"), /^plain$/],
    [run("new TypeError('other realm')"), /^other realm$/],
    ["text", /^text$/],
    ["", /no reason/],
    [undefined, /^undefined$/],
    [null, /^null$/],
    [Symbol("s"), /Symbol/],
    [7n, /^7$/],
    [{}, /Object without a message/],
    [new Event("error"), /event "error"/],
    [Object.assign(new Event("error"), { error: new Error("inside") }), /^inside$/],
    [new DOMException("", "DataCloneError"), /DataCloneError/],
    [new Error(), /^Error without a message$/],
    [revoked(), /cannot be looked at/],
    [throwing, /without a message/],
    [{ message: "like an error" }, /like an error/],
    [{ message: 7 }, /without/],
    [() => {}, /Function|^$|./],
  ];
  for (const [thrown, pattern] of said) {
    const message = reasonOf(thrown);
    assert.match(message, pattern);
    assert.doesNotMatch(message, /\[object/);
  }
  assert.equal(tagOf(revoked()), "object that cannot be looked at");
  for (const value of [
    undefined,
    null,
    1,
    "x",
    revoked(),
    throwing,
    { [Symbol.toStringTag]: "Uint8Array" },
    new DataView(new ArrayBuffer(1)),
  ]) {
    assert.equal(typedArrayName(value), undefined);
    assert.equal(isUint8Array(value), false);
    assert.equal(isUrl(value), false);
  }
  assert.equal(isUrl(new URL("http://x/")), true);
});
