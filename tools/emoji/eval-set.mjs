// What the report asks, and the pictures it asks about: build/emoji/eval/, written by models/emoji/train/eval_data.py (the
// fields are described there) from the captions and drawings that training uses.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { SetupError, log } from "../setup/log.mjs";
import { build, root } from "../setup/paths.mjs";
import { run } from "../setup/run.mjs";
import { setUp } from "../setup/setup.mjs";
import { python } from "../setup/training.mjs";

export const emojiFolder = join(root, "models/emoji");
/** The pack in four bits, all but its tokenizer: that is the one in emojiFolder. */
export const q4Folder = join(emojiFolder, "q4");
export const checkpointFolder = join(emojiFolder, "checkpoint");
export const workFolder = process.env.CLIPGLOT_EMOJI_WORK ?? join(build, "emoji");
const trainFolder = join(emojiFolder, "train");
const evalFolder = join(workFolder, "eval");

/** Runs a script of models/emoji/train. */
export const runPython = (script, args = []) =>
  run(python, [join(trainFolder, `${script}.py`), ...args], { cwd: root });

const timeOf = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** Fetches, draws and exports what is not there yet. */
export async function prepareEvalSet() {
  await setUp(["training"]);
  if (!existsSync(join(workFolder, "captions.pkl")))
    await runPython("train", ["fetch", "render", "captions"]);
  const sources = readdirSync(workFolder)
    .filter((name) => /^(art_.*\.npz|captions\.pkl)$/.test(name))
    .map((name) => join(workFolder, name));
  sources.push(join(trainFolder, "eval_data.py"));
  if (timeOf(join(evalFolder, "eval.json")) > Math.max(...sources.map(timeOf))) return;
  log("writing the questions and pictures of the report", "emoji");
  await runPython("eval_data");
}

/** eval.json, with readPictures(entry) → bytes. Fails when the checkpoint knows other concepts. */
export function readEvalSet(checkpoint = checkpointFolder) {
  const set = JSON.parse(readFileSync(join(evalFolder, "eval.json"), "utf8"));
  const known = JSON.parse(readFileSync(join(checkpoint, "concepts.json"), "utf8"));
  if (known.length !== set.concepts.length || known.some((emoji, i) => emoji !== set.concepts[i])) {
    throw new SetupError(
      `${checkpoint} knows ${known.length} concepts, the captions in ${workFolder} ${set.concepts.length}, or in another order; ` +
        "remove captions.pkl there to make them again",
    );
  }
  return Object.assign(set, {
    readPictures: ({ file }) => new Uint8Array(readFileSync(join(evalFolder, file))),
  });
}
