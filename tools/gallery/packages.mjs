// The npm packages that the gallery's pictures and texts are made from. They are fetched by the npm
// client into a folder below build/ when a maker script runs; nothing of them is a dependency of the product.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

const versions = {
  "@iconify-json/noto": "1.2.9",
  "@resvg/resvg-js": "2.6.2",
  "cldr-annotations-derived-full": "48.2.0",
  "cldr-annotations-full": "48.2.0",
  "flag-icons": "7.5.0",
  "unicode-emoji-json": "0.9.0",
};

/** Languages of names and texts, with their English names. */
export const languages = {
  ar: "Arabic",
  bg: "Bulgarian",
  bn: "Bengali",
  cs: "Czech",
  da: "Danish",
  de: "German",
  el: "Greek",
  en: "English",
  es: "Spanish",
  fa: "Persian",
  fi: "Finnish",
  fr: "French",
  he: "Hebrew",
  hi: "Hindi",
  hu: "Hungarian",
  id: "Indonesian",
  it: "Italian",
  ja: "Japanese",
  ko: "Korean",
  nl: "Dutch",
  pl: "Polish",
  pt: "Portuguese",
  ro: "Romanian",
  ru: "Russian",
  sv: "Swedish",
  ta: "Tamil",
  th: "Thai",
  tr: "Turkish",
  vi: "Vietnamese",
  zh: "Chinese",
};

/** Installs the pinned packages (npm skips what is there) and returns their node_modules folder. */
export function installSources() {
  const folder = join(repositoryRoot, "build", "gallery-sources");
  mkdirSync(folder, { recursive: true });
  const manifest = { name: "gallery-sources", private: true, dependencies: versions };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  const npm = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--silent"], {
    cwd: folder,
    stdio: "inherit",
  });
  if (npm.status !== 0) throw new Error("npm could not install the sources of the gallery");
  return join(folder, "node_modules");
}

export function readJson(...parts) {
  return JSON.parse(readFileSync(join(...parts), "utf8"));
}

/** The concepts of the emoji model: emoji without U+FE0F, in code point order. */
export function readConcepts() {
  return readJson(repositoryRoot, "models", "emoji", "checkpoint", "concepts.json");
}

/** An emoji without the presentation selector U+FE0F: what sources that differ in it are compared by. */
export function withoutSelector(emoji) {
  return emoji.replaceAll("\ufe0f", "");
}

/** Code points in hexadecimal joined by "-", without the presentation selector. */
export function codePointKey(emoji) {
  return Array.from(withoutSelector(emoji), (character) =>
    character.codePointAt(0).toString(16),
  ).join("-");
}

/** CLDR short names of one locale: Map of emoji (without selector) → name. */
export function readNames(modules, locale) {
  const names = new Map();
  for (const [name, member] of [
    ["cldr-annotations-full", "annotations"],
    ["cldr-annotations-derived-full", "annotationsDerived"],
  ]) {
    const { annotations } = readJson(modules, name, member, locale, "annotations.json")[member];
    for (const [emoji, { tts }] of Object.entries(annotations)) {
      if (tts?.[0] && !names.has(withoutSelector(emoji))) names.set(withoutSelector(emoji), tts[0]);
    }
  }
  return names;
}

/** Unicode's groups in its own order: [{ name, emoji: [without selector] }]. Skin tones end the group of people. */
export function readGroups(modules, concepts) {
  const known = new Set(concepts);
  const groups = readJson(modules, "unicode-emoji-json", "data-by-group.json").map(
    ({ name, emojis }) => ({
      name,
      emoji: emojis.map(({ emoji }) => withoutSelector(emoji)).filter((emoji) => known.has(emoji)),
    }),
  );
  const placed = new Set(groups.flatMap(({ emoji }) => emoji));
  const groupNamed = (name) => groups.find((group) => group.name === name).emoji;
  for (const emoji of concepts) {
    if (placed.has(emoji)) continue;
    groupNamed(/^[\u{1f3fb}-\u{1f3ff}]$/u.test(emoji) ? "People & Body" : "Symbols").push(emoji);
  }
  return groups.filter(({ emoji }) => emoji.length > 0);
}
