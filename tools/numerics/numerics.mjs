// npm run numerics -- DIR [--dtypes q8,q4] [--towers text,vision] [--texts N] [--images N] [--grids N,N] [--wasm-texts N]
//                         [--wasm-images N] [--wasm-variants simd,relaxed-simd] [--threads N] [--json FILE]
//
// How far quantised arithmetic is from float32, and WebAssembly from native code: cosine and largest error after every layer and
// of the final vector, for a model folder in upstream's layout: the full-size stand-in (npm run fullsize), a golden set, the real
// weights. DIR may also be a pack of q8 or q4: then the judge is float32 arithmetic on the same rounded weights, and what is left is
// the rounding of activations. One tower at a time, f32 first: at full size up to 2.3 GB of memory and 5 GB of disk below
// build/numerics.
//
//   --texts, --images            at most so many requests natively (default: all, 100 and 10)
//   --grids                      images of so many patches a side against those of all, in float32 (default: two thirds of the model's)
//   --wasm-texts, --wasm-images  and in WebAssembly, one thread (default: 5 and 1; 0 leaves it out)
//   --wasm-variants              of its builds (both); relaxed-simd is compared with float32 only
//
// Exits with 1 when a bound of docs/NUMERICS.md is missed.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { writeFrames } from "../golden/native-backend.mjs";
import { traceOne } from "../golden/wasm-backend.mjs";
import { openEngine, restartFor } from "../lib/direct-engine.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";
import { build } from "../setup/paths.mjs";
import { compareRuns, comparisonTable } from "./compare.mjs";
import { dequantisePack } from "./dequantise.mjs";
import { FrameFile } from "./frames.mjs";
import { MAX_TOKENS, requestsFor, spread } from "./requests.mjs";

const PRESET = "native-release",
  RUNNER = "clipglot_trace_runner";
const USAGE =
  "usage: npm run numerics -- DIR [--dtypes q8,q4] [--towers text,vision] [--texts N] [--images N] [--grids N,N] [--wasm-texts N] [--wasm-images N] [--wasm-variants simd,relaxed-simd] [--threads N] [--json FILE]";
const VARIANTS = ["simd", "relaxed-simd"];
/** Lowest cosine of a final vector; of wasm to native with rounded activations, after the first layer. Reasons: docs/NUMERICS.md. */
export const BOUNDS = {
  q8: 0.985,
  wasm: 0.9999,
  "q4 on its weights": 0.996,
  "q8 on its weights": 0.985,
};

function readArguments() {
  const fail = (problem) => {
    throw new SetupError(`${problem}\n${USAGE}`);
  };
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: Object.fromEntries(
        [
          "dtypes",
          "towers",
          "texts",
          "images",
          "grids",
          "wasm-texts",
          "wasm-images",
          "wasm-variants",
          "threads",
          "json",
        ].map((name) => [name, { type: "string" }]),
      ),
    });
  } catch (error) {
    fail(error.message);
  }
  const {
    positionals: [folder, ...more],
    values,
  } = parsed;
  if (folder === undefined || more.length) fail("one folder is expected");
  const count = (name, usual) => {
    const value = values[name] === undefined ? usual : Number(values[name]);
    if (!(value === Infinity || (Number.isInteger(value) && value >= 0)))
      fail(`--${name} ${values[name]}: a number is expected`);
    return value;
  };
  const list = (name, known, usual) => {
    const wanted = values[name]?.split(",") ?? usual;
    for (const value of wanted)
      if (!known.includes(value)) fail(`--${name}: ${value} is none of ${known}`);
    return wanted;
  };
  const grids = values.grids?.split(",").map(Number);
  if (grids?.some((grid) => !(Number.isInteger(grid) && grid > 0)))
    fail(`--grids ${values.grids}: numbers are expected`);
  return {
    grids,
    folder: resolve(folder),
    dtypes: list("dtypes", ["q8", "q4"], ["q8", "q4"]),
    towers: list("towers", ["text", "vision"], ["text", "vision"]),
    threads: count("threads", 1),
    json: values.json,
    native: { text: count("texts", Infinity), vision: count("images", Infinity) },
    wasm: { text: count("wasm-texts", 5), vision: count("wasm-images", 1) },
    variants: list("wasm-variants", VARIANTS, VARIANTS),
  };
}

/**
 * Compares one tower. `native(dtype, requests)` gives a FrameFile of the native engine; `wasm(dtype, variant)` a source of
 * stages, asked for each request in turn. Gives [{ name, rows, bound, stage }]: `bound` is of that stage's lowest cosine.
 */
async function compareTower(
  tower,
  { dtypes, wasm: wasmCounts, variants, grids, pack },
  requests,
  { native, wasm },
) {
  const ids = requests.map(({ id }) => id);
  const judge = native("f32", requests);
  const stages = [
    ...judge.stages(ids[0]).filter((stage) => stage.startsWith("hidden.")),
    "normalized",
  ];
  const comparisons = [];
  const some = spread(requests, wasmCounts[tower]);
  for (const dtype of ["f32", ...dtypes]) {
    const frames = dtype === "f32" ? judge : native(dtype, requests);
    if (dtype !== "f32") {
      const rows = compareRuns(
        ids,
        stages,
        (id, stage) => judge.get(id, stage),
        (id, stage) => frames.get(id, stage),
      );
      const name = `${dtype} : f32${pack ? ", its weights" : ""} (${ids.length})`;
      comparisons.push({
        name,
        rows,
        bound: BOUNDS[pack ? `${dtype} on its weights` : dtype],
        stage: "normalized",
      });
    }
    for (const variant of some.length ? variants : []) {
      const engine = await wasm(dtype, variant);
      const against = (other) =>
        compareRuns(
          some.map(({ id }) => id),
          stages,
          (id, stage) => other.get(id, stage),
          engine.get,
        );
      try {
        const stage = dtype === "f32" ? "normalized" : "hidden.1";
        // Relaxed instructions may round activations otherwise than native code does.
        if (dtype === "f32" || variant === "simd") {
          comparisons.push({
            name: `${variant} : native, ${dtype} (${some.length})`,
            rows: against(frames),
            bound: BOUNDS.wasm,
            stage,
          });
        }
        if (dtype !== "f32") {
          const bound = BOUNDS[pack ? `${dtype} on its weights` : dtype];
          comparisons.push({
            name: `${variant} ${dtype} : native f32 (${some.length})`,
            rows: against(judge),
            bound,
            stage: "normalized",
          });
        }
      } finally {
        engine.dispose();
      }
    }
    if (dtype !== "f32") frames.close();
  }
  for (const grid of tower === "vision"
    ? (grids ?? [Math.floor((gridOf(judge, ids[0]) * 2) / 3)])
    : []) {
    const frames = native(
      "f32",
      requests.map((request) => ({ ...request, grid, hidden: false })),
    );
    const rows = compareRuns(
      ids,
      ["normalized"],
      (id, stage) => judge.get(id, stage),
      (id, stage) => frames.get(id, stage),
    );
    comparisons.push({
      name: `grid ${grid} : ${gridOf(judge, ids[0])}, f32 (${ids.length})`,
      rows,
    });
    frames.close();
  }
  judge.close();
  return comparisons;
}

/** Patches a side that the tower read. */
function gridOf(frames, id) {
  return Math.round(
    Math.sqrt(frames.get(id, "hidden.0").length / frames.get(id, "normalized").length - 1),
  );
}

/** The wasm engine as a source of stages: one request is traced at a time, when its first stage is asked for. */
async function wasmStages(folder, tower, dtype, variant, requests) {
  log(`${tower} ${dtype}, ${variant}`, "numerics");
  const engine = await openEngine({
    variant,
    folder,
    dtype,
    maxTokens: MAX_TOKENS,
    towers: [tower],
  });
  let current, stages;
  return {
    get: (id, stage) => {
      if (id !== current)
        [current, stages] = [
          id,
          traceOne(
            engine,
            requests.find((request) => request.id === id),
          ),
        ];
      return stages.get(stage)?.data;
    },
    dispose: () => engine.dispose(),
  };
}

/** The dtype of a pack of rounded weights; undefined when `folder` is no such pack. */
function packDtype(folder) {
  const manifest = join(folder, "manifest.json");
  if (!existsSync(manifest)) return undefined;
  const { dtype } = JSON.parse(readFileSync(manifest, "utf8"));
  return dtype === "f32" ? undefined : dtype;
}

/** The row that misses its bound; undefined when none does. */
function badRow({ rows, bound, stage }) {
  const row = rows.find((other) => other.stage === stage);
  return bound !== undefined && !(row?.minCosine >= bound)
    ? (row ?? { stage, minCosine: NaN })
    : undefined;
}

/** The whole report for a folder: { text: [{ name, rows, bound, stage }], vision: … }. Builds nothing. */
export async function report(
  options,
  { runner = join(build, PRESET, "tools/golden", RUNNER), scratch = join(build, "numerics") } = {},
) {
  const { folder, towers, threads, native } = options;
  const pack = packDtype(folder);
  const compared = pack ? { ...options, pack, dtypes: [pack] } : options;
  const requests = requestsFor(folder, { texts: native.text, images: native.vision });
  const result = {};
  mkdirSync(scratch, { recursive: true });
  try {
    for (const tower of towers) {
      const floats = join(scratch, "floats");
      if (pack) dequantisePack(folder, floats, [tower]);
      const model = (dtype) => (pack && dtype === "f32" ? floats : folder);
      result[tower] = await compareTower(tower, compared, requests[tower], {
        native: (dtype, list) => {
          log(`${tower} ${dtype}, native`, "numerics");
          const path = join(scratch, `${tower}-${dtype}.frames`);
          writeFrames(
            {
              model: model(dtype),
              dtype,
              threads,
              maxTokens: MAX_TOKENS,
              towers: [tower],
              requests: list,
            },
            { runner, scratch, frames: path },
          );
          const frames = new FrameFile(path);
          rmSync(path); // stays readable until it is closed
          return frames;
        },
        wasm: (dtype, variant) => wasmStages(model(dtype), tower, dtype, variant, requests[tower]),
      });
      rmSync(floats, { recursive: true, force: true });
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return result;
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const options = readArguments();
    const wasm = options.towers.some((tower) => options.wasm[tower] > 0);
    if (wasm && options.variants.includes("relaxed-simd")) restartFor("relaxed-simd");
    await buildFor({
      native: { [PRESET]: [RUNNER] },
      variants: wasm ? options.variants : [],
      js: wasm,
    });
    const towers = await report(options);
    console.log(
      `${options.folder}\n${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`,
    );
    let ok = true;
    for (const [tower, comparisons] of Object.entries(towers)) {
      console.log(`\n${tower} (how many requests in brackets)\n${comparisonTable(comparisons)}`);
      for (const comparison of comparisons) {
        const row = badRow(comparison);
        if (!row) continue;
        ok = false;
        console.log(
          `FAIL ${comparison.name}: ${row.stage} of "${row.worst}" has cosine ${row.minCosine.toFixed(6)}, at least ${comparison.bound} is expected`,
        );
      }
    }
    if (options.json)
      writeFileSync(
        options.json,
        `${JSON.stringify({ machine: cpus()[0].model, node: process.version, date: new Date().toISOString(), towers }, null, 1)}\n`,
      );
    console.log(`\nnumerics: ${ok ? "PASS" : "FAIL"}`);
    process.exitCode = ok ? 0 : 1;
  });
}
