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
  "cldr-annotations-full": "48.2.0",
};

/** Installs the pinned packages (npm skips what is there) and returns their node_modules folder. */
export function installSources() {
  const folder = join(repositoryRoot, "build", "gallery-sources");
  mkdirSync(folder, { recursive: true });
  const manifest = { name: "gallery-sources", private: true, dependencies: versions };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  const npm = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--silent"], { cwd: folder, stdio: "inherit" });
  if (npm.status !== 0) throw new Error("npm could not install the sources of the gallery");
  return join(folder, "node_modules");
}

export function readJson(...parts) {
  return JSON.parse(readFileSync(join(...parts), "utf8"));
}

/** The concepts of the emoji model, in code point order. */
export function readConcepts() {
  return readJson(repositoryRoot, "models", "emoji", "concepts.json");
}

/** Code points in hexadecimal joined by "-", without the presentation selector U+FE0F. */
export function codePointKey(emoji) {
  return [...emoji].map((c) => c.codePointAt(0).toString(16)).filter((code) => code !== "fe0f").join("-");
}

/** CLDR short names and keywords of one locale: emoji → { tts: [name], default: [keywords] }. */
export function readAnnotations(modules, locale) {
  const file = readJson(modules, "cldr-annotations-full", "annotations", locale, "annotations.json");
  return file.annotations.annotations;
}
