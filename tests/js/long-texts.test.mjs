// Long texts: 8192 tokens, and batches of mixed lengths, give the vectors of single calls without growing the heap; a call on
// shared memory stops between two layers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { openEngine } from "../../tools/lib/direct-engine.mjs";
import { contextFor, goldenFolder } from "./support/suite-runner.mjs";

const LONGEST = 8192;
const words = [
  "Fuchs",
  "im",
  "Schnee",
  "sunset",
  "over",
  "the",
  "beach",
  "海滩",
  "закат",
  "🌅",
  "naïve",
  "42",
];
/** A text of `count` words; `turn` makes texts of the same length differ. */
const textOf = (count, turn = 0) =>
  Array.from({ length: count }, (_, i) => words[(i * 5 + turn + (i >> 3)) % words.length]).join(
    " ",
  );

const same = (a, b) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  );

for (const dtype of ["f32", "q8", "q4"]) {
  test(`${dtype}: 8192 tokens and 64 mixed lengths, in a batch as one by one, in the memory set aside at load`, async () => {
    const embedder = await contextFor("simd", 1).load({
      dtype,
      towers: ["text"],
      maxTokens: LONGEST,
    });
    try {
      const heap = async () => (await embedder.diagnostics()).heapBytes;
      const before = await heap();
      // 1 word to 300, one text beyond every limit, an empty one; the longest in the middle.
      const texts = Array.from({ length: 62 }, (_, i) => textOf(Math.round(300 ** (i / 61)), i));
      texts.splice(31, 0, textOf(9000));
      texts.push("");
      const alone = [];
      for (const text of texts) alone.push(await embedder.embedText(text));
      assert.deepEqual([alone[31].tokens, alone[31].truncated], [LONGEST, true]);
      assert.ok(new Set(alone.map(({ tokens }) => tokens)).size > 40, "lengths are mixed");
      const batch = await embedder.embedTexts(texts);
      assert.equal(batch.count, 64);
      assert.deepEqual([...batch.truncated], [31]);
      for (const [i, { vector, tokens }] of alone.entries())
        assert.ok(same(batch.row(i), vector), `text ${i} of ${tokens} tokens`);
      assert.equal(await heap(), before, "the heap grew");
    } finally {
      await embedder.dispose();
    }
  });
}

test("8192 tokens tell how far they are, and stop after a layer", async () => {
  for (const [variant, threads] of [
    ["simd", 1],
    ["simd-threads", 2],
  ]) {
    const embedder = await contextFor(variant, threads).load({
      dtype: "q8",
      towers: ["text"],
      maxTokens: LONGEST,
    });
    try {
      const heard = [];
      const { tokens } = await embedder.embedText(textOf(9000), {
        onProgress: (done, total) => heard.push([done, total]),
      });
      assert.equal(tokens, LONGEST);
      assert.deepEqual(heard, [
        [0, 3],
        [1, 3],
        [2, 3],
        [3, 3],
      ]);
      const wanted = (await embedder.embedText("Fuchs")).vector;
      const stop = new AbortController();
      const seen = [];
      await assert.rejects(
        embedder.embedText(textOf(9000), {
          signal: stop.signal,
          onProgress: (done) => {
            seen.push(done);
            stop.abort();
          },
        }),
        { name: "AbortError" },
      );
      assert.deepEqual(seen, [0], "no progress of a call that was answered");
      assert.ok(same((await embedder.embedText("Fuchs")).vector, wanted), variant);
    } finally {
      await embedder.dispose();
    }
  }
});

test("a call stops before the next layer when the flag in shared memory is set, and the next call is right", async () => {
  const cancelFlag = new Int32Array(new SharedArrayBuffer(4));
  // The call keeps this thread. So another one sets the flag, when this one has told it that a layer is done, and this one goes
  // on when it is set.
  const layer = new Int32Array(new SharedArrayBuffer(4));
  Atomics.store(layer, 0, 1); // until the call that is to be stopped
  let heard = [];
  const engine = await openEngine({
    variant: "simd-threads",
    threads: 2,
    folder: goldenFolder,
    towers: ["text"],
    maxTokens: LONGEST,
    cancelFlag,
    onLayer: (done, total) => {
      heard.push([done, total]);
      if (done !== 1 || Atomics.exchange(layer, 0, 1) !== 0) return;
      Atomics.notify(layer, 0);
      Atomics.wait(cancelFlag, 0, 0);
    },
  });
  try {
    const wanted = engine.embedText("Fuchs").vector;
    const text = textOf(9000);
    heard = [];
    Atomics.store(layer, 0, 0);
    const worker = new Worker(
      `
      const { workerData: { flag, layer } } = require("node:worker_threads");
      Atomics.wait(layer, 0, 0);
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    `,
      { eval: true, workerData: { flag: cancelFlag, layer } },
    );
    await new Promise((resolve) => worker.once("online", resolve));
    try {
      assert.throws(
        () => engine.embedText(text),
        (error) => error.name === "Cancelled" && error.message === "before text layer 1",
      );
      assert.deepEqual(
        heard,
        [0, 1].map((done) => [done, heard[0][1]]),
      );
    } finally {
      await worker.terminate();
    }
    Atomics.store(cancelFlag, 0, 0);
    assert.ok(same(engine.embedText("Fuchs").vector, wanted));
  } finally {
    engine.dispose();
  }
});
