// What crosses the border into the module: wrong values are typed errors that name the argument, and the engine works on; what
// comes back are values, not texts to be parsed.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { openEngine, startAdapter } from "../../tools/lib/direct-engine.mjs";

const golden = fileURLToPath(new URL("../data/golden-a", import.meta.url));
const options = {
  text: true,
  vision: true,
  dtype: "f32",
  threads: 1,
  maxTokens: 64,
  maxPixels: 1e6,
};
const refused = (call, part) =>
  assert.throws(call, (error) => {
    assert.deepEqual([error.name, error.code], ["EmbedError", "invalid-argument"], error.message);
    assert.ok(error.detail.includes(part), error.detail);
    return true;
  });
const noCounts = [-1, 0.5, NaN, Infinity, 2 ** 60, undefined];

test("options of an engine: what is no count or no word is refused by its name", async () => {
  const adapter = await startAdapter({ variant: "simd" });
  for (const name of ["threads", "maxTokens", "maxPixels"])
    for (const value of noCounts)
      refused(() => adapter.create({ ...options, [name]: value }), name);
  refused(() => adapter.create({ ...options, threads: 0 }), "threads 0");
  refused(() => adapter.create({ ...options, maxTokens: 1 }), "maxTokens 1");
  for (const dtype of ["q3", "", "Q8", "f32\0"])
    refused(() => adapter.create({ ...options, dtype }), dtype.slice(0, 3));
  refused(() => adapter.create({ ...options, text: false, vision: false }), "towers");
  for (const dtype of ["f32", "q8", "q4"]) adapter.create({ ...options, dtype });
  adapter.dispose();
});

test("options of calls, and numbers of an index: refused by their names, and the next call works", async () => {
  const engine = await openEngine({ variant: "simd", folder: golden, dtype: "q8" });
  const { adapter } = engine;
  const { vector } = engine.embedText("cat");
  const rgba = new Uint8Array(8 * 8 * 4).fill(99);
  const index = adapter.indexes.create(vector.length);
  adapter.indexes.add(index, vector);
  for (const value of noCounts) {
    refused(() => engine.embedText("cat", { dimensions: value }), "dimensions");
    refused(() => engine.embedTexts(["cat"], { maxTokens: value }), "maxTokens");
    refused(() => engine.countTokens("cat", { maxTokens: value }), "maxTokens");
    refused(() => engine.embedPixels(rgba, 8, 8, { grid: value }), "grid");
    refused(() => engine.embedImage(rgba, { dimensions: value }), "dimensions");
    refused(() => engine.truncate(vector, value), "dimensions");
    refused(() => adapter.indexes.search(index, vector, value), "k");
    refused(() => adapter.indexes.create(value), "dimensions");
  }
  for (const value of noCounts.slice(0, 4)) {
    refused(() => engine.embedPixels(rgba, value, 8), "width");
    refused(() => engine.embedPixels(rgba, 8, value), "height");
  }
  refused(() => engine.embedText("cat", { task: "retrieval" }), 'task "retrieval"');
  assert.deepEqual(engine.embedText("cat").vector, vector);
  engine.dispose();
});

test("what comes back is of the types that are declared", async () => {
  const engine = await openEngine({ variant: "simd", folder: golden, dtype: "q8" });
  const { adapter, info } = engine;
  assert.deepEqual(
    { ...info, residentBytes: info.residentBytes > 100_000 },
    {
      modelId: info.modelId,
      revision: info.revision,
      license: info.license,
      towers: ["text", "vision"],
      dtype: "q8",
      dimensions: [8, 16, 32, 64],
      fullDimensions: 64,
      maxTokens: 512,
      threads: 1,
      imageSize: 56,
      imageGrid: 4,
      residentBytes: true,
    },
  );
  for (const name of ["modelId", "revision", "license"]) assert.equal(typeof info[name], "string");

  adapter.startProfile();
  engine.embedText("cat");
  const profile = adapter.profile();
  assert.deepEqual(
    profile.map(({ kind }) => kind),
    ["input", "linear", "quantization", "attention", "rotary", "norm", "activation", "other"],
  );
  for (const { calls, milliseconds } of profile)
    assert.ok(Number.isInteger(calls) && milliseconds >= 0);
  assert.ok(adapter.profile().every(({ calls }) => calls === 0));

  // A trace is kept for the call that asked for it, and costs no other call anything.
  const { stages, tokens, vector } = engine.traced(() => engine.embedText("cat"));
  assert.deepEqual(stages.get("ids").shape, [tokens]);
  assert.deepEqual(stages.get("hidden.0").shape, [tokens, vector.length]);
  assert.deepEqual(stages.get("raw").shape, [vector.length]);
  assert.ok(stages.size > 3);
  engine.embedText("cat");
  assert.deepEqual(adapter.tracing.stages(), []);

  const { warnings } = engine.embedPixels(new Uint8Array(8 * 8 * 4), 8, 8);
  assert.deepEqual(warnings, []);
  engine.dispose();
});
