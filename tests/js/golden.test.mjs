// Every module against what the upstream model gives, stage by stage, and the golden command's own manners.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { nodeFlagsFor } from "../../tools/lib/direct-engine.mjs";
import { compareStages, TOLERANCES } from "../../tools/golden/stages.mjs";
import { goldenJob, readGoldenSet } from "../../tools/golden/golden-set.mjs";
import { runWasm } from "../../tools/golden/wasm-backend.mjs";
import { goldenFolder } from "./support/suite-runner.mjs";

const program = fileURLToPath(new URL("support/golden-run.mjs", import.meta.url));
const command = fileURLToPath(new URL("../../tools/golden/golden.mjs", import.meta.url));

for (const [variant, threads] of [
  ["simd", 1],
  ["relaxed-simd", 1],
  ["simd-threads", 2],
  ["relaxed-simd-threads", 2],
]) {
  for (const dtype of ["f32", "q8"]) {
    test(`${variant}, ${threads} thread(s), ${dtype}: every stage within its tolerance`, () => {
      const done = spawnSync(
        process.execPath,
        [...nodeFlagsFor(variant), program, variant, String(threads), dtype],
        { encoding: "utf8" },
      );
      assert.equal(done.status, 0, done.stdout + done.stderr);
      assert.equal(done.stdout, "31 stages\n");
    });
  }
}

test("a difference in any stage is found and named", async () => {
  const set = readGoldenSet(goldenFolder);
  const scratch = fileURLToPath(new URL("../../build/golden-test", import.meta.url));
  const results = await runWasm(goldenJob(set, { dtype: "f32", threads: 1, scratch }), {
    variant: "simd",
  });
  const fails = () =>
    compareStages(set, results, "f32")
      .filter((row) => !row.ok)
      .map((row) => row.stage);
  assert.deepEqual(fails(), []);
  const damages = [
    [
      "document.3",
      "ids",
      (data) => {
        data[1] += 1;
      },
      ["documents tokens"],
    ],
    [
      "decoded.0",
      "decoded_rgb",
      (data) => {
        data[5] ^= 1;
      },
      ["images decoded_rgb (PNG)"],
    ],
    [
      "image.2",
      "resized_cropped",
      (data) => {
        data[7] ^= 1;
      },
      ["images resized_cropped"],
    ],
    [
      "image.2",
      "pixels",
      (data) => {
        data[9] += 5e-6;
      },
      ["images pixels"],
    ],
    [
      "document.4",
      "hidden.2",
      (data) => {
        data[3] += 10 * TOLERANCES.hidden;
      },
      ["documents hidden.2"],
    ],
    [
      "query.7",
      "normalized_16",
      (data) => {
        data[15] = NaN;
      },
      ["queries normalized_16"],
    ],
    [
      "image.1",
      "normalized",
      (data) => {
        data[0] += 2e-5;
      },
      ["images normalized"],
    ],
  ];
  for (const [id, stage, damage, expected] of damages) {
    const entry = results.get(id).get(stage);
    const good = entry.data.slice();
    damage(entry.data);
    assert.deepEqual(fails(), expected, `${id} ${stage}`);
    entry.data = good;
  }
  results.get("image.1").delete("raw");
  assert.throws(fails, /no raw for image\.1/);
});

test("the command refuses what it does not know", () => {
  for (const args of [
    [],
    ["nowhere"],
    [goldenFolder, "--backend", "cuda"],
    [goldenFolder, "--dtype", "q3"],
    [goldenFolder, "--threads", "0"],
    [goldenFolder, "--fast"],
  ]) {
    const done = spawnSync(process.execPath, [command, ...args], { encoding: "utf8" });
    assert.equal(done.status, 2, args.join(" "));
    assert.match(done.stderr, /usage: npm run golden/);
  }
});
