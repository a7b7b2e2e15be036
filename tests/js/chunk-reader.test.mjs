// Hashed ranges, fetched one ahead of the engine: js/src/loading/chunk-reader.ts.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ChunkReader } from "../../dist/js/loading/chunk-reader.js";

const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 31 + (i >> 7)) & 255);
const file = { path: "a", byteLength: bytes.length };
const sha256 = (from, to) => createHash("sha256").update(bytes.subarray(from, to)).digest("hex");

// `fail`: offsets whose reading fails. `reads`: what was asked for.
function source({ fail = [], short = [], pieceBytes = 700 } = {}) {
  const reads = [];
  return {
    reads,
    files: [file],
    failureCode: "network",
    close: async () => {},
    async read(given, offset, length, take) {
      reads.push([given.path, offset, length]);
      await new Promise((done) => setTimeout(done, 1));
      if (fail.includes(offset)) throw new Error(`no bytes at ${offset}`);
      const end = offset + length - (short.includes(offset) ? 1 : 0);
      for (let at = offset; at < end; at += pieceBytes)
        take(bytes.subarray(at, Math.min(end, at + pieceBytes)), at % 2 === 0);
    },
  };
}

test("each range with its hash, and the next one is on its way", async () => {
  const from = source();
  let heard = 0;
  const chunks = new ChunkReader(from, (given, count) => {
    assert.equal(given, file);
    heard += count;
  });
  for (let offset = 0; offset < bytes.length; offset += 3000) {
    const length = Math.min(3000, bytes.length - offset);
    const chunk = await chunks.read({ file, offset, length });
    assert.ok(Buffer.from(chunk.bytes).equals(bytes.subarray(offset, offset + length)));
    assert.equal(chunk.sha256, sha256(offset, offset + length));
    const next = Math.min(bytes.length, offset + 6000);
    assert.equal(from.reads.at(-1)[1] + from.reads.at(-1)[2], Math.max(next, offset + length));
  }
  assert.deepEqual(from.reads, [
    ["a", 0, 3000],
    ["a", 3000, 3000],
    ["a", 6000, 3000],
    ["a", 9000, 1000],
  ]);
  assert.equal(heard, bytes.length);
});

test("what was fetched ahead and is not wanted is dropped", async () => {
  const from = source();
  const chunks = new ChunkReader(from, () => {});
  await chunks.read({ file, offset: 0, length: 1000 });
  const chunk = await chunks.read({ file, offset: 5000, length: 500 });
  assert.equal(chunk.sha256, sha256(5000, 5500));
  assert.equal(await chunks.forget(), 500);
  assert.equal(await chunks.forget(), 0);
  assert.equal((await chunks.read({ file, offset: 5500, length: 500 })).sha256, sha256(5500, 6000));
  assert.deepEqual(
    from.reads.map(([, offset]) => offset),
    [0, 1000, 5000, 5500, 5500, 6000],
  );
});

test("an error ahead is told when the range is wanted, and not before", async () => {
  const chunks = new ChunkReader(source({ fail: [1000], short: [2000] }), () => {});
  await chunks.read({ file, offset: 0, length: 1000 });
  await assert.rejects(chunks.read({ file, offset: 1000, length: 1000 }), /no bytes at 1000/);
  await assert.rejects(
    chunks.read({ file, offset: 2000, length: 1000 }),
    (error) => error.code === "network" && /999 of 1000 bytes/.test(error.detail),
  );
  await chunks.read({ file, offset: 0, length: 1000 });
  assert.equal(await chunks.forget(), 0);
});
