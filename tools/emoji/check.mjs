// npm run emoji-check -- [--checkpoint DIR]
//
// Compares the vectors of PyTorch's towers (the code that trains) with the engine's at f32, on the BF16 checkpoint: texts
// of many languages, pictures of the report. Fails when a number of a vector of unit length differs by more than 1e-4.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { openEngine } from "../lib/direct-engine.mjs";
import { readSafetensors } from "../lib/safetensors.mjs";
import { SetupError, runMain } from "../setup/log.mjs";
import { checkpointFolder, prepareEvalSet, runPython, workFolder } from "./eval-set.mjs";

const tolerance = 1e-4;

/** Largest difference of numbers, and the row in which it is. */
function worstOf(expected, rows) {
  let worst = { difference: 0, row: 0 };
  for (const [row, vector] of rows.entries())
    for (const [i, value] of vector.entries()) {
      const difference = Math.abs(value - expected[row * vector.length + i]);
      if (!(difference <= worst.difference)) worst = { difference, row };
    }
  return worst;
}

/** Compares on the files that check_data.py wrote: {text, image}, each {count, difference, row}. Needs dist/. */
export async function compare(checkpoint, folder = join(workFolder, "check")) {
  const { texts, side } = JSON.parse(readFileSync(join(folder, "check.json"), "utf8"));
  const vectors = readSafetensors(join(folder, "vectors.safetensors"));
  const rgb = new Uint8Array(readFileSync(join(folder, "pictures.rgb")));
  const engine = await openEngine({ variant: "simd", folder: checkpoint, dtype: "f32" });
  try {
    const pixels = side * side;
    const pictures = Array.from({ length: rgb.length / (pixels * 3) }, (_, p) => {
      const rgba = new Uint8Array(pixels * 4).fill(255);
      for (let i = 0; i < pixels; i++)
        for (let c = 0; c < 3; c++) rgba[i * 4 + c] = rgb[(p * pixels + i) * 3 + c];
      return engine.embedPixels(rgba, side, side).vector;
    });
    const read = texts.map((text) => engine.embedText(text).vector);
    return {
      text: { count: read.length, ...worstOf(vectors.get("text").data, read) },
      image: { count: pictures.length, ...worstOf(vectors.get("image").data, pictures) },
    };
  } finally {
    engine.dispose();
  }
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const { values } = parseArgs({ options: { checkpoint: { type: "string" } } });
    const checkpoint = resolve(values.checkpoint ?? checkpointFolder);
    await buildFor({ variants: ["simd"], js: true });
    await prepareEvalSet();
    await runPython("check_data", ["--folder", checkpoint]);
    const found = await compare(checkpoint);
    for (const [kind, { count, difference, row }] of Object.entries(found)) {
      console.log(
        `${kind}: ${count} vectors, PyTorch and the engine differ by ${difference.toExponential(2)} at most (number ${row})`,
      );
    }
    const wrong = Object.values(found).filter(({ difference }) => !(difference <= tolerance));
    if (wrong.length > 0) throw new SetupError(`more than ${tolerance}`);
  });
}
