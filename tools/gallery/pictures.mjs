// Reads the gallery that render.mjs made: for tools that want its pictures outside of a page.
//
// web-demo/public/gallery holds
//   gallery.json     { side, archives: [file], languages, groups: [{ name, count }], pictures: [[emoji, archive, offset, length]] }
//                    pictures in the order of the groups; a picture is the PNG file of `length` bytes at `offset` of
//                    archives[archive]; emoji are without the presentation selector U+FE0F
//   pictures-NN.zip  the PNG files, stored
//   names/LL.json    a list of names in one language, in the order of the pictures; null where there is none

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const galleryFolder = join(
  dirname(fileURLToPath(import.meta.url)),
  "..",
  "..",
  "web-demo",
  "public",
  "gallery",
);

/** Every picture in the gallery's order: [{ emoji, png }], `png` the bytes of an opaque PNG file (192 × 192 on white). */
export function readGalleryPictures(folder = galleryFolder) {
  const { archives, pictures } = JSON.parse(readFileSync(join(folder, "gallery.json"), "utf8"));
  const files = archives.map((name) => new Uint8Array(readFileSync(join(folder, name))));
  return pictures.map(([emoji, archive, offset, length]) => ({
    emoji,
    png: files[archive].subarray(offset, offset + length),
  }));
}
