// npm run emoji-model -- [--checkpoint DIR] [--revision TEXT] [--no-report] [--dtypes q8,f32,q4] [--threads N]
//
// Makes all that models/emoji ships from the checkpoint: the packs (q8, and q4 in a folder of its own), the list of concepts,
// the vectors of the demo's gallery, the comparison with PyTorch, and the report. A checkpoint from elsewhere becomes the one
// in the repository.
import { copyFileSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { pack } from "../pack/pack.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";
import { run } from "../setup/run.mjs";
import { checkpointFolder, emojiFolder, q4Folder } from "./eval-set.mjs";
import { galleryVectors, writeGalleryVectors } from "./gallery.mjs";

const needed = [
  "concepts.json",
  "config.json",
  "model.safetensors",
  "preprocessor_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
];

function takeCheckpoint(folder) {
  const missing = needed.filter((name) => !readdirSync(folder).includes(name));
  if (missing.length > 0) throw new SetupError(`${folder}: no ${missing.join(", ")}`);
  if (folder === checkpointFolder) return;
  for (const name of needed) copyFileSync(join(folder, name), join(checkpointFolder, name));
}

/** The next number after the packs that are there. */
function nextRevision() {
  try {
    return String(
      Number(JSON.parse(readFileSync(join(emojiFolder, "manifest.json"), "utf8")).revision) + 1,
    );
  } catch {
    return "1";
  }
}

async function makePack(dtype, out, revision) {
  const files = await pack({
    source: checkpointFolder,
    out,
    dtype,
    modelId: "clipglot-emoji",
    revision,
    license: "Apache-2.0",
  });
  log(
    `pack: revision ${revision}, ${dtype}, ${files.length} files, ${files.reduce((sum, { bytes }) => sum + bytes, 0)} bytes`,
    "emoji",
  );
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(
        ["checkpoint", "revision", "dtypes", "threads"].map((name) => [name, { type: "string" }]),
      ),
      "no-report": { type: "boolean" },
    },
  });
  const revision = values.revision ?? nextRevision();
  await buildFor({ variants: ["simd"], js: true });
  takeCheckpoint(resolve(values.checkpoint ?? checkpointFolder));
  await makePack("q8", emojiFolder, revision);
  await makePack("q4", q4Folder, revision);
  rmSync(join(q4Folder, "tokenizer.json")); // q4/index.js takes the other pack's
  copyFileSync(join(checkpointFolder, "concepts.json"), join(emojiFolder, "concepts.json"));
  const { pictures } = await writeGalleryVectors({ packFolder: emojiFolder, file: galleryVectors });
  log(`vectors of ${pictures} pictures of the gallery`, "emoji");
  if (values["no-report"]) return;
  const script = (name, args) =>
    run(process.execPath, [join(import.meta.dirname, name), ...args], {
      stdio: ["ignore", "inherit", "inherit"],
    });
  await script("check.mjs", []);
  await script("report.mjs", [
    "--dtypes",
    values.dtypes ?? "q8,f32,q4",
    "--threads",
    values.threads ?? "2",
  ]);
});
