// One module, all that the tests for Arm ask of it, in a process of its own: vectors.mjs VARIANT THREADS DTYPES FILE writes
// { golden: dtype → request → stage → { shape, data }, emoji: name → vector } to FILE. Runs on Arm and, to compare, on this
// machine's processor.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goldenJob } from "../../../tools/golden/golden-set.mjs";
import { traceOne } from "../../../tools/golden/wasm-backend.mjs";
import { openEngine } from "../../../tools/lib/direct-engine.mjs";
import { texts } from "../../../tools/numerics/texts.mjs";
import { smallGoldenSet } from "./small-golden-set.mjs";
import { pack } from "./exchange.mjs";

const [variant, threads, dtypes, file] = process.argv.slice(2);
const emoji = fileURLToPath(new URL("../../../models/emoji", import.meta.url));
const set = smallGoldenSet();
const scratch = mkdtempSync(join(tmpdir(), "clipglot-arm-"));
const started = performance.now();
const progress = (what) =>
  console.log(`${variant}: ${what} after ${((performance.now() - started) / 1000).toFixed(1)} s`);

// All engines stay open until the end: Node compiles a module once while an instance of it lives.
const engines = [];
async function open(options) {
  engines.push(await openEngine({ variant, threads: Number(threads), ...options }));
  return engines.at(-1);
}

try {
  const golden = {};
  for (const dtype of dtypes.split(",")) {
    const { requests, maxTokens } = goldenJob(set, { dtype, threads, scratch });
    const engine = await open({ folder: set.dir, dtype, maxTokens });
    golden[dtype] = new Map(requests.map((request) => [request.id, traceOne(engine, request)]));
    progress(`golden ${dtype}`);
  }
  const engine = await open({ folder: emoji });
  progress("the emoji model is loaded");
  const vectors = {};
  for (const { name, text } of texts.filter((_, i) => i % 9 === 0))
    vectors[name] = engine.embedText(text).vector;
  for (const name of ["photo.jpg", "alpha.png"])
    vectors[name] = engine.embedImage(
      new Uint8Array(readFileSync(join(set.dir, "images", name))),
    ).vector;
  progress("emoji");
  if (Number(threads) > 1 && engines.some((each) => each.threadsSeen() < 2))
    throw new Error(`asked for ${threads} threads, only one worked`);
  writeFileSync(file, pack({ golden, emoji: vectors }));
} finally {
  for (const engine of engines) engine.dispose();
  rmSync(scratch, { recursive: true, force: true });
}
