// npm run format -- [--check]
//
// Gives every C++ file the form of .clang-format and every TypeScript and JavaScript file that of biome.jsonc. --check
// changes nothing and fails with the names of the files that differ. Both formatters are pinned npm packages, so that
// the form is the same on every machine.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { format } from "@wasm-fmt/clang-format";
import { runMain, SetupError } from "../setup/log.mjs";
import { root } from "../setup/paths.mjs";

const style = readFileSync(join(root, ".clang-format"), "utf8");
const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");

/** Our C++ files: tracked, or new and not ignored. */
export function cppFiles() {
  const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "--", "*.h", "*.cc"], {
    cwd: root,
    encoding: "utf8",
  });
  if (listed.status !== 0) throw new SetupError(`git ls-files: ${listed.stderr}`);
  return listed.stdout.split("\n").filter((path) => path && !path.startsWith("tests/data/"));
}

/** C++ files whose form differs from .clang-format's: [{ path, formatted }]. */
export function unformattedCpp() {
  return cppFiles().flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const formatted = format(text, path, style);
    return formatted === text ? [] : [{ path, formatted }];
  });
}

/** Runs biome with `args` in the repository: { status, output }. */
export function runBiome(args) {
  const done = spawnSync(process.execPath, [biome, ...args, "--colors=off"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (done.error) throw new SetupError(`biome: ${done.error.message}`);
  return { status: done.status, output: done.stdout + done.stderr };
}

if (process.argv[1] === import.meta.filename) {
  await runMain(async () => {
    const check = process.argv.includes("--check");
    const changed = unformattedCpp();
    if (!check)
      for (const { path, formatted } of changed) writeFileSync(join(root, path), formatted);
    for (const { path } of changed) console.log(path);
    const { status, output } = runBiome(["format", ...(check ? [] : ["--write"]), "."]);
    console.log(output);
    if (status !== 0 || (check && changed.length))
      throw new SetupError("some files are not formatted");
  });
}
