// npm run setup: everything a build needs, from nothing. Safe to call again at any time: finished
// steps are skipped, interrupted ones start where they stopped.
//   node tools/setup/setup.mjs [--compiler] [--sources] [--node-modules] [--toolchain] [--browser]   (default: all of these)
//   node tools/setup/setup.mjs --arm64      what the tests for Arm need besides
//   node tools/setup/setup.mjs --fuzzer     what the fuzz targets need besides
//   node tools/setup/setup.mjs --training --training-data      what training the emoji model needs besides
import { pathToFileURL } from "node:url";
import { setUpArm64 } from "./arm64.mjs";
import { setUpHostPackages } from "./host-packages.mjs";
import { runMain, log, SetupError } from "./log.mjs";
import { setUpNodeModules } from "./node-modules.mjs";
import { setUpSources } from "./sources.mjs";
import { setUpToolchain } from "./toolchain.mjs";
import { setUpTrainingData } from "./training.mjs";

// In this order.
const steps = {
  compiler: () => setUpHostPackages(["compiler"], ["ccache"]),
  sources: setUpSources,
  "node-modules": setUpNodeModules,
  toolchain: setUpToolchain,
  browser: () => setUpHostPackages(["browser"]),
  lint: () => setUpHostPackages(["lint"]),
  arm64: setUpArm64,
  fuzzer: () => setUpHostPackages(["fuzzer"]),
  training: () => setUpHostPackages(["training"]),
  "training-data": setUpTrainingData,
};
const forBuilds = ["compiler", "sources", "node-modules", "toolchain", "browser"];

/** Runs the named steps in the right order. */
export async function setUp(names = forBuilds) {
  for (const name of Object.keys(steps)) if (names.includes(name)) await steps[name]();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await runMain(async () => {
    const names = process.argv.slice(2).map((flag) => flag.replace(/^--/, ""));
    const unknown = names.find((name) => !(name in steps));
    if (unknown) {
      throw new SetupError(
        `unknown step ${unknown}; there are: ${Object.keys(steps)
          .map((s) => `--${s}`)
          .join(" ")}`,
      );
    }
    await setUp(names.length ? names : undefined);
    log("ready");
  });
}
