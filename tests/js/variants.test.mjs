// Which build runs: js/src/shared/variants.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { countInstructions } from "./support/wasm-code.mjs";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import {
  chooseVariant,
  defaultThreads,
  fallbackChoices,
  nextBuild,
  probeSimd,
  relaxedOperands,
  variantNames,
} from "../../dist/js/shared/variants.js";

const all = {
  simd: true,
  noSimdBecause: "too small",
  relaxedSimd: true,
  threads: true,
  noThreadsBecause: "not isolated",
  noRelaxedSimdBecause: "too old",
  processors: 8,
};

test("auto takes the best that can run", () => {
  assert.deepEqual(chooseVariant("auto", undefined, all), {
    variant: "relaxed-simd-threads",
    threads: 4,
  });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, relaxedSimd: false }), {
    variant: "simd-threads",
    threads: 4,
  });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, threads: false }), {
    variant: "relaxed-simd",
    threads: 1,
  });
  assert.deepEqual(
    chooseVariant("auto", undefined, { ...all, threads: false, relaxedSimd: false }),
    { variant: "simd", threads: 1 },
  );
});

test("auto takes the threads that were asked for, or one where memory cannot be shared", () => {
  assert.deepEqual(chooseVariant("auto", 3, all), { variant: "relaxed-simd-threads", threads: 3 });
  assert.deepEqual(chooseVariant("auto", 1, all), { variant: "relaxed-simd", threads: 1 });
  assert.deepEqual(chooseVariant("auto", 3, { ...all, threads: false }), {
    variant: "relaxed-simd",
    threads: 1,
  });
  assert.deepEqual(chooseVariant("auto", undefined, { ...all, processors: 1 }), {
    variant: "relaxed-simd",
    threads: 1,
  });
});

test("a build asked for by name runs, or the reason is told", () => {
  for (const name of variantNames) assert.equal(chooseVariant(name, undefined, all).variant, name);
  const refused = (name, threads, can, code = "invalid-argument") => {
    try {
      chooseVariant(name, threads, can);
    } catch (error) {
      assert.equal(error.code, code);
      return error.detail;
    }
    throw new Error("not refused");
  };
  assert.match(
    refused("relaxed-simd", undefined, { ...all, relaxedSimd: false }),
    /"relaxed-simd" cannot run here: too old/,
  );
  assert.match(
    refused("simd-threads", undefined, { ...all, threads: false }),
    /"simd-threads" cannot run here: not isolated/,
  );
  assert.match(refused("simd", 2, all), /threads: 2, but variant "simd" has one thread/);
  assert.match(
    refused("auto", undefined, { ...all, simd: false }, "start-failed"),
    /every build needs WebAssembly SIMD: too small/,
  );
  assert.deepEqual(chooseVariant("simd-threads", 1, all), { variant: "simd-threads", threads: 1 });
});

test("default threads: half the processors, at most four, two of two", () => {
  const expected = { 1: 1, 2: 2, 3: 2, 4: 2, 5: 2, 6: 3, 8: 4, 16: 4, 128: 4 };
  for (const [processors, threads] of Object.entries(expected))
    assert.equal(defaultThreads(Number(processors)), threads, `${processors} processors`);
});

test("what is tried when a build does not start depends on what failed", () => {
  const choice = { variant: "relaxed-simd-threads", threads: 3 };
  const builds = [choice, ...fallbackChoices(choice)];
  assert.deepEqual(builds, [
    choice,
    { variant: "simd-threads", threads: 3 },
    { variant: "relaxed-simd", threads: 1 },
    { variant: "simd", threads: 1 },
  ]);
  const next = (...steps) => {
    const failures = [];
    let build = builds[0];
    for (const step of steps) {
      failures.push({ variant: build.variant, step });
      build = nextBuild(builds, failures);
      if (!build) return undefined;
    }
    return build.variant;
  };
  assert.equal(next("threads"), "relaxed-simd");
  assert.equal(next("memory"), "relaxed-simd");
  assert.equal(next("compile"), "simd-threads");
  assert.equal(next("compile", "compile"), "simd");
  assert.equal(next("compile", "threads"), "simd");
  assert.equal(next("threads", "compile"), "simd");
  assert.equal(next("threads", "compile", "compile"), undefined);
  assert.equal(next("files"), "simd-threads");
  assert.equal(next("files", "files", "files"), "simd");
  assert.equal(next("files", "files", "files", "files"), undefined);
  assert.equal(next("policy"), undefined);
  assert.equal(
    next("memory", "memory"),
    "simd",
    "a heap of one thread that was refused: the smaller module is tried",
  );
  assert.deepEqual(fallbackChoices({ variant: "simd", threads: 1 }), []);
  assert.deepEqual(fallbackChoices({ variant: "simd-threads", threads: 2 }), [
    { variant: "simd", threads: 1 },
  ]);
  assert.deepEqual(fallbackChoices({ variant: "relaxed-simd", threads: 1 }), [
    { variant: "simd", threads: 1 },
  ]);
});

test("the probes are valid modules; the relaxed one asks for the instructions of the modules, for all and for no others", () => {
  const probes = [];
  const answers = probeSimd((module) => probes.push(module) === 1);
  assert.deepEqual(answers, { simd: true, relaxedSimd: false });
  assert.equal(WebAssembly.validate(probes[0]), true);
  const relaxed = (bytes) =>
    [...countInstructions(bytes).counts.keys()]
      .filter((key) => key >> 12 === 0xfd && (key & 0xfff) >= 0x100)
      .map((key) => key & 0xfff)
      .sort((a, b) => a - b);
  const wanted = Object.keys(relaxedOperands)
    .map(Number)
    .sort((a, b) => a - b);
  assert.deepEqual(relaxed(probes[1]), wanted);
  for (const variant of ["relaxed-simd", "relaxed-simd-threads"])
    assert.deepEqual(
      relaxed(readFileSync(new URL(`../../dist/wasm/clipglot-${variant}.wasm`, import.meta.url))),
      wanted,
      variant,
    );
});

test("each instruction of the probe is asked for rightly: Node says so with relaxed SIMD switched on", () => {
  const script =
    'import { probeSimd } from "./dist/js/shared/variants.js"; console.log(JSON.stringify(probeSimd((m) => WebAssembly.validate(m))))';
  const flags =
    Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];
  const { stdout } = spawnSync(process.execPath, [...flags, "--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
  });
  assert.deepEqual(JSON.parse(stdout), { simd: true, relaxedSimd: true });
});
