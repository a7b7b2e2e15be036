// The repository's files, for the rules that read them all.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

const skipped = new Set([".git", "build", "dist", "node_modules"]);

function walk(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return [];
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** Paths of all files that belong to the repository, with forward slashes. */
export function repositoryFiles() {
  try {
    return execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 64 << 20,
    })
      .split("\0")
      .filter(Boolean)
      .filter((path) => !path.split("/").some((part) => skipped.has(part)));
  } catch {
    return walk(""); // an unpacked archive has no git
  }
}

export const read = (path) => readFileSync(join(root, path), "utf8");

/** Is the file text, by its first bytes? */
export function isText(path) {
  return !readFileSync(join(root, path)).subarray(0, 4096).includes(0);
}
