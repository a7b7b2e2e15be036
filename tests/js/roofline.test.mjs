// The arithmetic of bench/roofline; nothing is measured.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, lines, memoryFor, peakFor } from "../../bench/roofline/limits.mjs";

const peaks = [
  { name: "i32x4.dot_i16x8_s", unit: "int8 GOP/s", perSecond: 9e11 },
  { name: "i32x4.dot_i16x8_s + i32x4.add", unit: "int8 GOP/s", perSecond: 1e11 },
  {
    name: "8 x i16x8.relaxed_dot_i8x16_i7x16, widened, scaled",
    unit: "int8 GOP/s",
    perSecond: 2e11,
  },
  { name: "f32x4.mul + f32x4.add", unit: "f32 GFLOP/s", perSecond: 5e10 },
];
const memory = [
  { bytes: 1 << 20, perSecond: 1e11 },
  { bytes: 1 << 27, perSecond: 1e10 },
];

test("a kernel is held against the fastest arithmetic that it could use", () => {
  assert.equal(peakFor(peaks, "q8").perSecond, 1e11);
  assert.equal(peakFor(peaks, "q4").perSecond, 2e11);
  assert.equal(peakFor(peaks, "f32").perSecond, 5e10);
});

test("memory is that of the smallest size that holds what is touched", () => {
  assert.equal(memoryFor(memory, 1000).perSecond, 1e11);
  assert.equal(memoryFor(memory, 2 << 20).perSecond, 1e10);
  assert.equal(memoryFor(memory, 1 << 30).perSecond, 1e10);
});

test("the limit is arithmetic or memory, whichever takes longer", () => {
  const product = { name: "p", limit: "q8", operations: 1e9, bytes: 1e6, workingSet: 1e6, ms: 20 };
  assert.deepEqual(judge(product, { peaks, memory }), {
    ms: 10,
    by: "i32x4.dot_i16x8_s + i32x4.add",
    share: 0.5,
    perSecond: 5e10,
  });
  const few = { name: "f", limit: "q8", operations: 1e6, bytes: 1e8, workingSet: 1e8, ms: 40 };
  assert.deepEqual(judge(few, { peaks, memory }), {
    ms: 10,
    by: "memory",
    share: 0.25,
    perSecond: 2.5e7,
  });
  const none = { name: "n", limit: "memory", operations: 0, bytes: 1e6, workingSet: 1e6, ms: 0.02 };
  assert.deepEqual(
    [judge(none, { peaks, memory }).by, judge(none, { peaks, memory }).share],
    ["memory", 0.5],
  );
  const text = lines({ peaks, memory, operators: [product, few, none] }, true);
  assert.ok(
    text.includes("| p | 20.000 | 50.0 | 50 % | `i32x4.dot_i16x8_s + i32x4.add` |"),
    text.join("\n"),
  );
});
