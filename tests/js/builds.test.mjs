// Builds and thread counts against each other, with the engine in this thread (tools/lib/direct-engine.mjs).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { canRunRelaxedSimd, openEngine } from "../../tools/lib/direct-engine.mjs";
import { rejection } from "../shared/check.mjs";
import { goldenFolder } from "./support/suite-runner.mjs";

const { texts, images } = JSON.parse(readFileSync(`${goldenFolder}/expected.json`, "utf8"));
const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

for (const dtype of ["f32", "q8", "q4"]) {
  describe(`simd, ${dtype}: the same bits with one thread and two`, () => {
    const engines = [];
    before(async () => {
      for (const [variant, threads] of [
        ["simd", 1],
        ["simd-threads", 1],
        ["simd-threads", 2],
      ])
        engines.push(
          await openEngine({ variant, threads, folder: goldenFolder, dtype, maxTokens: 1500 }),
        );
    });
    after(() => {
      for (const engine of engines) engine.dispose();
    });

    test("texts", () => {
      for (const { name, text, ids } of texts) {
        if (ids.length > 1500) continue;
        const [first, ...others] = engines.map((engine) => bytesOf(engine.embedText(text).vector));
        for (const other of others) assert.ok(first.equals(other), name);
      }
    });

    test("images", () => {
      for (const { file } of images) {
        const picture = readFileSync(`${goldenFolder}/images/${file}`);
        const [first, ...others] = engines.map((engine) =>
          bytesOf(engine.embedImage(picture).vector),
        );
        for (const other of others) assert.ok(first.equals(other), file);
      }
    });

    test("both threads worked, and one thread is one", () => {
      assert.deepEqual(
        engines.map((engine) => engine.threadsSeen()),
        [1, 1, 2],
      );
    });
  });
}

test("stages are traced, and only when asked for", async () => {
  const engine = await openEngine({ variant: "simd", folder: goldenFolder, dtype: "f32" });
  const { text, ids } = texts[0];
  const { vector, stages } = engine.traced((e) => e.embedText(text));
  assert.deepEqual(
    [...stages.keys()],
    ["ids", "hidden.0", "hidden.1", "hidden.2", "hidden.3", "raw"],
  );
  assert.deepEqual([...stages.get("ids").data], ids);
  assert.deepEqual(stages.get("hidden.3").shape, [ids.length, 64]);
  const length = Math.hypot(...stages.get("raw").data);
  for (const [i, value] of stages.get("raw").data.entries())
    assert.ok(Math.abs(value / length - vector[i]) < 1e-6);
  const image = engine.traced((e) =>
    e.embedImage(readFileSync(`${goldenFolder}/images/exact.png`)),
  );
  assert.deepEqual(
    [...image.stages.keys()],
    [
      "decoded_rgb",
      "resized_cropped",
      "pixels",
      "hidden.0",
      "hidden.1",
      "hidden.2",
      "hidden.3",
      "raw",
    ],
  );
  assert.deepEqual(image.stages.get("pixels").shape, [3, 56, 56]);
  engine.embedText(text);
  assert.equal(engine.adapter.tracing.stages().length, 0);
  engine.dispose();
});

test("deleting gives all memory back", async () => {
  const { startAdapter } = await import("../../tools/lib/direct-engine.mjs");
  const { openPath } = await import("../../dist/js/platform/node/worker.js");
  const { ProgressMeter } = await import("../../dist/js/loading/progress-meter.js");
  const { transfer } = await import("../../dist/js/loading/transfer.js");
  const adapter = await startAdapter({ variant: "simd" });
  const cycle = async () => {
    adapter.create({
      text: true,
      vision: true,
      dtype: "q8",
      threads: 1,
      maxTokens: 128,
      maxPixels: 1e6,
    });
    const source = await openPath(goldenFolder);
    await transfer(
      source,
      adapter.beginLoad(source.files),
      (pointer, piece) => adapter.heap.copyIn(pointer, piece),
      new ProgressMeter("", () => {}),
    );
    await source.close();
    const index = adapter.indexes.create(64);
    adapter.indexes.add(index, new Float32Array(64 * 100));
    adapter.embedText(texts[0].text, {
      dimensions: 0,
      normalized: true,
      task: "",
      maxTokens: 0,
      errorWhenTooLong: false,
      normalizeNfc: false,
    });
    adapter.embedEncodedImage(readFileSync(`${goldenFolder}/images/photo.jpg`), {
      dimensions: 0,
      normalized: true,
      ignoreOrientation: false,
      grid: 0,
      scaleGray16: false,
    });
    adapter.dispose();
    return adapter.allocatedBytes();
  };
  await cycle(); // what is made once and kept, is made here
  const first = await cycle();
  for (let i = 0; i < 3; i++) assert.equal(await cycle(), first);
});

test("a build that cannot run is refused", async () => {
  if (!canRunRelaxedSimd())
    assert.match(
      (await rejection(openEngine({ variant: "relaxed-simd", folder: goldenFolder }))).detail,
      /cannot run here/,
    );
  assert.match(
    (await rejection(openEngine({ variant: "simd", threads: 2, folder: goldenFolder }))).detail,
    /has one thread/,
  );
});
