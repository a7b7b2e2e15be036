// One golden run on one module in a process of its own: node golden-run.mjs VARIANT THREADS DTYPE. Prints the stages that
// fail, one a line, and exits with 1 if there are any.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goldenJob, readGoldenSet } from "../../../tools/golden/golden-set.mjs";
import { compareStages } from "../../../tools/golden/stages.mjs";
import { runWasm } from "../../../tools/golden/wasm-backend.mjs";

const [variant, threads, dtype] = process.argv.slice(2);
const set = readGoldenSet(fileURLToPath(new URL("../../data/golden-a", import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), "clipglot-golden-"));
try {
  const rows = compareStages(
    set,
    await runWasm(goldenJob(set, { dtype, threads: Number(threads), scratch }), { variant }),
    dtype,
  );
  for (const { stage, where, maxDiff, minCosine, bound } of rows.filter((row) => !row.ok)) {
    console.log(
      `${stage} at ${where}: max |difference| ${maxDiff}, lowest cosine ${minCosine}, demanded: ${bound}`,
    );
  }
  console.log(`${rows.length} stages`);
  process.exitCode = rows.every((row) => row.ok) ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
