// npm test: sets up and runs every test, cheapest first, and stops at the first layer that fails.
//   node tools/build/test.mjs [layer…]      layers: rules lint native-debug native-asan native-tsan fuzz js browser arm train
//                                           (default: all)
// The last line counts the tests.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { onArm } from "../setup/arm64.mjs";
import { elapsed, log, runMain, SetupError } from "../setup/log.mjs";
import { root } from "../setup/paths.mjs";
import { setUp } from "../setup/setup.mjs";
import { run } from "../setup/run.mjs";
import { buildTargets, line, runTarget } from "../fuzz/fuzz-native.mjs";
import { targets } from "../fuzz/targets.mjs";
import { configureNative, buildNative, buildTypeScript, buildVariant, variants } from "./steps.mjs";

const counts = { passed: 0, failed: 0 };

// Runs a test program with its output shown, and adds up what it counts.
function runCounted(command, args, options, count) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: root,
      ...options,
    });
    let output = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text) => {
      process.stdout.write(text);
      output += text;
    });
    child.on("error", (error) =>
      reject(new SetupError(`cannot start ${command}: ${error.message}`)),
    );
    child.on("close", (code) => {
      const { passed, failed } = count(output);
      counts.passed += passed;
      counts.failed += failed;
      if (code !== 0) reject(new SetupError(`tests failed: ${command} ${args.join(" ")}`));
      else if (passed === 0) reject(new SetupError(`no tests ran: ${command} ${args.join(" ")}`));
      else resolve();
    });
  });
}

const number = (pattern, text) => Number(pattern.exec(text)?.[1] ?? 0);

// node --test on every *.test.mjs of a folder.
async function runNode(folder, flags = []) {
  const files = existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true })
        .filter((name) => /\.test\.m?js$/.test(name))
        .sort()
    : [];
  if (files.length === 0) throw new SetupError(`no tests in ${folder}`);
  await runCounted(
    process.execPath,
    ["--test", "--test-reporter=spec", ...flags, ...files.map((name) => join(folder, name))],
    {},
    (output) => ({
      passed: number(/^ℹ pass (\d+)/m, output),
      failed: number(/^ℹ fail (\d+)/m, output),
    }),
  );
}

// CTest on a preset's tests; `filter`: only those whose names match; `but`: without those whose names match this.
async function runCtest(preset, filter = ".", but = "^$") {
  await runCounted(
    "ctest",
    [
      ...["--preset", preset, "-R", filter, "-E", but],
      ...["--parallel", String(availableParallelism()), "--progress"],
    ],
    {
      env: {
        ...process.env,
        UBSAN_OPTIONS: "print_stacktrace=1",
        ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1",
        TSAN_OPTIONS: "halt_on_error=1:allocator_may_return_null=1",
      },
    },
    (output) => {
      const failed = number(/, (\d+) tests? failed out of \d+/, output);
      return { failed, passed: number(/tests? failed out of (\d+)/, output) - failed };
    },
  );
}

// Tests that take minutes of an emulator and that another one makes in small: long sequences, many groups and threads, and golden
// sets over again on each int8 path. `ctest --preset native-arm64` runs them, too.
const slowUnderEmulation =
  "TextsTogether|SequencesLook|OnEveryPath|NearFloats|BothThreadsWork|AnyNumberOfThreads|AloneAndInABatch|8192|_4_threads";

// A warning in our own code is an error here.
const strict = ["-DCLIPGLOT_WERROR=ON"];

const layers = {
  rules: () => runNode("tests/rules"),
  lint: async () => {
    await configureNative("native-debug", strict);
    await runNode("tests/lint");
  },
  "native-debug": async () => {
    await buildNative("native-debug", [], strict);
    await runCtest("native-debug");
  },
  "native-asan": async () => {
    await buildNative("native-asan", [], strict);
    await runCtest("native-asan");
  },
  // What runs on more than one thread.
  "native-tsan": async () => {
    await buildNative("native-tsan", ["clipglot_tests_nn", "clipglot_tests_engine"], strict);
    await runCtest("native-tsan", "^(Workspace|Emoji|EngineTest)\\.|_4_threads|OnEveryPath$");
  },
  // The same inputs each time: libFuzzer's chance has a fixed seed, and runs are counted, not seconds.
  fuzz: async () => {
    await buildTargets(undefined, strict);
    for (const [name, { runs }] of Object.entries(targets)) {
      const result = await runTarget(name, [`-runs=${runs}`, "-seed=1"], false);
      log(line(name, result), "fuzz");
      counts[result.found.length ? "failed" : "passed"]++;
      if (result.found.length) throw new SetupError(`fuzzing found something: ${name}`);
    }
  },
  js: async () => {
    for (const variant of variants) await buildVariant(variant);
    await buildTypeScript();
    await runNode("tests/js", ["--test-concurrency=1"]);
    await runNode("tests/package");
  },
  browser: async () => {
    for (const variant of variants) await buildVariant(variant);
    await buildTypeScript();
    log("type-checking the demo page", "build");
    await run(process.execPath, [
      join(root, "node_modules/typescript/bin/tsc"),
      "--noEmit",
      "-p",
      join(root, "web-demo"),
    ]);
    await runNode("tests/browser", ["--test-concurrency=1"]);
  },
  // On another processor: the modules and the native tests of what computes. An Arm machine runs the latter in native-debug.
  arm: async () => {
    for (const variant of variants) await buildVariant(variant);
    await buildTypeScript();
    await runNode("tests/arm");
    if (onArm) return;
    const programs = ["base", "nn", "engine"].map((room) => `clipglot_tests_${room}`);
    // Not strict: optimised, GCC 12 takes members of an empty std::optional for used uninitialised.
    await buildNative("native-arm64", programs);
    await runCtest("native-arm64", ".", slowUnderEmulation);
  },
  // Trains a tiny emoji model from nothing.
  train: () => runNode("tests/train", ["--test-concurrency=1"]),
};

const setUpSteps = {
  rules: ["node-modules"],
  lint: ["compiler", "sources", "node-modules", "lint"],
  "native-debug": ["compiler", "sources"],
  "native-asan": ["compiler", "sources"],
  "native-tsan": ["compiler", "sources"],
  fuzz: ["compiler", "fuzzer", "sources"],
  js: ["compiler", "sources", "node-modules", "toolchain"],
  browser: ["compiler", "sources", "node-modules", "toolchain", "browser"],
  arm: ["compiler", "sources", "node-modules", "toolchain", "arm64"],
  train: ["training", "training-data"],
};

await runMain(async () => {
  const wanted = process.argv.slice(2);
  const unknown = wanted.find((name) => !(name in layers));
  if (unknown)
    throw new SetupError(`no layer ${unknown}; there are: ${Object.keys(layers).join(" ")}`);
  try {
    for (const name of Object.keys(layers)) {
      if (wanted.length && !wanted.includes(name)) continue;
      log(`tests: ${name}`, "test");
      await setUp(setUpSteps[name]);
      await layers[name]();
      log(`tests: ${name} passed`, "test");
    }
  } finally {
    log(`after ${elapsed()}`, "test");
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`);
  }
});
