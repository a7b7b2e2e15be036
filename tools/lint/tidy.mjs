// clang-tidy over src/ and wasm/, with the compile commands of the native-debug build. A file that passed is not looked at
// again until it, a header of ours that it includes, its flags, the checks or the third-party versions change: stamps of
// what passed are kept in build/lint.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative } from "node:path";
import { log, SetupError } from "../setup/log.mjs";
import { build, dependencies, root } from "../setup/paths.mjs";
import { capture, which } from "../setup/run.mjs";

const stamps = join(build, "lint");
const database = join(build, "native-debug/compile_commands.json");

// clang-tidy of the pinned version: others have other checks. CLIPGLOT_ANY_CLANG_TIDY=1 takes the one that is there.
function findClangTidy() {
  const major = dependencies.linter["clang-tidy"];
  for (const name of [`clang-tidy-${major}`, "clang-tidy"]) {
    const program = which(name);
    if (!program) continue;
    const version = /version (\d+)\S*/.exec(capture(program, ["--version"]).stdout);
    if (Number(version?.[1]) === major || process.env.CLIPGLOT_ANY_CLANG_TIDY)
      return { program, version: version?.[0] ?? "" };
  }
  throw new SetupError(
    `clang-tidy ${major} is needed: apt-get install clang-tidy-${major}, or CLIPGLOT_ANY_CLANG_TIDY=1 for another version`,
  );
}

const text = (path) => readFileSync(path, "utf8");

/** `file` and the headers of ours that it includes, directly or not. */
function closure(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name] of text(file).matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) {
    const found = [join(dirname(file), name), join(root, "src", name)].find(existsSync);
    if (found) closure(found, seen);
  }
  return seen;
}

/** What is checked: [{ file, command }]. */
export function tidyFiles() {
  if (!existsSync(database))
    throw new SetupError("no build/native-debug yet: npm run lint makes it");
  const entries = JSON.parse(text(database)).map(({ file, command }) => ({ file, command }));
  const ours = entries.filter(({ file }) => file.startsWith(join(root, "src/")));
  // The border is compiled by Emscripten only. What of it includes none of its headers but val.h, for which there is a
  // stand-in here, is checked like the engine's façade.
  const engine = ours.find(({ file }) => file.endsWith("/src/engine/engine.cc"));
  for (const name of readdirSync(join(root, "wasm")).sort()) {
    const file = join(root, "wasm", name);
    if (!name.endsWith(".cc") || /#\s*include <emscripten/.test(text(file))) continue;
    const command = engine.command.replaceAll(engine.file, file);
    const folders = [join(root, "wasm"), join(import.meta.dirname, "include")];
    ours.push({ file, command: `${command} ${folders.map((one) => `-I${one}`).join(" ")}` });
  }
  return ours;
}

const hashOf = (texts) => {
  const hash = createHash("sha256");
  for (const part of texts) hash.update(`${part.length}\n${part}`);
  return hash.digest("hex");
};

function check(program, folder, file) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["--quiet", "-p", folder, file], { cwd: root });
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", () => {}); // counts of warnings that were not shown
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

/** Checks every file, or those whose path ends with one of `wanted`: what was found, and how many files were looked at. */
export async function runClangTidy(wanted = []) {
  const { program, version } = findClangTidy();
  const common = [version, text(join(root, ".clang-tidy")), JSON.stringify(dependencies.sources)];
  const files = tidyFiles().filter(
    ({ file }) => wanted.length === 0 || wanted.some((name) => file.endsWith(name)),
  );
  // A database of its own, with the files of the border.
  const folder = join(stamps, "commands");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "compile_commands.json"),
    JSON.stringify(files.map((entry) => ({ ...entry, directory: dirname(database) }))),
  );
  const waiting = files
    .map(({ file, command }) => {
      const read = [...closure(file)].sort();
      const parts = read.flatMap((path) => [relative(root, path), text(path)]);
      return { file, stamp: join(stamps, hashOf([...common, command, ...parts])) };
    })
    .filter(({ stamp }) => !existsSync(stamp));
  const total = waiting.length;
  log(`clang-tidy: ${total} of ${files.length} files`, "lint");
  const findings = [];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { status, output } = await check(program, folder, next.file);
      if (status === 0) writeFileSync(next.stamp, "");
      else findings.push(`${relative(root, next.file)}:\n${output}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return { files: files.length, checked: total, findings };
}
