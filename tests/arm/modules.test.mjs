// The four modules on 64-bit Arm, in Node for Arm under an emulator (on an Arm machine as they are): golden-a within its
// tolerances, the vectors of `simd` with the very bits of this machine's processor, those of `relaxed-simd` close to them.
// Emulated, a module takes a minute or two, so each has one process for all that is asked of it, and two run at a time.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { compareStages } from "../../tools/golden/stages.mjs";
import { nodeFlagsFor } from "../../tools/lib/direct-engine.mjs";
import { armNode, onArm } from "../../tools/setup/arm64.mjs";
import { unpack } from "./support/exchange.mjs";
import { smallGoldenSet } from "./support/small-golden-set.mjs";

const program = fileURLToPath(new URL("support/vectors.mjs", import.meta.url));
const set = smallGoldenSet();
const scratch = mkdtempSync(join(tmpdir(), "clipglot-arm-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

// `relaxed-simd` on Arm multiplies bytes as exactly as `simd`; only its fused multiply-adds round once instead of twice. In a
// component of a vector that gives at most 6.9e-7 in float32. In front of a quantised product such a difference now and then
// moves an activation to the next step: of the golden set 4 of 49 vectors of q8 and 6 of q4 then differ by up to 3.4e-3, of the
// emoji model 6 longer texts by up to 5.3e-5, and the others by rounding alone. Another product than the exact one would move
// all of them. The second bound is what `EngineInfo.numerics` promises.
const ROUNDED = 1e-6;
const PROMISED = 5.8e-3;

let count = 0;
/** What support/vectors.mjs gives for one module, by `command`. */
async function vectors(command, variant, threads, dtypes) {
  const file = join(scratch, `${count++}.json`);
  const [node, ...args] = command;
  await promisify(execFile)(node, [...args, program, variant, threads, dtypes.join(), file]);
  return unpack(readFileSync(file, "utf8"));
}

const here = [process.execPath, ...nodeFlagsFor("simd")];
const expected = {
  simd: vectors(here, "simd", 1, ["f32", "q8", "q4"]),
  "simd-threads": vectors(here, "simd-threads", 2, ["q8"]),
};

/** Largest difference of two lists of numbers; Infinity where one is not a number. */
function difference(a, b) {
  assert.equal(a.length, b.length);
  let max = 0;
  for (const [i, value] of a.entries()) {
    const d = Math.abs(value - b[i]);
    if (!(d <= max)) max = Number.isNaN(d) ? Infinity : d;
  }
  return max;
}
const sameBits = (a, b) =>
  a.length === b.length &&
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  );

// The golden set judges float32 and 8 bits; 4 bits are judged by `simd` here, and there by the tests of the engine.
function checkGolden(found) {
  for (const [dtype, results] of Object.entries(found.golden)) {
    if (dtype === "q4") continue;
    const failed = compareStages(set, results, dtype).filter((row) => !row.ok);
    assert.deepEqual(failed, [], dtype);
  }
}

function checkSameBits(found, other) {
  for (const [dtype, results] of Object.entries(found.golden)) {
    for (const [id, stages] of results) {
      for (const [stage, { data }] of stages) {
        const { data: wanted } = other.golden[dtype].get(id).get(stage);
        assert.ok(sameBits(data, wanted), `${dtype} ${id} ${stage}`);
      }
    }
  }
  for (const [name, vector] of Object.entries(found.emoji))
    assert.ok(sameBits(vector, other.emoji[name]), `emoji ${name}`);
}

function checkClose(found, other) {
  const normalized = (stages) => stages.get("normalized").data;
  for (const [dtype, results] of Object.entries(found.golden)) {
    const pairs = [...results].map(([id, stages]) => [
      id,
      difference(normalized(stages), normalized(other.golden[dtype].get(id))),
    ]);
    checkDifferences(dtype, pairs, dtype === "f32" ? 0 : 0.5);
  }
  const pairs = Object.entries(found.emoji).map(([name, vector]) => [
    name,
    difference(vector, other.emoji[name]),
  ]);
  checkDifferences("emoji", pairs, 0.5);
}

/** `share`: of the vectors, those that may differ by more than rounding. */
function checkDifferences(what, pairs, share) {
  for (const [name, d] of pairs) assert.ok(d <= PROMISED, `${what} ${name}: ${d}`);
  const moved = pairs.filter(([, d]) => d > ROUNDED).map(([name, d]) => `${name}: ${d}`);
  assert.ok(moved.length <= share * pairs.length, `${what}: ${moved.join(", ")}`);
}

// Loading runs the self-test of the emoji model each time.
describe("modules on Arm", { concurrency: Math.min(2, availableParallelism()) }, () => {
  for (const [variant, threads, dtypes, cpu] of [
    ["relaxed-simd-threads", 2, ["q8"], "max"],
    ["relaxed-simd", 1, ["f32", "q8", "q4"], "max"],
    ["simd", 1, ["f32", "q8", "q4"], "max"],
    ["simd-threads", 2, ["q8"], "max"],
    ["relaxed-simd", 1, ["q8"], "cortex-a72"], // without the int8 dot product
  ]) {
    test(`${variant}, ${threads} thread(s), ${dtypes}, processor ${cpu}`, async () => {
      const flags = onArm ? nodeFlagsFor(variant) : [];
      const found = await vectors([...armNode(cpu), ...flags], variant, threads, dtypes);
      checkGolden(found);
      if (variant.startsWith("simd")) checkSameBits(found, await expected[variant]);
      else checkClose(found, await expected.simd);
    });
  }
});
