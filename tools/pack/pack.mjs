// npm run pack -- SOURCE --out DIR [--dtype f32|q8] [--towers text,vision] [--model-id NAME] [--revision TEXT] [--license SPDX]
//
// Converts a model folder in upstream's layout (config.json, preprocessor_config.json, tokenizer.json or
// sentencepiece.bpe.model, model.safetensors) to a pack (docs/FORMAT.md). The engine itself reads, folds adapters and
// quantises; here are only files. Sets up and builds what it needs.
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { convert } from "../lib/direct-engine.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";
import { PackFolder } from "./pack-folder.mjs";

const USAGE = "usage: npm run pack -- SOURCE --out DIR [--dtype f32|q8] [--towers text,vision] [--model-id NAME] [--revision TEXT] [--license SPDX]";

function readArguments() {
  const fail = (problem) => { throw new SetupError(`${problem}\n${USAGE}`); };
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: Object.fromEntries(["out", "dtype", "towers", "model-id", "revision", "license"].map((name) => [name, { type: "string" }])),
    });
  } catch (error) {
    fail(error.message);
  }
  const { positionals: [source, ...more], values } = parsed;
  if (source === undefined || more.length > 0) fail("one source folder is expected");
  if (values.out === undefined) fail("--out is missing");
  if (resolve(source) === resolve(values.out)) fail("--out must be another folder than the source");
  if (!existsSync(join(source, "config.json"))) fail(`${source}: no config.json there`);
  const towers = (values.towers ?? "text,vision").split(",");
  if (towers.some((tower) => tower !== "text" && tower !== "vision")) fail(`--towers ${values.towers}: text, vision or both`);
  const dtype = values.dtype ?? "q8";
  if (dtype !== "f32" && dtype !== "q8") fail(`--dtype ${dtype}: f32 or q8`);
  return {
    source, out: values.out, towers, dtype,
    modelId: values["model-id"] ?? basename(resolve(source)),
    revision: values.revision ?? "unknown",
    license: values.license ?? "unknown",
  };
}

/** A line a tenth of the way. */
function progressLines() {
  let said = 0;
  return (event) => {
    if (event.status !== "progress_total" || event.progress < said + 10) return;
    said = Math.floor(event.progress / 10) * 10;
    log(`${said} % of ${Math.round((event.total ?? 0) / 1e6)} MB`, "pack");
  };
}

/** Converts `source` to a pack in `out`; gives [{path, bytes}] of its files. Needs dist/ with the simd variant. */
export async function pack({ source, out, dtype = "q8", towers = ["text", "vision"], modelId, revision, license, onProgress }) {
  const json = (name) => JSON.parse(readFileSync(join(source, name), "utf8"));
  const about = { modelId, revision, license, dtype, config: json("config.json"), preprocessor: json("preprocessor_config.json") };
  const folder = new PackFolder(out);
  const { tokenizerFile } = await convert({ folder: source, dtype, towers, onProgress }, (tensor) => folder.add(tensor));
  const tokenizer = tokenizerFile && { path: tokenizerFile, bytes: readFileSync(join(source, tokenizerFile)) };
  return folder.finish(about, tokenizer || undefined);
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const options = readArguments();
    await buildFor({ variants: ["simd"], js: true });
    const files = await pack({ ...options, onProgress: progressLines() }).catch((error) => {
      // A code says that the model or the disk is at fault, not this program.
      throw error.code ? new SetupError(error.message) : error;
    });
    for (const { path, bytes } of files) console.log(`${String(bytes).padStart(12)}  ${path}`);
    console.log(`${String(files.reduce((sum, file) => sum + file.bytes, 0)).padStart(12)}  in all, ${options.out}`);
  });
}
