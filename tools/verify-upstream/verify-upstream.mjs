// npm run verify-upstream -- DIR [--images FOLDER] [--dtype f32|q8|q4] [--threads N]
//
// For whoever has the real weights of jina-clip-v2 (CC-BY-NC-4.0): checks the engine against numbers that others have printed for
// them. DIR is a folder with upstream's files, or a pack made of them. FOLDER holds the model card's two photographs, beach1.jpg and
// beach2.jpg; without it only the texts are checked. Nothing is downloaded. At f32 the text tower takes 2.3 GB of memory, the
// vision tower 1.3 GB, one after the other. Exits with 1 when a number is off.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { openEngine } from "../lib/direct-engine.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";
import { compare, measure } from "./measure.mjs";
import { IMAGES } from "./published.mjs";

const USAGE =
  "usage: npm run verify-upstream -- DIR [--images FOLDER] [--dtype f32|q8|q4] [--threads N]";

function readArguments() {
  const fail = (problem) => {
    throw new SetupError(`${problem}\n${USAGE}`);
  };
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        images: { type: "string" },
        dtype: { type: "string" },
        threads: { type: "string" },
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
  if (!existsSync(join(folder, "config.json")) && !existsSync(join(folder, "manifest.json")))
    fail(`${folder}: neither config.json nor manifest.json there`);
  const dtype = values.dtype ?? "f32",
    threads = Number(values.threads ?? 1);
  if (!["f32", "q8", "q4"].includes(dtype)) fail(`--dtype ${dtype}: f32, q8 or q4`);
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= 64))
    fail(`--threads ${values.threads}: 1 to 64`);
  return {
    folder: resolve(folder),
    dtype,
    threads,
    images: values.images && readImages(values.images),
  };
}

/** The two photographs; other files of the same names are refused, because their numbers would say nothing. */
export function readImages(folder) {
  return Object.fromEntries(
    Object.entries(IMAGES).map(([name, { file, sha256 }]) => {
      const path = join(folder, file);
      if (!existsSync(path)) throw new SetupError(`${path}: not there`);
      const bytes = new Uint8Array(readFileSync(path));
      const found = createHash("sha256").update(bytes).digest("hex");
      if (!found.startsWith(sha256))
        throw new SetupError(
          `${path}: SHA-256 ${found.slice(0, 8)}…, the photograph of the model card has ${sha256}…`,
        );
      return [name, bytes];
    }),
  );
}

/** Measures and compares; gives the rows of compare(). A pack's own dtype decides the bounds. */
export async function verify({
  folder,
  dtype,
  threads,
  images,
  variant = threads > 1 ? "simd-threads" : "simd",
}) {
  let used = dtype;
  const open = (tower) => async () => {
    log(`${tower} tower`, "verify");
    const engine = await openEngine({ variant, threads, folder, dtype, towers: [tower] });
    used = engine.info.dtype;
    return engine;
  };
  const measured = await measure({ text: open("text"), vision: open("vision"), images });
  return compare(measured, used);
}

export const line = ({ what, found, expected, bound, ok }) => {
  const number = (value) => (typeof value === "number" ? value.toFixed(7) : value);
  return `${ok ? "ok  " : "FAIL"} ${what.padEnd(28)} ${number(found)}  published ${number(expected)}  (${typeof bound === "number" ? `within ${bound}` : bound})`;
};

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const options = readArguments();
    await buildFor({ variants: [options.threads > 1 ? "simd-threads" : "simd"], js: true });
    const rows = await verify(options);
    for (const row of rows) console.log(line(row));
    const off = rows.filter(({ ok }) => !ok).length;
    if (!options.images) console.log("the photographs were not given (--images): texts only");
    console.log(
      `verify-upstream: ${off === 0 ? "PASS" : "FAIL"}, ${rows.length - off} of ${rows.length} published numbers`,
    );
    process.exitCode = off === 0 ? 0 : 1;
  });
}
