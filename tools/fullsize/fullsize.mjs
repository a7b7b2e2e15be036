// npm run fullsize -- DIR [--layers N] [--small] [--backend native|wasm] [--no-statistics]
//
// Makes a stand-in for jina-clip-v2 in DIR: upstream's files and layout, 999 tensors, 865,278,476 parameters in BF16 (1.73 GB), a
// tokenizer of 250,002 pieces, all numbers random and always the same. The real weights are not needed to try the converter, memory,
// speed, and quantisation at full size. tools/fullsize/tensors.mjs tells how the numbers are spread. Then the engine embeds a
// text and an image in float32, one tower after the other, and the sizes of the values between the layers are printed.
//
//   --layers N        N layers a tower instead of 24, otherwise the same
//   --small           a tiny model of the same build, for tests of tools
//   --no-statistics   does not run the engine (which takes minutes at full size)
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { runNative } from "../golden/native-backend.mjs";
import { runWasm } from "../golden/wasm-backend.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";
import { build } from "../setup/paths.mjs";
import { makeStandIn } from "./make.mjs";
import { FULL, SMALL } from "./shape.mjs";
import { measureRequests, measureTower, statisticsTable } from "./statistics.mjs";

const USAGE =
  "usage: npm run fullsize -- DIR [--layers N] [--small] [--backend native|wasm] [--no-statistics]";
const PRESET = "native-release",
  RUNNER = "clipglot_trace_runner";

function readArguments() {
  const fail = (problem) => {
    throw new SetupError(`${problem}\n${USAGE}`);
  };
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        layers: { type: "string" },
        small: { type: "boolean" },
        backend: { type: "string" },
        "no-statistics": { type: "boolean" },
      },
    });
  } catch (error) {
    fail(error.message);
  }
  const {
    positionals: [folder, ...more],
    values,
  } = parsed;
  if (folder === undefined || more.length) fail("one folder is expected");
  const backend = values.backend ?? "native";
  if (!["native", "wasm"].includes(backend)) fail(`--backend ${backend}: native or wasm`);
  let shape = values.small ? SMALL : FULL;
  if (values.layers !== undefined) {
    const layers = Number(values.layers);
    if (!Number.isInteger(layers) || layers < 1 || layers > 24)
      fail(`--layers ${values.layers}: 1 to 24`);
    shape = { ...shape, textLayers: layers, visionLayers: layers };
  }
  return { folder: resolve(folder), shape, backend, statistics: !values["no-statistics"] };
}

/** Measures both towers of the model in `folder`, one after the other. Gives { text: rows, vision: rows }. */
export async function measure(folder, loud, backend) {
  const scratch = mkdtempSync(join(tmpdir(), "clipglot-fullsize-"));
  const rows = {};
  try {
    for (const tower of ["text", "vision"]) {
      const job = {
        model: folder,
        dtype: "f32",
        threads: 1,
        maxTokens: 512,
        towers: [tower],
        requests: [measureRequests[tower]],
      };
      const results =
        backend === "wasm"
          ? await runWasm(job, { variant: "simd" })
          : runNative(job, { runner: join(build, PRESET, "tools/golden", RUNNER), scratch });
      rows[tower] = measureTower(tower, results.get(tower), folder, loud[tower]);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return rows;
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const { folder, shape, backend, statistics } = readArguments();
    let said = 0;
    const { tensors, parameters, bytes, loud } = makeStandIn(folder, shape, {
      onProgress: (written, total) => {
        if (written < total && written / total < said + 0.1) return;
        said = written / total;
        log(`${Math.round(said * 100)} % of ${Math.round(total / 1e6)} MB`, "fullsize");
      },
    });
    console.log(
      `${folder}: ${tensors} tensors, ${parameters} parameters besides logit_scale, model.safetensors ${bytes} bytes`,
    );
    console.log(`loud channels: text ${loud.text.join(" ")}, vision ${loud.vision.join(" ")}`);
    if (!statistics) return;
    if (backend === "wasm") await buildFor({ variants: ["simd"], js: true });
    else await buildFor({ native: { [PRESET]: [RUNNER] } });
    const rows = await measure(folder, loud, backend);
    console.log(
      "\nmagnitudes after each layer | and of what the next layer's first linear reads (loud: its loud channels, in medians)",
    );
    for (const tower of ["text", "vision"]) console.log(statisticsTable(tower, rows[tower]));
    writeFileSync(
      join(folder, "statistics.json"),
      `${JSON.stringify({ parameters, loud, ...rows }, null, 1)}\n`,
    );
  });
}
