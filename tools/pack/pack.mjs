// npm run pack -- SOURCE --out DIR …: `clipglot convert` of this working copy. Sets up and builds what it needs.
import { resolve } from "node:path";
import { buildFor } from "../build/steps.mjs";
import { SetupError, runMain } from "../setup/log.mjs";

const dist = new URL("../../dist/js/convert/", import.meta.url);

/** Converts to a pack; needs dist/ with the simd variant. Options: convertModel of js/src/convert/convert.ts. Gives [{path, bytes}]. */
export async function pack(options) {
  const { convertModel } = await import(new URL("convert.js", dist).href);
  return (await convertModel(options)).files;
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const args = process.argv.slice(2);
    const threads = args.some((arg) => arg.startsWith("--threads"));
    await buildFor({ variants: threads ? ["simd", "simd-threads"] : ["simd"], js: true });
    process.argv.splice(2, args.length, "convert", ...args);
    await import(new URL("cli.js", dist).href).catch((error) => {
      throw new SetupError(error.message);
    });
  });
}
