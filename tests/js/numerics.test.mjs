// The parts of npm run numerics and npm run verify-upstream that need no engine.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compareRuns, compareValues, comparisonTable } from "../../tools/numerics/compare.mjs";
import { FrameFile } from "../../tools/numerics/frames.mjs";
import { requestsFor } from "../../tools/numerics/requests.mjs";
import { compare } from "../../tools/verify-upstream/measure.mjs";
import { INSTRUCTED, PLAIN, TOKENS } from "../../tools/verify-upstream/published.mjs";

const f32 = (...values) => Float32Array.from(values);

test("cosine and largest error", () => {
  assert.deepEqual(compareValues(f32(3, 4), f32(3, 4)), { cosine: 1, maxError: 0, largest: 4 });
  assert.deepEqual(compareValues(f32(1, 0), f32(0, 2)), { cosine: 0, maxError: 2, largest: 1 });
  assert.deepEqual(compareValues(f32(0, 0), f32(0, 0)), { cosine: 1, maxError: 0, largest: 0 });
  for (const broken of [f32(1), f32(1, NaN), f32(Infinity, 1), undefined])
    assert.equal(compareValues(f32(1, 2), broken).cosine, -1);
});

test("one row a stage, with the worst request", () => {
  const judge = { a: { x: f32(1, 0), y: f32(2, 2) }, b: { x: f32(1, 1), y: f32(5, 0) } };
  const other = { a: { x: f32(1, 0), y: f32(2, 2) }, b: { x: f32(1, 0), y: f32(5, 1) } };
  const rows = compareRuns(
    ["a", "b"],
    ["x", "y"],
    (id, stage) => judge[id][stage],
    (id, stage) => other[id][stage],
  );
  assert.deepEqual(
    rows.map(({ stage, count, worst, maxError, largest }) => [
      stage,
      count,
      worst,
      maxError,
      largest,
    ]),
    [
      ["x", 2, "b", 1, 1],
      ["y", 2, "b", 1, 5],
    ],
  );
  assert.ok(
    Math.abs(rows[0].minCosine - Math.SQRT1_2) < 1e-12 &&
      Math.abs(rows[0].meanCosine - (1 + Math.SQRT1_2) / 2) < 1e-12,
  );
  const table = comparisonTable([
    {
      name: "q8 : f32",
      rows: [
        { ...rows[0], stage: "hidden.0" },
        { ...rows[1], stage: "normalized" },
      ],
    },
    { name: "short", rows: [{ ...rows[1], stage: "normalized" }] },
  ]).split("\n");
  assert.equal(table.length, 4);
  assert.match(table[2], /^layer 0 +0\.707107 +0\.853553 +1\.00e\+0$/);
  assert.match(table[3], /^vector +0\.980581.*1\.00e\+0 +0\.980581/);
});

test("frames stay on disk until they are asked for", () => {
  const folder = mkdtempSync(join(tmpdir(), "clipglot-frames-"));
  const frame = (id, stage, numbers) => [
    Buffer.from(
      `${JSON.stringify({ id, stage, dtype: "F32", shape: [numbers.length], bytes: 4 * numbers.length })}\n`,
    ),
    Buffer.from(f32(...numbers).buffer),
  ];
  writeFileSync(
    join(folder, "frames"),
    Buffer.concat([
      ...frame("first", "raw", [1, 2, 3]),
      ...frame("ünicode", "raw", [10, 10]),
      ...frame("first", "normalized", []),
    ]),
  );
  const frames = new FrameFile(join(folder, "frames"));
  rmSync(folder, { recursive: true });
  assert.deepEqual(frames.stages("first"), ["raw", "normalized"]);
  assert.deepEqual(frames.get("first", "raw"), f32(1, 2, 3));
  assert.deepEqual(frames.get("ünicode", "raw"), f32(10, 10));
  assert.deepEqual(frames.get("first", "normalized"), f32());
  assert.equal(frames.get("first", "nothing"), undefined);
  assert.deepEqual(frames.stages("nobody"), []);
  frames.close();
});

test("requests: a golden set's own, or the hundred texts; spread when fewer are wanted", () => {
  const golden = requestsFor(new URL("../data/golden-a", import.meta.url).pathname, { texts: 3 });
  assert.equal(golden.text.length, 3);
  assert.equal(golden.vision.length, 14);
  const any = requestsFor("/nowhere", { texts: 20, images: 4 });
  assert.equal(new Set(any.text.map(({ id }) => id.split(" ")[0])).size, 20);
  assert.equal(any.vision.length, 4);
  assert.equal(requestsFor("/nowhere").text.length, 100);
  assert.equal(requestsFor("/nowhere").vision.length, 10);
});

test("verify-upstream passes on the published numbers, and names one that is off", () => {
  const published = {
    ids: [...TOKENS.ids],
    cosines: new Map(Object.entries({ ...INSTRUCTED, ...PLAIN })),
  };
  const rows = compare(published, "f32");
  assert.equal(rows.length, 46);
  assert.ok(rows.every(({ ok }) => ok));
  published.cosines.set("query · de", PLAIN["query · de"] + 2e-4);
  published.ids[2] = 4;
  assert.deepEqual(
    compare(published, "f32")
      .filter(({ ok }) => !ok)
      .map(({ what }) => what),
    [`tokens of "${TOKENS.text}"`, "query · de"],
  );
  assert.deepEqual(
    compare(published, "q8")
      .filter(({ ok }) => !ok)
      .map(({ what }) => what),
    [`tokens of "${TOKENS.text}"`],
  );
});
