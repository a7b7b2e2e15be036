#!/usr/bin/env node
// Makes the demo's gallery: a small opaque PNG on white for every concept of the emoji model, in a few ZIP
// archives that are stored, not compressed; gallery.json, which says where each one lies; names in many languages.
// Art: Noto Emoji (Apache-2.0), flag-icons (MIT); names: Unicode CLDR; order and groups: Unicode.
//
//   node tools/gallery/render.mjs
//
// pictures.mjs beside this file reads what it makes.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { openArt } from "./art.mjs";
import {
  codePointKey,
  installSources,
  languages,
  readConcepts,
  readGroups,
  readNames,
} from "./packages.mjs";
import { galleryFolder } from "./pictures.mjs";
import { encodePng } from "./png.mjs";
import { storeFiles } from "./zip.mjs";

const side = 192; // pixels
const archiveLimit = 1_000_000; // bytes of pictures in one archive

const modules = installSources();
const { Resvg } = createRequire(join(modules, "package.json"))("@resvg/resvg-js");
const draw = openArt(modules);
const concepts = readConcepts();
const groups = readGroups(modules, concepts);
const order = groups.flatMap(({ emoji }) => emoji);
if (new Set(order).size !== concepts.length || order.length !== concepts.length)
  throw new Error("the groups do not hold each concept once");

/** The middle of a picture that is `view` times too wide. */
function middle(pixels, view) {
  if (view === 1) return pixels;
  const width = side * view;
  const first = (width - side) / 2;
  const out = Buffer.alloc(side * side * 4);
  for (let y = 0; y < side; y++)
    out.set(
      pixels.subarray(((first + y) * width + first) * 4, ((first + y) * width + first + side) * 4),
      y * side * 4,
    );
  return out;
}

function render(emoji) {
  const { svg, view, source } = draw(emoji);
  const image = new Resvg(svg, {
    background: "white",
    fitTo: { mode: "width", value: side * view },
  }).render();
  return { emoji, source, bytes: encodePng(middle(image.pixels, view), side, side) };
}

for (const emoji of order) draw(emoji); // whatever is missing is missed before anything is written
for (const file of existsSync(galleryFolder) ? readdirSync(galleryFolder) : [])
  if (/\.(png|zip|json)$/.test(file)) rmSync(join(galleryFolder, file));
mkdirSync(join(galleryFolder, "names"), { recursive: true });

const archives = [[]];
let filled = 0;
const sources = {};
for (const emoji of order) {
  const picture = render(emoji);
  sources[picture.source] = (sources[picture.source] ?? 0) + 1;
  if (filled + picture.bytes.length > archiveLimit) {
    archives.push([]);
    filled = 0;
  }
  filled += picture.bytes.length;
  archives.at(-1).push(picture);
}

let total = 0;
const rows = [];
const archiveNames = archives.map((pictures, number) => {
  const name = `pictures-${String(number).padStart(2, "0")}.zip`;
  const { archive, offsets } = storeFiles(
    pictures.map(({ emoji, bytes }) => ({ name: `${codePointKey(emoji)}.png`, bytes })),
  );
  writeFileSync(join(galleryFolder, name), archive);
  total += archive.length;
  for (const [i, { emoji, bytes }] of pictures.entries())
    rows.push([emoji, number, offsets[i], bytes.length]);
  return name;
});

const english = readNames(modules, "en");
for (const locale of Object.keys(languages)) {
  const names = readNames(modules, locale);
  const list = order.map((emoji) => names.get(emoji) ?? (locale === "en" ? undefined : null));
  if (list.includes(undefined))
    throw new Error(`no English name: ${order.filter((emoji) => !english.has(emoji)).join(" ")}`);
  writeFileSync(
    join(galleryFolder, "names", `${locale}.json`),
    `[\n${list.map((name) => JSON.stringify(name)).join(",\n")}\n]\n`,
  );
}

const gallery = [
  `  "side": ${side}`,
  `  "archives": ${JSON.stringify(archiveNames)}`,
  `  "languages": ${JSON.stringify(Object.keys(languages))}`,
  `  "groups": [\n${groups.map(({ name, emoji }) => `    ${JSON.stringify({ name, count: emoji.length })}`).join(",\n")}\n  ]`,
  `  "pictures": [\n${rows.map((row) => `    ${JSON.stringify(row)}`).join(",\n")}\n  ]`,
];
writeFileSync(join(galleryFolder, "gallery.json"), `{\n${gallery.join(",\n")}\n}\n`);
console.log(
  `${rows.length} pictures of ${side} pixels in ${archiveNames.length} archives, ${(total / 1e6).toFixed(2)} MB;`,
  Object.entries(sources)
    .map(([source, count]) => `${count} of ${source}`)
    .join(", "),
);
