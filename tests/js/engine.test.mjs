// The shared suites in Node, with each of the four builds.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canRunRelaxedSimd } from "../../tools/lib/direct-engine.mjs";
import { names, run } from "../shared/suites.mjs";
import { contextFor } from "./support/suite-runner.mjs";

const relaxedFlag = "--experimental-wasm-relaxed-simd";

for (const [variant, threads] of [
  ["simd", 1],
  ["simd-threads", 2],
  ["relaxed-simd", 1],
  ["relaxed-simd-threads", 2],
]) {
  describe(variant, () => {
    if (!variant.startsWith("relaxed") || canRunRelaxedSimd()) {
      const context = contextFor(variant, threads);
      for (const name of names()) test(name, () => run(name, context));
      return;
    }
    // Node 20 takes relaxed SIMD with a flag only: one child runs all checks, each test waits for its line.
    const results = runInChild(variant, threads);
    for (const name of names()) {
      test(name, async () => {
        const result = (await results()).get(name);
        assert.ok(result, "the check did not run");
        if (result.error) throw new Error(result.error);
      });
    }
  });
}

function runInChild(variant, threads) {
  let results;
  return () =>
    (results ??= new Promise((resolve, reject) => {
      const runner = fileURLToPath(new URL("./support/suite-runner.mjs", import.meta.url));
      const child = spawn(process.execPath, [relaxedFlag, runner, variant, String(threads)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const lines = new Map();
      createInterface(child.stdout).on("line", (line) => {
        const result = JSON.parse(line);
        lines.set(result.name, result);
      });
      child.on("error", reject);
      child.on("close", (code) =>
        code === 0 ? resolve(lines) : reject(new Error(`the child ended with ${code}`)),
      );
    }));
}
