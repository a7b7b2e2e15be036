// Gets what is compared with: the runtime's npm packages, into build/peer/runtime; they are no dependency of this package.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../../tools/setup/paths.mjs";
import { log } from "../../tools/setup/log.mjs";
import { run } from "../../tools/setup/run.mjs";

export const VERSION = "1.30.0";
const PACKAGES = { "onnxruntime-web": VERSION, "onnxruntime-node": VERSION };
export const runtimeFolder = join(build, "peer/runtime");

/** Installs once; gives the folder of node_modules. */
export async function setUpRuntime() {
  const modules = join(runtimeFolder, "node_modules");
  const has = ([name, version]) =>
    existsSync(join(modules, name)) &&
    JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8")).version === version;
  if (Object.entries(PACKAGES).every(has)) return modules;
  mkdirSync(runtimeFolder, { recursive: true });
  writeFileSync(
    join(runtimeFolder, "package.json"),
    JSON.stringify({ private: true, dependencies: PACKAGES }),
  );
  log(
    `installing ${Object.entries(PACKAGES)
      .map((entry) => entry.join("@"))
      .join(", ")}`,
    "peer",
  );
  await run(
    "npm",
    [
      "install",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      "--loglevel=error",
    ],
    { cwd: runtimeFolder },
  );
  return modules;
}
