// What the numerics report embeds: for a golden set its own texts and images, for any other model a hundred texts and ten images.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { texts } from "./texts.mjs";

const IMAGES = fileURLToPath(new URL("../../tests/data/golden-a/images/", import.meta.url));
/** Longest text: longer ones are cut. */
export const MAX_TOKENS = 512;

/** `count` of `list`, from all of it: one of each stretch, at changing places. */
export function spread(list, count) {
  if (count >= list.length) return list;
  const stretch = Math.floor(list.length / count);
  return Array.from(
    { length: count },
    (_, i) => list[Math.floor((i * list.length) / count) + (i % stretch)],
  );
}

/** { text: [request], vision: [request] }, at most so many of each. */
export function requestsFor(
  folder,
  { texts: textCount = Infinity, images: imageCount = Infinity } = {},
) {
  const own = join(folder, "expected.json");
  const golden = existsSync(own) ? JSON.parse(readFileSync(own, "utf8")) : undefined;
  const imageFolder = golden ? join(folder, "images") : IMAGES;
  const files = golden
    ? golden.images.map(({ file }) => file)
    : readdirSync(imageFolder).sort().slice(0, 10);
  return {
    text: spread(golden ? golden.texts : texts, textCount).map(({ name, text }) => ({
      id: name,
      text,
      hidden: true,
    })),
    vision: spread(files, imageCount).map((file) => ({
      id: file,
      image: join(imageFolder, file),
      hidden: true,
    })),
  };
}
