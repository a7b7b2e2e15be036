// npm run fuzz:native -- [--seconds N] [--runs N] [--targets a,b,…]
//
// Runs the coverage-guided fuzz targets of tests/fuzz/native one after another, N seconds each (default 60) or a number of
// runs, and ends with 1 when one of them found something. What is found lies in build/fuzz/findings/<target>/; the same
// program with that file as its argument repeats it. Inputs that reach new code are kept in build/fuzz/corpus/<target>/ for
// the next time. Needs clang; sets up and builds what it needs.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { buildNative } from "../build/steps.mjs";
import { log, runMain, SetupError } from "../setup/log.mjs";
import { build, root } from "../setup/paths.mjs";
import { setUp } from "../setup/setup.mjs";
import { seeds } from "./seeds.mjs";
import { dictionaryLine, targets } from "./targets.mjs";

const preset = "native-fuzz";
const folderOf = (...names) => join(build, "fuzz", ...names);

/** Builds every target, or these. */
export async function buildTargets(names = Object.keys(targets), definitions = []) {
  await buildNative(
    preset,
    names.map((name) => `clipglot_fuzz_${name}`),
    definitions,
  );
}

// Writes a target's first inputs and its dictionary.
function prepare(name) {
  const { maxBytes, words } = targets[name];
  const inputs = seeds[name](maxBytes).filter((input) => input.length <= maxBytes);
  if (inputs.length === 0) throw new SetupError(`${name}: no seeds of at most ${maxBytes} bytes`);
  const folder = folderOf("seeds", name);
  rmSync(folder, { recursive: true, force: true });
  for (const made of [folder, folderOf("corpus", name), folderOf("findings", name)])
    mkdirSync(made, { recursive: true });
  for (const [i, input] of inputs.entries())
    writeFileSync(join(folder, String(i).padStart(3, "0")), input);
  writeFileSync(folderOf(`${name}.dict`), words(inputs).map(dictionaryLine).join(""));
}

/**
 * Runs one target. `limits`: libFuzzer's own flags. `keep`: whether inputs that reach new code are kept and used.
 * Gives { executions, edges, inputs, found }; `found`: files that a check, a sanitizer or a limit of memory refused.
 */
export async function runTarget(name, limits, keep) {
  prepare(name);
  const findings = folderOf("findings", name);
  const before = new Set(readdirSync(findings));
  const corpus = keep ? folderOf("corpus", name) : folderOf("scratch", name);
  if (!keep) rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  const child = spawn(
    join(build, preset, "tests/fuzz/native", `clipglot_fuzz_${name}`),
    [
      ...limits,
      `-max_len=${targets[name].maxBytes}`,
      "-rss_limit_mb=2048",
      "-print_final_stats=1",
      "-print_funcs=0",
      `-dict=${folderOf(`${name}.dict`)}`,
      `-artifact_prefix=${findings}/`,
      corpus,
      folderOf("seeds", name),
    ],
    {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...process.env,
        UBSAN_OPTIONS: "print_stacktrace=1",
        ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1",
      },
    },
  );
  let output = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text) => (output = (output + text).slice(-200_000)));
  const code = await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new SetupError(`cannot start ${name}: ${error.message}`)));
    child.on("close", (status, signal) => resolve(status ?? signal));
  });
  const last = [...output.matchAll(/cov: (\d+) ft: \d+ corp: (\d+)/g)].at(-1);
  const found = readdirSync(findings)
    .filter((file) => !before.has(file))
    .map((file) => join(findings, file));
  if (code !== 0) process.stderr.write(output.slice(-8000));
  if (code !== 0 && found.length === 0) throw new SetupError(`${name} ended with ${code}`);
  return {
    executions: Number(/stat::number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0),
    edges: Number(last?.[1] ?? 0),
    inputs: Number(last?.[2] ?? 0),
    found,
  };
}

/** One line about one run. */
export const line = (name, { executions, edges, inputs, found }) =>
  `${name}: ${executions} executions, ${edges} edges, ${inputs} inputs` +
  found.map((file) => `\n  FOUND: ${file}`).join("");

async function main() {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string" },
      runs: { type: "string" },
      targets: { type: "string", default: Object.keys(targets).join(",") },
    },
  });
  const names = values.targets.split(",");
  const unknown = names.find((name) => !(name in targets));
  if (unknown !== undefined)
    throw new SetupError(`no target ${unknown}; there are: ${Object.keys(targets).join(" ")}`);
  for (const number of [values.seconds, values.runs]) {
    if (number !== undefined && !/^[1-9]\d*$/.test(number))
      throw new SetupError(`a number of seconds or runs is expected, not ${number}`);
  }
  await setUp(["compiler", "fuzzer", "sources"]);
  await buildTargets(names);
  const limits = values.runs
    ? [`-runs=${values.runs}`]
    : [`-max_total_time=${values.seconds ?? 60}`, "-timeout=60"];
  let executions = 0,
    findings = 0;
  for (const name of names) {
    const result = await runTarget(name, limits, true);
    console.log(line(name, result));
    executions += result.executions;
    findings += result.found.length;
  }
  log(`${executions} executions, ${findings} findings`, "fuzz");
  if (findings > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await runMain(main);
