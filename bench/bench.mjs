// npm run bench -- [kernels] [q4] [sizes] [load] [hub --checkpoint DIR] [--ms N]
//
//   kernels   GOP/s of one 1024 × 4096 layer at 1, 32 and 512 rows in f32, q8 and q4, and attention, natively and in every wasm
//             variant that this Node runs
//   q4        error and bytes of 4-bit weights beside their alternatives
//   sizes     bytes of each .wasm, raw and as brotli
//   load      time, bytes and memory of loading a pack in Chromium and in Node; its options: bench/load.mjs
//   hub       a model by its name on a hub beside a pack that is ready; only if asked for: it needs a checkpoint (bench/hub.mjs)
//
// Builds what it needs, prints tables, and writes all figures to build/bench/<what>.json with the machine's name. Run it on a
// quiet machine: a figure is the best of many repetitions, but a crowded cache slows them all.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";
import { buildFor, buildWasm, converters, variants, wasmFolder } from "../tools/build/steps.mjs";
import { build } from "../tools/setup/paths.mjs";
import { benchHub, hubOptions } from "./hub.mjs";
import { benchLoad, loadOptions } from "./load.mjs";
import { nodeFlagsFor } from "../tools/lib/direct-engine.mjs";

const PROGRAM = "clipglot_bench_kernels";
const Q4_PROGRAM = "clipglot_bench_q4";
const machine = {
  cpu: cpus()[0].model,
  cores: cpus().length,
  node: process.version,
  date: new Date().toISOString(),
};

const groupOf = (f) =>
  `${f.build.padEnd(22)} ${f.kernel.padEnd(10)} ${(f.dtype ?? "f32").padEnd(5)} ${String(f.threads).padEnd(7)}`;
const shapeOf = (f) => (f.in ? `${f.in}x${f.out}@${f.rows}:` : f.rows ? `${f.rows} rows:` : "");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { ms: { type: "string", default: "400" }, ...hubOptions, ...loadOptions },
});
const benches = { kernels: benchKernels, q4: benchQ4, sizes: benchSizes, load: benchLoading };
const asked = { ...benches, hub: benchHubLoads };
const wanted = positionals.length ? positionals : Object.keys(benches);
for (const name of wanted) {
  if (!(name in asked)) {
    console.error(`no bench ${name}; there are: ${Object.keys(asked).join(" ")}`);
    process.exit(2);
  }
}
console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`);
for (const name of wanted) {
  const figures = await asked[name]();
  mkdirSync(join(build, "bench"), { recursive: true });
  writeFileSync(
    join(build, "bench", `${name}.json`),
    JSON.stringify({ machine, figures }, null, 1),
  );
}

async function benchKernels() {
  await buildFor({ native: { "native-release": [PROGRAM] }, variants: ["simd"] });
  const figures = measure(join(build, "native-release/bench", PROGRAM), [], "native");
  for (const variant of variants) {
    await buildWasm(variant, [PROGRAM]);
    figures.push(
      ...measure(
        process.execPath,
        [...nodeFlagsFor(variant), join(build, `wasm-${variant}/bench/${PROGRAM}.cjs`)],
        variant,
      ),
    );
  }
  console.log(`\n${"build".padEnd(22)} ${"kernel".padEnd(10)} dtype threads  shape and GOP/s`);
  const groups = group(figures);
  for (const [key, list] of groups)
    console.log(`${key}  ${list.map((f) => `${shapeOf(f)} ${f.gops}`).join("   ")}`);
  return figures;
}

function group(figures) {
  const groups = new Map();
  for (const figure of figures)
    groups.set(groupOf(figure), [...(groups.get(groupOf(figure)) ?? []), figure]);
  return groups;
}

// One JSON line a measurement; see bench/kernels.
function measure(command, args, name) {
  const threads = name === "native" || name.endsWith("-threads") ? "1,2" : "1";
  const done = spawnSync(
    command,
    [...args, "--threads", threads, "--rows", "1,32,512", "--ms", values.ms],
    { encoding: "utf8" },
  );
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr || done.error?.message}`);
  return done.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => ({ build: name, ...JSON.parse(line) }));
}

async function benchHubLoads() {
  if (values.checkpoint === undefined) {
    console.error("hub: --checkpoint DIR is missing");
    process.exit(2);
  }
  await buildFor({ variants: ["simd", "simd-threads"], js: true });
  return benchHub(values);
}

async function benchLoading() {
  await buildFor({ variants: [values.variant], js: true });
  return benchLoad(values);
}

async function benchQ4() {
  await buildFor({ native: { "native-release": [Q4_PROGRAM] } });
  const done = spawnSync(join(build, "native-release/bench", Q4_PROGRAM), [], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${Q4_PROGRAM}: ${done.stderr || done.error?.message}`);
  console.log(`\n${done.stdout.trim()}`);
  return done.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

async function benchSizes() {
  await buildFor({ variants });
  const figures = [...variants, ...Object.keys(converters)].map((variant) => {
    const bytes = readFileSync(join(wasmFolder, `clipglot-${variant}.wasm`));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
    return { variant, raw: bytes.length, brotli: brotliCompressSync(bytes, { params }).length };
  });
  console.log("");
  for (const { variant, raw, brotli } of figures)
    console.log(`clipglot-${variant}.wasm  ${raw} bytes, brotli ${brotli}`);
  return figures;
}
