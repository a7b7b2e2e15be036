// npm run bench -- hub --checkpoint DIR [--packs DIR] [--towers text,vision]… [--dtype q8]… [--variant simd] [--threads 1]
//
// What a model by its name on a hub costs, beside a pack that is ready, in headless Chromium, a new process for each load:
//   checkpoint   upstream's checkpoint from a URL: read, quantised, not kept
//   hub, first   the same from a hub on this machine (tests/js/support/hub-server.mjs): verified, converted, kept
//   hub, again   from what was kept, with the hub switched off
//   pack, plain  a converted pack from a URL, not kept; pack, first: kept; pack, again: from the cache
// Time of load(), the renderer's resident memory at its highest, and the ratio that the first load by name is bound to: to the time of
// reading the checkpoint and that of writing the pack (pack first less pack plain). `--packs`: where packs are made, and found again.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { convertModel } from "../dist/js/convert/convert.js";
import { startHubServer } from "../tests/js/support/hub-server.mjs";
import { inChromium, serve } from "./load.mjs";

export const hubOptions = {
  checkpoint: { type: "string" },
  packs: { type: "string", default: "build/bench-hub" },
  towers: { type: "string", multiple: true },
  dtype: { type: "string", multiple: true },
  variant: { type: "string", default: "simd" },
  threads: { type: "string", default: "1" },
};
const names = ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"];

/** `options`: as the command line gives them. Prints a table and gives its figures. */
export async function benchHub(options) {
  const checkpoint = resolve(options.checkpoint);
  const files = Object.fromEntries(
    names.map((name) => [name, readFileSync(join(checkpoint, name))]),
  );
  const hub = await startHubServer({ repo: "someone/model", files });
  const figures = [];
  const { variant } = options;
  const common = { variant, threads: Number(options.threads), calls: false };
  console.log("dtype towers       what         load s  peak MiB");
  try {
    for (const dtype of options.dtype ?? ["q8"]) {
      const pack = join(resolve(options.packs), dtype);
      if (!existsSync(join(pack, "manifest.json")))
        await convertModel({ source: checkpoint, out: pack, dtype, modelId: "someone/model" });
      const [plain, made] = [await serve(checkpoint), await serve(pack)];
      try {
        for (const list of options.towers ?? ["text,vision"]) {
          const towers = list.split(",");
          const one = async (what, scratch, settings, server) => {
            const measured = await inChromium(
              { ...common, towers, dtype, ...settings },
              scratch,
              server.url,
            );
            const figure = { dtype, towers, what, ...measured };
            figures.push(figure);
            console.log(
              `${dtype.padEnd(5)} ${list.padEnd(12)} ${what.padEnd(12)} ${(figure.loadMs / 1000).toFixed(2).padStart(6)}  ${(figure.peakBytes / 2 ** 20).toFixed(0).padStart(8)}`,
            );
            return figure.loadMs;
          };
          const inScratch = async (action) => {
            const scratch = mkdtempSync(join(tmpdir(), "clipglot-bench-"));
            try {
              return await action(scratch);
            } finally {
              rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
            }
          };
          const byName = { model: { hub: { repo: hub.repo, endpoint: hub.endpoint } } };
          const byUrl = (server) => ({ model: `${server.url}pack/` });
          const read = await inScratch((scratch) =>
            one("checkpoint", scratch, { ...byUrl(plain), cache: false }, plain),
          );
          const first = await inScratch(async (scratch) => {
            hub.set({ down: false });
            const took = await one("hub, first", scratch, byName, made);
            hub.set({ down: true });
            await one("hub, again", scratch, byName, made);
            return took;
          });
          const unkept = await inScratch((scratch) =>
            one("pack, plain", scratch, { ...byUrl(made), cache: false }, made),
          );
          const kept = await inScratch(async (scratch) => {
            const took = await one("pack, first", scratch, byUrl(made), made);
            await one("pack, again", scratch, byUrl(made), made);
            return took;
          });
          const bound = read + Math.max(0, kept - unkept);
          console.log(
            `${dtype.padEnd(5)} ${list.padEnd(12)} first load by name: ${(first / bound).toFixed(2)} times reading and writing (${(bound / 1000).toFixed(2)} s)`,
          );
        }
      } finally {
        await plain.close();
        await made.close();
      }
    }
  } finally {
    await hub.close();
  }
  return figures;
}

if (process.argv[1] === import.meta.filename)
  await benchHub(parseArgs({ options: hubOptions }).values);
