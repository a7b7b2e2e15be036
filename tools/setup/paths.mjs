// Where things lie. Everything the set-up makes is below build/ (and node_modules/).
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const build = join(root, "build");
export const thirdParty = join(build, "third_party");
export const toolchain = join(build, "toolchain");
export const arm64 = join(build, "arm64");
export const downloads = join(build, "downloads");
export const aptState = join(build, "apt");

/** cmake/dependencies.json: every version, in one place. */
export const dependencies = JSON.parse(readFileSync(join(root, "cmake/dependencies.json"), "utf8"));
