// Memory that threads share, on devices that refuse large maxima: js/src/worker/memory.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reserveSharedMemory } from "../../dist/js/worker/memory.js";
import { loadFake } from "./support/fake.mjs";

test("the largest maximum that is not refused, from 4 GiB down to a half", () => {
  const tried = [];
  const limit = (gib) => (maximum) => {
    tried.push(maximum / 16384);
    if (maximum > gib * 16384) throw new RangeError("refused");
    return maximum;
  };
  assert.equal(reserveSharedMemory(limit(4)), 4 * 16384);
  assert.equal(reserveSharedMemory(limit(2.5)), 2 * 16384);
  assert.equal(reserveSharedMemory(limit(0.5)), 8192);
  tried.length = 0;
  assert.equal(reserveSharedMemory(limit(0.1)), undefined);
  assert.deepEqual(tried, [4, 3, 2, 1.5, 1, 0.5]);
});

test("other errors are not taken for a refusal", () => {
  assert.throws(() => reserveSharedMemory(() => { throw new TypeError("no threads"); }), /no threads/);
});

test("real memory is shared and grows", () => {
  const memory = reserveSharedMemory();
  assert.ok(memory.buffer instanceof SharedArrayBuffer);
  assert.equal(memory.buffer.byteLength, 16 << 20);
  memory.grow(1);
  assert.equal(memory.buffer.byteLength, (16 << 20) + 65536);
});

test("selfTest reaches the engine", async () => {
  for (const [options, wanted] of [[{}, true], [{ selfTest: true }, true], [{ selfTest: false }, false]]) {
    const embedder = await loadFake(options);
    assert.equal(embedder.info.selfTest, wanted);
    await embedder.dispose();
  }
  await assert.rejects(loadFake({ selfTest: 1 }), /selfTest must be true or false/);
});
