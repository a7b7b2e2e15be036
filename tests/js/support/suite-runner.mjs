// Runs the shared suites in Node with one build. As a program: suite-runner.mjs VARIANT THREADS prints one JSON line a
// check, for builds that this process cannot run but a process with other flags can.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { load } from "clipglot";
import { names, run } from "../../shared/suites.mjs";

export const goldenFolder = fileURLToPath(new URL("../../data/golden-a/", import.meta.url));

export function contextFor(variant, threads) {
  return {
    variant,
    threads,
    load: (options) => load({ model: goldenFolder, variant, threads, ...options }),
    read: async (path) => new Uint8Array(await readFile(goldenFolder + path)),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [variant, threads] = process.argv.slice(2);
  const context = contextFor(variant, Number(threads));
  for (const name of names()) {
    const start = performance.now();
    let error;
    await run(name, context).catch((cause) => (error = cause.stack));
    console.log(JSON.stringify({ name, error, milliseconds: performance.now() - start }));
  }
}
