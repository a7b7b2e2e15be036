// npm run golden -- DIR [--backend NAME] [--threads N] [--dtype f32|q8]
//
// Backends: native (XNNPACK's int8 kernels), native-<path> (the package's own int8 kernels on one path: i16-madd, u8s8-dot,
// s8s8-dot or acc16; only q8), wasm-simd, wasm-relaxed-simd.
//
// Compares every stage of the computation with what the upstream model gives for a golden set (tests/data/golden-a/README.md
// describes the layout), prints one line a stage and a verdict, and exits with 1 past the tolerances. Sets up and builds
// what it needs. Without flags it runs every backend at f32 and q8 with 1 and 2 threads.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { build } from "../setup/paths.mjs";
import { restartFor } from "../lib/direct-engine.mjs";
import { goldenJob, readGoldenSet } from "./golden-set.mjs";
import { runNative } from "./native-backend.mjs";
import { compareStages } from "./stages.mjs";
import { runWasm } from "./wasm-backend.mjs";

// The paths by which the modules multiply int8 (src/nn/int8/isa.h), each in its portable form.
const INT8_PATHS = ["i16-madd", "u8s8-dot", "s8s8-dot", "acc16"];
const BACKENDS = [
  "native",
  ...INT8_PATHS.map((path) => `native-${path}`),
  "wasm-simd",
  "wasm-relaxed-simd",
];
const isNative = (backend) => backend.startsWith("native");
/** The path of a native backend; undefined for XNNPACK's kernels. */
const int8PathOf = (backend) => INT8_PATHS.find((path) => backend === `native-${path}`);
const presetOf = (backend) => (int8PathOf(backend) ? "native-debug" : "native-release");
const RUNNER = "clipglot_trace_runner";

function usage(problem) {
  console.error(
    `${problem}\nusage: npm run golden -- DIR [--backend ${BACKENDS.join("|")}] [--threads N] [--dtype f32|q8]`,
  );
  process.exit(2);
}

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        backend: { type: "string" },
        threads: { type: "string" },
        dtype: { type: "string" },
      },
    });
  } catch (error) {
    usage(error.message);
  }
  const { positionals, values } = parsed;
  if (positionals.length !== 1) usage("one folder is expected");
  if (!existsSync(join(positionals[0], "expected.json")))
    usage(`${positionals[0]}: no expected.json there`);
  if (values.backend && !BACKENDS.includes(values.backend))
    usage(`unknown backend ${values.backend}`);
  if (values.dtype && !["f32", "q8"].includes(values.dtype)) usage(`unknown dtype ${values.dtype}`);
  const threads = values.threads === undefined ? undefined : Number(values.threads);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 64))
    usage(`threads ${values.threads}: 1 to 64`);
  return {
    folder: positionals[0],
    backends: values.backend ? [values.backend] : BACKENDS,
    threads: threads ? [threads] : [1, 2],
    dtypes: values.dtype ? [values.dtype] : ["f32", "q8"],
  };
}

/** The module that a wasm backend with so many threads is. */
const variantOf = (backend, threads) =>
  backend.slice("wasm-".length) + (threads > 1 ? "-threads" : "");

async function main() {
  const { folder, backends, threads, dtypes } = readArguments();
  // An engine that knows relaxed SIMD only behind a flag gets the flag: the same command again, so that exactly the
  // module that was asked for runs.
  if (backends.includes("wasm-relaxed-simd")) restartFor("relaxed-simd");
  const runs = backends.flatMap((backend) =>
    dtypes
      .filter((dtype) => dtype === "q8" || !int8PathOf(backend))
      .flatMap((dtype) => threads.map((n) => ({ backend, dtype, threads: n }))),
  );
  if (runs.length === 0) usage("a path of int8 is only for q8");
  const variants = [
    ...new Set(
      runs
        .filter((run) => !isNative(run.backend))
        .map((run) => variantOf(run.backend, run.threads)),
    ),
  ];
  await buildFor({
    native: Object.fromEntries(
      backends.filter(isNative).map((backend) => [presetOf(backend), [RUNNER]]),
    ),
    variants,
    js: variants.length > 0,
  });

  const set = readGoldenSet(folder);
  const scratch = mkdtempSync(join(tmpdir(), "clipglot-golden-"));
  let worst,
    ok = true,
    stages = 0;
  try {
    for (const run of runs) {
      const name = `${run.backend} ${run.dtype} ${run.threads} thread${run.threads > 1 ? "s" : ""}`;
      console.log(`\n${name}`);
      const job = goldenJob(set, { ...run, scratch });
      const results = isNative(run.backend)
        ? runNative(
            { ...job, int8: int8PathOf(run.backend) },
            { runner: join(build, presetOf(run.backend), "tools/golden", RUNNER), scratch },
          )
        : await runWasm(job, { variant: variantOf(run.backend, run.threads) });
      for (const row of compareStages(set, results, run.dtype)) {
        console.log(line(row));
        stages += 1;
        ok &&= row.ok;
        if (!worst || row.share > worst.share) worst = { ...row, run: name };
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const figure =
    worst.share === 0
      ? "every bound met exactly"
      : `worst: ${worst.stage} (${worst.where}) in ${worst.run}, max |difference| ${worst.maxDiff.toExponential(2)}, lowest cosine ${worst.minCosine.toFixed(6)}, ${(worst.share * 100).toFixed(1)} % of the tolerance`;
  console.log(
    `\ngolden: ${ok ? "PASS" : "FAIL"}, ${stages} stages in ${runs.length} runs; ${figure}`,
  );
  process.exitCode = ok ? 0 : 1;
}

function line({ stage, count, maxDiff, minCosine, meanCosine, bound, ok, where }) {
  const mean = bound.includes("mean") ? ` mean ${meanCosine.toFixed(6)}` : "";
  return (
    `  ${ok ? "ok  " : "FAIL"} ${stage.padEnd(28)} ${String(count).padStart(3)}  max |difference| ${maxDiff.toExponential(2).padStart(8)}` +
    `  cos ${minCosine.toFixed(6)}${mean}  ${bound ? `(${bound})` : "(no bar)"}${ok ? "" : `  at ${where}`}`
  );
}

await main().catch((error) => {
  console.error(`golden: FAIL, ${error.message}`);
  process.exitCode = 1;
});
