// npm run fingerprints -- record FILE          writes SHA-256 of the vectors that this tree's engine gives
// npm run fingerprints -- compare FILE         computes them again, and fails with the names of those that differ
//   --models LIST    golden,emoji,fullsize,packs (all)
//   --variants LIST  of the four builds (all)         --dtypes LIST  f32,q8,q4 (all)
//   --no-build       takes dist/ as it is
//
// For changes that must not move a bit. Recorded before the change and compared after it, on one machine: kernels are
// chosen by what the processor has. Covered: every build with 1 and 2 threads and every dtype of
//   golden    tests/data/golden-a: the unit-length vectors, the vectors before it and all stages of each text and image
//   emoji     models/emoji: a hundred texts alone and in batches, the pictures of tests/data
//   fullsize  a stand-in with the widths of jina-clip-v2 and 2 layers a tower (npm run fullsize): long texts, batches, images
//   packs     the bytes of the files that the converter writes for the first two
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor, variants } from "../build/steps.mjs";
import { nodeFlagsFor } from "../lib/direct-engine.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";

const MODELS = ["golden", "emoji", "fullsize", "packs"],
  DTYPES = ["f32", "q8", "q4"];

function readArguments() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      models: { type: "string", default: MODELS.join() },
      variants: { type: "string", default: variants.join() },
      dtypes: { type: "string", default: DTYPES.join() },
      "no-build": { type: "boolean", default: false },
    },
  });
  const [action, file] = positionals;
  if (positionals.length !== 2 || !["record", "compare"].includes(action))
    throw new SetupError("usage: npm run fingerprints -- record|compare FILE");
  const list = (name, possible) =>
    values[name].split(",").map((item) => {
      if (!possible.includes(item))
        throw new SetupError(`--${name}: no ${item}; there are ${possible.join(" ")}`);
      return item;
    });
  return {
    action,
    file: resolve(file),
    build: !values["no-build"],
    models: list("models", MODELS),
    variants: list("variants", variants),
    dtypes: list("dtypes", DTYPES),
  };
}

/** Name → SHA-256 of one run in a process of its own, which Node starts with the flags that the build needs. */
function runOne(run) {
  const child = join(import.meta.dirname, "run.mjs");
  const done = spawnSync(
    process.execPath,
    [...nodeFlagsFor(run.variant), child, JSON.stringify(run)],
    { encoding: "utf8", maxBuffer: 1 << 28 },
  );
  if (done.status !== 0)
    throw new SetupError(
      `${JSON.stringify(run)} ended with ${done.status ?? done.signal}: ${done.stderr}`,
    );
  return JSON.parse(done.stdout.trim().split("\n").at(-1)); // making a stand-in prints lines of its own
}

await runMain(async () => {
  const options = readArguments();
  if (options.build) await buildFor({ variants: options.variants, js: true });
  const runs = options.models.flatMap((model) => {
    if (model === "packs")
      return options.dtypes.map((dtype) => ({ model, dtype, variant: "simd", threads: 1 }));
    return options.variants.flatMap((variant) =>
      (variant.endsWith("threads") ? [1, 2] : [1]).flatMap((threads) =>
        options.dtypes.map((dtype) => ({ model, dtype, variant, threads })),
      ),
    );
  });
  const found = {};
  for (const run of runs) {
    const { model, dtype, variant, threads } = run;
    log(`${model} ${dtype} ${variant} ${threads}`, "bits");
    for (const [name, hash] of Object.entries(runOne(run)))
      found[`${model} ${dtype} ${variant} ${threads}: ${name}`] = hash;
  }
  const count = Object.keys(found).length;
  if (options.action === "record") {
    mkdirSync(dirname(options.file), { recursive: true });
    writeFileSync(options.file, `${JSON.stringify(found, null, 1)}\n`);
    log(`wrote ${count} hashes to ${options.file}`, "bits");
    return;
  }
  const recorded = JSON.parse(readFileSync(options.file, "utf8"));
  const missing = Object.keys(found).filter((name) => !(name in recorded));
  const different = Object.keys(found).filter(
    (name) => name in recorded && recorded[name] !== found[name],
  );
  for (const name of missing) console.log(`not recorded: ${name}`);
  for (const name of different) console.log(`differs: ${name}`);
  console.log(`${count - missing.length - different.length} of ${count} hashes are the same`);
  if (missing.length || different.length) throw new SetupError("the vectors are not the same");
});
