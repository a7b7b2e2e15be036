// npm run emoji-gallery -- [--pack DIR] [--out FILE]
//
// Embeds every picture of the demo's gallery with the pack, so that the page need not: models/emoji/gallery/vectors.safetensors
// with one tensor, `pictures` F32 [pictures, dimensions], in the gallery's order. Its metadata:
//   packSha256   the manifest's own sha256: vectors of another pack are worth nothing
//   emoji        JSON list of the pictures' emoji
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { readGalleryPictures } from "../gallery/pictures.mjs";
import { openEngine } from "../lib/direct-engine.mjs";
import { log, runMain } from "../setup/log.mjs";
import { emojiFolder } from "./eval-set.mjs";

/** A safetensors file with one F32 tensor [rows, columns]. */
export function vectorFile(name, data, columns, metadata) {
  const entry = {
    dtype: "F32",
    shape: [data.length / columns, columns],
    data_offsets: [0, data.byteLength],
  };
  const text = Buffer.from(JSON.stringify({ __metadata__: metadata, [name]: entry }));
  // Spaces up to a multiple of 8, so that the values are aligned when the file is mapped.
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
  head.writeBigUInt64LE(BigInt(head.length - 8));
  text.copy(head, 8);
  return Buffer.concat([head, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

/** Embeds `pictures` [{emoji, png}] and writes the file. Needs dist/ with the simd variant. */
export async function writeGalleryVectors({ packFolder, file, pictures = readGalleryPictures() }) {
  const { sha256 } = JSON.parse(readFileSync(join(packFolder, "manifest.json"), "utf8"));
  const engine = await openEngine({ variant: "simd", folder: packFolder });
  try {
    const columns = engine.info.fullDimensions;
    const data = new Float32Array(pictures.length * columns);
    for (const [row, { png }] of pictures.entries())
      data.set(engine.embedImage(png).vector, row * columns);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(
      `${file}.partial`,
      vectorFile("pictures", data, columns, {
        packSha256: sha256,
        emoji: JSON.stringify(pictures.map(({ emoji }) => emoji)),
      }),
    );
    renameSync(`${file}.partial`, file);
    return { pictures: pictures.length, columns };
  } finally {
    engine.dispose();
  }
}

export const galleryVectors = join(emojiFolder, "gallery/vectors.safetensors");

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const { values } = parseArgs({
      options: { pack: { type: "string" }, out: { type: "string" } },
    });
    await buildFor({ variants: ["simd"], js: true });
    const file = resolve(values.out ?? galleryVectors);
    const { pictures, columns } = await writeGalleryVectors({
      packFolder: resolve(values.pack ?? emojiFolder),
      file,
    });
    log(`${pictures} vectors of ${columns} dimensions: ${file}`, "emoji");
  });
}
