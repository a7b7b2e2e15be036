// Which build runs: js/src/shared/variants.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseVariant, defaultThreads, probeSimd, variantNames } from "../../dist/js/shared/variants.js";

const all = { simd: true, relaxedSimd: true, threads: true, noThreadsBecause: "not isolated", noRelaxedSimdBecause: "too old", processors: 8 };

test("auto takes the best that can run", () => {
  assert.deepEqual(chooseVariant("auto", undefined, all), { variant: "relaxed-simd-threads", threads: 4 });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, relaxedSimd: false }), { variant: "simd-threads", threads: 4 });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, threads: false }), { variant: "relaxed-simd", threads: 1 });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, threads: false, relaxedSimd: false }), { variant: "simd", threads: 1 });
});

test("auto takes the threads that were asked for, or one where memory cannot be shared", () => {
  assert.deepEqual(chooseVariant("auto", 3, all), { variant: "relaxed-simd-threads", threads: 3 });
  assert.deepEqual(chooseVariant("auto", 1, all), { variant: "relaxed-simd", threads: 1 });
  assert.deepEqual(chooseVariant("auto", 3, { ...all, threads: false }), { variant: "relaxed-simd", threads: 1 });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, processors: 1 }), { variant: "relaxed-simd", threads: 1 });
});

test("a build asked for by name runs, or the reason is told", () => {
  for (const name of variantNames) assert.equal(chooseVariant(name, undefined, all).variant, name);
  const refused = (name, threads, can) => {
    try {
      chooseVariant(name, threads, can);
    } catch (error) {
      assert.equal(error.code, "invalid-argument");
      return error.detail;
    }
    throw new Error("not refused");
  };
  assert.match(refused("relaxed-simd", undefined, { ...all, relaxedSimd: false }), /"relaxed-simd" cannot run here: too old/);
  assert.match(refused("simd-threads", undefined, { ...all, threads: false }), /"simd-threads" cannot run here: not isolated/);
  assert.match(refused("simd", 2, all), /threads: 2, but variant "simd" has one thread/);
  assert.match(refused("auto", undefined, { ...all, simd: false }), /no WebAssembly SIMD/);
  assert.deepEqual(chooseVariant("simd-threads", 1, all), { variant: "simd-threads", threads: 1 });
});

test("default threads: half the processors, at most four, two of two", () => {
  const expected = { 1: 1, 2: 2, 3: 2, 4: 2, 5: 2, 6: 3, 8: 4, 16: 4, 128: 4 };
  for (const [processors, threads] of Object.entries(expected)) assert.equal(defaultThreads(Number(processors)), threads, `${processors} processors`);
});

test("the probes are valid modules of their kind", () => {
  const probes = [];
  probeSimd((module) => probes.push(module));
  assert.equal(WebAssembly.validate(probes[0]), true);
  const header = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  for (const probe of probes) assert.deepEqual([...probe.subarray(0, 8)], header);
  // The relaxed one differs from a plain one only by its instruction: with i8x16.popcnt's neighbours it would be valid.
  assert.equal(probes[1].includes(0x85), true);
});
