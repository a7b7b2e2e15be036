// Every promise settles: load, calls, abort, dispose, a lost engine. With the stand-in engine, in a real worker thread.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EmbedError } from "clipglot";
import { loadFake, memorySource, rejection } from "./support/fake.mjs";

const hasCode = (error, code, detail = /./) => {
  assert.ok(error instanceof EmbedError, `${error}`);
  assert.equal(error.code, code);
  assert.match(error.detail, detail);
};

const isOfCallback = (error, cause) => {
  hasCode(error, "invalid-argument", /^onProgress threw: mine$/);
  assert.equal(error.cause, cause);
};

/** Bytes that begin as a JPEG does. */
function jpeg(length) {
  const bytes = new Uint8Array(length);
  bytes.set([255, 216, 255]);
  return bytes;
}

test("load fetches every byte and reports progress", async () => {
  const events = [];
  const files = {
    "config.json": new Uint8Array(2500).fill(2),
    weights: new Uint8Array(10_500).fill(3),
    empty: new Uint8Array(0),
  };
  const embedder = await loadFake({
    model: memorySource(files),
    onProgress: (event) => events.push(event),
  });
  assert.equal(embedder.info.residentBytes, 2500 * 2 + 10_500 * 3);
  assert.equal(embedder.info.variant, "simd");
  assert.equal(embedder.info.numerics, "simd");
  assert.equal(embedder.info.threads, 1);
  assert.deepEqual(
    events.filter(({ status }) => status === "initiate").map(({ file }) => file),
    ["config.json", "weights"],
  );
  assert.deepEqual(
    events
      .filter(({ status }) => status === "done")
      .map(({ file, loaded, total }) => [file, loaded, total]),
    [
      ["config.json", 2500, 2500],
      ["weights", 10_500, 10_500],
    ],
  );
  const totals = events.filter(({ status }) => status === "progress_total");
  assert.ok(totals.length > 2);
  for (const [i, event] of totals.entries())
    assert.ok(
      i === 0 || (event.progress >= totals[i - 1].progress && event.loaded >= totals[i - 1].loaded),
    );
  assert.deepEqual(events.at(-1), {
    status: "ready",
    name: "ModelSource",
    file: "",
    loaded: 13_000,
    total: 13_000,
    progress: 100,
    fromCache: false,
  });
  await embedder.dispose();
});

test("load fails with the engine's error", async () => {
  hasCode(
    await rejection(loadFake({ model: memorySource({ corrupt: new Uint8Array(1) }) })),
    "corrupt-model",
    /of course/,
  );
  hasCode(await rejection(loadFake({ maxTokens: 13 })), "out-of-memory");
});

test("load fails when the source does", async () => {
  const boom = new Error("disk on fire");
  const list = await rejection(
    loadFake({
      model: {
        ...memorySource(),
        list: async () => {
          throw boom;
        },
      },
    }),
  );
  hasCode(list, "unreadable", /disk on fire/);
  assert.equal(list.cause, boom);
  const read = await rejection(
    loadFake({
      model: {
        ...memorySource(),
        read: async () => {
          throw boom;
        },
      },
    }),
  );
  hasCode(read, "unreadable", /config\.json: disk on fire/);
  assert.equal(read.cause.message, "disk on fire");
  hasCode(
    await rejection(
      loadFake({ model: { ...memorySource(), read: async () => new Uint8Array(3) } }),
    ),
    "unreadable",
    /must give 1000 bytes/,
  );
});

test("a source keeps the bytes that it gave", async () => {
  const files = { "config.json": new Uint8Array(1500).fill(1) };
  const embedder = await loadFake({ model: memorySource(files) });
  assert.equal(files["config.json"].length, 1500);
  await embedder.dispose();
});

test("load fails when the engine's files are missing", async () => {
  hasCode(
    await rejection(loadFake({ assetBase: new URL("./nowhere/", import.meta.url) })),
    "start-failed",
    /nowhere\/clipglot-simd\.mjs/,
  );
});

test("abort before and during load", async () => {
  const early = new Error("early");
  assert.equal(await rejection(loadFake({ signal: AbortSignal.abort(early) })), early);
  const abort = new AbortController();
  let given;
  const model = {
    ...memorySource(),
    read: (_path, _offset, _length, signal) =>
      new Promise(() => {
        given = signal;
        abort.abort("late");
      }),
  };
  assert.equal(await rejection(loadFake({ model, signal: abort.signal })), "late");
  assert.equal(given.aborted, true);
  const listing = new AbortController();
  const stuck = loadFake({
    model: { ...memorySource(), list: () => new Promise(() => {}) },
    signal: listing.signal,
  });
  listing.abort("list");
  assert.equal(await rejection(stuck), "list");
});

test("a progress callback that throws ends the load, with its error as the cause", async () => {
  const error = new Error("mine");
  isOfCallback(
    await rejection(
      loadFake({
        onProgress: () => {
          throw error;
        },
      }),
    ),
    error,
  );
  isOfCallback(
    await rejection(
      loadFake({
        onProgress: async () => {
          throw error;
        },
      }),
    ),
    error,
  );
});

test("a failed call does not harm the next", async () => {
  const embedder = await loadFake();
  hasCode(await rejection(embedder.embedText("fail:6")), "invalid-text", /asked to fail/);
  hasCode(await rejection(embedder.embedText("fail:8")), "too-long");
  hasCode(await rejection(embedder.embedText("fail:99")), "internal");
  hasCode(await rejection(embedder.embedImage(new Uint8Array(0))), "invalid-image");
  assert.equal((await embedder.embedText("four")).vector[0], 4);
  await embedder.dispose();
});

test("inputs that do not fit into the heap are refused", async () => {
  const embedder = await loadFake();
  hasCode(await rejection(embedder.embedImage(jpeg(8 << 20))), "out-of-memory", /8388608 bytes/);
  assert.equal((await embedder.embedText("abc")).tokens, 3);
  await embedder.dispose();
});

test("many-calls keep the order, report progress, and name the item that failed", async () => {
  const embedder = await loadFake();
  const progress = [];
  const batch = await embedder.embedTexts(["a", "bbb", "cc"], {
    dimensions: 2,
    onProgress: (...numbers) => progress.push(numbers),
  });
  assert.deepEqual([...batch.data], [1, 2, 3, 2, 2, 2]);
  assert.deepEqual([batch.count, batch.dimensions, batch.truncated], [3, 2, []]);
  assert.deepEqual([...batch.row(1)], [3, 2]);
  batch.row(1).fill(9);
  assert.deepEqual([...batch.row(1)], [3, 2]);
  hasCode(await rejection(Promise.resolve().then(() => batch.row(3))), "invalid-argument");
  assert.deepEqual(progress, [
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
  assert.equal((await embedder.embedTexts([])).count, 0);

  const failed = await rejection(embedder.embedTexts(["a", "fail:7", "c"]));
  hasCode(failed, "invalid-image", /^texts\[1\]: asked to fail/);
  assert.ok(failed.cause instanceof EmbedError);
  hasCode(
    await rejection(embedder.embedImages([jpeg(3), new Uint8Array(0)])),
    "invalid-image",
    /^images\[1\]: /,
  );
  const mine = new Error("mine");
  isOfCallback(
    await rejection(
      embedder.embedTexts(["a"], {
        onProgress: () => {
          throw mine;
        },
      }),
    ),
    mine,
  );
  assert.equal((await embedder.embedText("ok")).tokens, 2);
  await embedder.dispose();
});

test("texts that the engine takes together: order, cut rows, progress, and which one failed", async () => {
  const embedder = await loadFake();
  const texts = ["a", "", "ääää", "x".repeat(21), "bb", "slow:1", "y".repeat(30), "ccc", "d", "e"];
  const bytes = texts.map((text) => new TextEncoder().encode(text).length);
  const progress = [];
  const batch = await embedder.embedTexts(texts, {
    dimensions: 3,
    onProgress: (done) => progress.push(done),
  });
  assert.deepEqual(
    texts.map((_, i) => batch.row(i)[0]),
    bytes,
  );
  assert.deepEqual(
    texts.map((_, i) => batch.row(i)[1]),
    texts.map(() => 3),
  );
  assert.deepEqual(batch.truncated, [3, 6]);
  assert.deepEqual(progress, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  // More than go to the worker at once, by number and by length.
  const many = Array.from({ length: 300 }, (_, i) => "z".repeat(i % 150 === 7 ? 5000 : i % 11));
  const rows = await embedder.embedTexts(many, { dimensions: 1 });
  assert.deepEqual(
    [...rows.data],
    many.map(({ length }) => length),
  );
  progress.length = 0;
  const failed = await rejection(
    embedder.embedTexts(["a", "b", "c", "d", "fail:8", "e"], {
      onProgress: (done) => progress.push(done),
    }),
  );
  hasCode(failed, "too-long", /^texts\[4\]: asked to fail/);
  assert.deepEqual(progress, [1, 2, 3, 4], "what came before the failure was done");
  await embedder.dispose();
});

test("a many-call that its callback ends in the middle of a group", async () => {
  const embedder = await loadFake();
  const stop = new AbortController();
  const reason = new Error("enough");
  const heard = [];
  const onProgress = (done) => {
    heard.push(done);
    if (done === 2) stop.abort(reason);
  };
  assert.equal(
    await rejection(embedder.embedTexts(["a", "b", "c", "d"], { signal: stop.signal, onProgress })),
    reason,
  );
  assert.deepEqual(heard, [1, 2]);
  assert.equal((await embedder.embedTexts(["a", "b"])).count, 2);
  await embedder.dispose();
});

test("a query goes between the items of a many-call", async () => {
  const embedder = await loadFake();
  const order = [];
  const many = embedder.embedTexts(Array(5).fill("slow:20"), {
    onProgress: (done) => order.push(done),
  });
  await embedder.embedText("query");
  order.push("query");
  await many;
  assert.deepEqual(order.indexOf("query") < 2, true, String(order));
  await embedder.dispose();
});

test("abort of waiting, running and many-calls", async () => {
  const embedder = await loadFake();
  const running = new AbortController();
  const waiting = new AbortController();
  const first = embedder.embedText("slow:50", { signal: running.signal });
  const second = embedder.embedText("never", { signal: waiting.signal });
  const third = embedder.embedText("third");
  waiting.abort();
  assert.equal((await rejection(second)).name, "AbortError");
  running.abort("stop");
  assert.equal(await rejection(first), "stop");
  assert.equal((await third).tokens, 5);
  const many = new AbortController();
  const reason = new Error("enough");
  const batch = embedder.embedTexts(Array(100).fill("slow:5"), {
    signal: many.signal,
    onProgress: (done) => done === 3 && many.abort(reason),
  });
  assert.equal(await rejection(batch), reason);
  assert.equal(
    await rejection(embedder.embedTexts([], { signal: AbortSignal.abort(reason) })),
    reason,
  );
  assert.equal((await embedder.embedText("ok")).tokens, 2);
  await embedder.dispose();
});

test("a single call tells its layers when asked, stops after one when aborted, and leaves nothing behind", async () => {
  const embedder = await loadFake();
  const heard = [];
  await embedder.embedText("layers:9", { onProgress: (done, total) => heard.push([done, total]) });
  assert.deepEqual(
    heard,
    Array.from({ length: 10 }, (_, i) => [i, 9]),
  );
  const stop = new AbortController();
  const reason = new Error("enough");
  const stopped = embedder.embedText("layers:400", {
    signal: stop.signal,
    onProgress: (done) => done === 2 && stop.abort(reason),
  });
  assert.equal(await rejection(stopped), reason);
  const { tokens } = await embedder.embedText("done");
  assert.ok(tokens >= 2 && tokens < 400, `stopped at layer ${tokens}`);
  assert.equal((await embedder.embedText("layers:1")).tokens, 8);
  assert.equal((await embedder.embedText("done")).tokens, 2);
  const mine = new Error("mine");
  isOfCallback(
    await rejection(
      embedder.embedText("layers:400", {
        onProgress: () => {
          throw mine;
        },
      }),
    ),
    mine,
  );
  assert.equal((await embedder.embedText("ok")).tokens, 2);
  await embedder.dispose();
});

test("inputs are not detached, and may be any view", async () => {
  const embedder = await loadFake();
  const bytes = new Uint8Array([255, 216, 255, 216, 255, 9]);
  for (const input of [
    bytes.subarray(2, 5),
    { bytes: bytes.subarray(2, 5) },
    new DataView(bytes.buffer, 2, 3),
    new Blob([bytes.subarray(2, 5)]),
  ]) {
    const { vector, decoder } = await embedder.embedImage(input);
    assert.deepEqual([...vector.subarray(0, 2)], [3, 255]);
    assert.equal(decoder, "core");
  }
  const { vector } = await embedder.embedImage(bytes.buffer);
  assert.equal(vector[0], 6);
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  shared.set([255, 216, 255]);
  assert.equal((await embedder.embedImage(shared)).vector[0], 4);
  const pixels = { data: new Uint8ClampedArray(24), width: 3, height: 2 };
  const image = await embedder.embedImage(pixels);
  assert.deepEqual([...image.vector.subarray(0, 3)], [24, 3, 2]);
  assert.equal(image.decoder, undefined);
  assert.equal(pixels.data.length, 24);
  assert.equal(bytes.length, 6);
  hasCode(
    await rejection(embedder.embedImage({ width: 1, height: 1, close() {} })),
    "invalid-argument",
    /ImageBitmap/,
  );
  await embedder.dispose();
});

test("dispose settles what waits; later calls reject; twice is fine", async () => {
  const embedder = await loadFake();
  const index = await embedder.createIndex();
  const calls = [
    embedder.embedText("slow:1000"),
    embedder.embedText("waiting"),
    embedder.embedTexts(["a", "b"]),
    embedder.countTokens("x"),
  ];
  const settled = Promise.all(calls.map(rejection));
  await embedder.dispose();
  for (const error of await settled) hasCode(error, "disposed");
  hasCode(await rejection(embedder.embedText("x")), "disposed");
  hasCode(await rejection(embedder.embedTexts(["x"])), "disposed");
  hasCode(await rejection(index.search(new Float32Array(8), { k: 1 })), "disposed");
  hasCode(await rejection(embedder.createIndex()), "disposed");
  await index.dispose();
  await embedder.dispose();
});

test("await using", async () => {
  const embedder = await loadFake();
  await embedder[Symbol.asyncDispose]();
  hasCode(await rejection(embedder.embedText("x")), "disposed");
});

test("a trap loses the engine: everything rejects and says so", async () => {
  const embedder = await loadFake();
  const calls = [
    embedder.embedText("trap"),
    embedder.embedText("slow:200"),
    embedder.embedTexts(["x", "y"]),
  ];
  for (const error of await Promise.all(calls.map(rejection)))
    hasCode(error, "engine-lost", /unreachable/);
  hasCode(await rejection(embedder.embedText("x")), "engine-lost");
  await embedder.dispose();
  const another = await loadFake();
  assert.equal((await another.embedText("alive")).tokens, 5);
  await another.dispose();
});

test("an error in the worker outside every call loses the engine, too", async () => {
  const embedder = await loadFake();
  await embedder.embedText("late");
  hasCode(
    await rejection(embedder.embedTexts(Array(10_000).fill("slow:1"))),
    "engine-lost",
    /a thread broke/,
  );
  hasCode(await rejection(embedder.embedText("x")), "engine-lost");
  await embedder.dispose();
});

test("index: add, search, replace, clear, dispose", async () => {
  const embedder = await loadFake();
  const index = await embedder.createIndex({ dimensions: 2 });
  const vector = (...numbers) => Float32Array.from(numbers);
  assert.equal(index.size, 0);
  assert.deepEqual(await index.search(vector(1, 0), { k: 3 }), []);
  const items = [
    { id: "x", vector: vector(1, 0) },
    { id: "y", vector: vector(0, 1) },
    { id: "xy", vector: vector(0.5, 0.5) },
  ];
  await index.add(items);
  assert.equal(items[0].vector.length, 2);
  assert.equal(index.size, 3);
  assert.deepEqual(await index.search(vector(1, 0), { k: 2 }), [
    { id: "x", score: 1 },
    { id: "xy", score: 0.5 },
  ]);
  await Promise.all([
    index.add([{ id: "x", vector: vector(0, 2) }]),
    index.add(new Set([{ id: "z", vector: vector(3, 0) }])),
  ]);
  assert.equal(index.size, 4);
  assert.deepEqual(
    (await index.search(vector(1, 0), { k: 9 })).map(({ id, score }) => [id, score]),
    [
      ["z", 3],
      ["xy", 0.5],
      ["y", 0],
      ["x", 0],
    ],
  );
  hasCode(
    await rejection(
      index.add([
        { id: "ok", vector: vector(1, 1) },
        { id: "nan", vector: vector(NaN, 0) },
      ]),
    ),
    "invalid-argument",
  );
  assert.equal(index.size, 4);
  const query = await embedder.embedText("abc", { dimensions: 2 });
  assert.equal((await index.search(query, { k: 1 }))[0].id, "z");
  hasCode(
    await rejection(index.search({ ...query, modelId: "other" }, { k: 1 })),
    "model-mismatch",
    /"other".*"fake"/,
  );
  hasCode(
    await rejection(index.search(vector(1), { k: 1 })),
    "invalid-argument",
    /query has 1 dimensions, the index has 2/,
  );
  hasCode(await rejection(index.search(vector(1, 2), { k: 0 })), "invalid-argument", /k must/);
  hasCode(
    await rejection(index.add([{ id: 7, vector: vector(1, 2) }])),
    "invalid-argument",
    /items\[0\]\.id/,
  );
  await index.clear();
  assert.equal(index.size, 0);
  await index.add([{ id: "a", vector: vector(1, 1) }]);
  assert.deepEqual(await index.search(vector(1, 1), { k: 5 }), [{ id: "a", score: 2 }]);
  assert.equal((await embedder.diagnostics()).indexes, 1);
  await index.dispose();
  await index.dispose();
  hasCode(await rejection(index.search(vector(1, 1), { k: 5 })), "disposed");
  assert.equal((await embedder.diagnostics()).indexes, 0);
  await embedder.dispose();
});

for (const ending of ["dispose", "nothing"]) {
  test(`a process ends by itself after ${ending}`, () => {
    const script = `
      import { loadFake } from ${JSON.stringify(new URL("./support/fake.mjs", import.meta.url).href)};
      const embedder = await loadFake();
      const { tokens } = await embedder.embedText("slow:50");
      ${ending === "dispose" ? "await embedder.dispose();" : ""}
      console.log(tokens);`;
    const cwd = fileURLToPath(new URL("../..", import.meta.url));
    const done = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 60_000,
      cwd,
    });
    assert.equal(done.stderr, "");
    assert.equal(done.stdout, "7\n");
    assert.equal(done.status, 0);
  });
}
