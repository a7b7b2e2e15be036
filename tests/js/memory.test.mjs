// Memory that threads share, on devices that refuse large maxima: js/src/worker/memory.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reserveSharedMemory } from "../../dist/js/worker/memory.js";
import { fileURLToPath } from "node:url";
import { ProgressMeter } from "../../dist/js/loading/progress-meter.js";
import { transfer } from "../../dist/js/loading/transfer.js";
import { openPath } from "../../dist/js/platform/node/worker.js";
import { EngineAdapter } from "../../dist/js/worker/engine-adapter.js";
import { startModule } from "../../dist/js/worker/module.js";
import { fails } from "../shared/check.mjs";
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
  assert.throws(
    () =>
      reserveSharedMemory(() => {
        throw new TypeError("no threads");
      }),
    /no threads/,
  );
});

test("real memory is shared and grows", () => {
  const memory = reserveSharedMemory();
  assert.ok(memory.buffer instanceof SharedArrayBuffer);
  assert.equal(memory.buffer.byteLength, 16 << 20);
  memory.grow(1);
  assert.equal(memory.buffer.byteLength, (16 << 20) + 65536);
});

test("a heap that may not grow far enough is an error, and not the end of the engine", async () => {
  const wasm = (ending) =>
    new URL(`../../dist/wasm/clipglot-simd-threads.${ending}`, import.meta.url).href;
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true });
  const adapter = new EngineAdapter(
    await startModule({ moduleUrl: wasm("mjs"), wasmUrl: wasm("wasm"), threads: 1, memory }),
  );
  const source = await openPath(fileURLToPath(new URL("../../models/emoji", import.meta.url)));
  const loading = async () => {
    adapter.create({
      text: true,
      vision: true,
      dtype: "q8",
      threads: 1,
      maxTokens: 8192,
      maxPixels: 1e6,
      selfTest: true,
    });
    await transfer(
      source,
      adapter.beginLoad(source.files),
      (pointer, piece) => adapter.heap.copyIn(pointer, piece),
      new ProgressMeter("", () => {}),
    );
  };
  await fails(loading(), "out-of-memory");
  assert.equal(memory.buffer.byteLength <= 256 * 65536, true);
  await source.close();
});

test("selfTest reaches the engine", async () => {
  for (const [options, wanted] of [
    [{}, true],
    [{ selfTest: true }, true],
    [{ selfTest: false }, false],
  ]) {
    const embedder = await loadFake(options);
    assert.equal(embedder.info.selfTest, wanted);
    await embedder.dispose();
  }
  await assert.rejects(loadFake({ selfTest: 1 }), /selfTest must be true or false/);
});
