#!/usr/bin/env node
// Makes the pictures of the demo's gallery: one small opaque PNG on white for each concept of the
// emoji model, and gallery.json with their names. Art: Noto Emoji (Apache-2.0); names: Unicode CLDR.
//
//   node tools/gallery/render.mjs

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { codePointKey, installSources, readAnnotations, readConcepts, readJson, repositoryRoot } from "./packages.mjs";
import { encodeOpaquePng } from "./png.mjs";

const sizePixels = 192;
const margin = 0.06; // of the picture's side, so that no glyph touches the edge of its tile
const nameLocales = ["en", "ar", "de", "es", "fr", "hi", "id", "it", "ja", "ko", "pt", "ru", "tr", "vi", "zh"];

const modules = installSources();
const { Resvg } = createRequire(join(modules, "package.json"))("@resvg/resvg-js");
const icons = readJson(modules, "@iconify-json/noto", "icons.json");
const characters = readJson(modules, "@iconify-json/noto", "chars.json");
const iconNames = new Map(Object.entries(characters).map(([codes, name]) => [codes.split("-").filter((c) => c !== "fe0f").join("-"), name]));
const annotations = new Map(nameLocales.map((locale) => [locale, readAnnotations(modules, locale)]));

function drawing(emoji) {
  const icon = icons.icons[iconNames.get(codePointKey(emoji))];
  if (!icon) throw new Error(`Noto has no picture of ${emoji}`);
  const width = icon.width ?? icons.width;
  const height = icon.height ?? icons.height;
  const padding = margin * Math.max(width, height);
  const side = Math.max(width, height) + 2 * padding;
  const [left, top] = [(width - side) / 2, (height - side) / 2];
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${left} ${top} ${side} ${side}">${icon.body}</svg>`;
}

function names(emoji) {
  const found = {};
  for (const [locale, table] of annotations) {
    const name = table[emoji]?.tts?.[0];
    if (name) found[locale] = name;
  }
  if (!found.en) throw new Error(`CLDR has no English name of ${emoji}`);
  return found;
}

const folder = join(repositoryRoot, "web-demo", "public", "gallery");
mkdirSync(folder, { recursive: true });
for (const file of readdirSync(folder)) if (file.endsWith(".png")) rmSync(join(folder, file));

let bytes = 0;
const pictures = readConcepts().map((emoji) => {
  const file = `${codePointKey(emoji)}.png`;
  const image = new Resvg(drawing(emoji), { background: "white", fitTo: { mode: "width", value: sizePixels } }).render();
  const png = encodeOpaquePng(image.pixels, image.width, image.height);
  writeFileSync(join(folder, file), png);
  bytes += png.length;
  return { emoji, file, names: names(emoji) };
});
const lines = pictures.map((picture) => `    ${JSON.stringify(picture)}`).join(",\n");
writeFileSync(join(folder, "gallery.json"), `{\n  "side": ${sizePixels},\n  "pictures": [\n${lines}\n  ]\n}\n`);
console.log(`${pictures.length} pictures of ${sizePixels} pixels, ${(bytes / 1e6).toFixed(2)} MB`);
