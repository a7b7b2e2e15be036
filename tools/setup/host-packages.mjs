// Programs that cannot live in the build folder: installed with apt when the set-up runs as root, else
// asked for in one command.
import { existsSync } from "node:fs";
import { SetupError, log } from "./log.mjs";
import { capture, run, which } from "./run.mjs";
import { trainingPackages } from "./training.mjs";

/** libFuzzer's library, if clang is there with it. */
export function findLibFuzzer() {
  const clang = which("clang++");
  if (!clang) return undefined;
  // What clang would call to link an empty program.
  const link = capture(clang, ["-fsanitize=fuzzer", "-x", "c++", "-", "-###"]).stderr;
  const file = /[^\s"]*libclang_rt\.fuzzer[^\s"]*\.a/.exec(link)?.[0];
  return file && existsSync(file) ? file : undefined;
}

/** Where Chromium may be; CHROMIUM names another. */
export function findChromium() {
  const candidates = [
    process.env.CHROMIUM,
    which("chromium"),
    which("chromium-browser"),
    which("google-chrome"),
    which("google-chrome-stable"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ];
  return candidates.find((file) => file && existsSync(file));
}

const needed = {
  compiler: [
    ["c++", "g++"],
    ["cmake", "cmake"],
    ["ninja", "ninja-build"],
  ],
  browser: [[findChromium, "chromium"]],
  fuzzer: [
    ["clang++", "clang"],
    [findLibFuzzer, "libclang-rt-14-dev"],
  ],
  ccache: [["ccache", "ccache"]],
  lint: [["clang-tidy", "clang-tidy"]],
  training: trainingPackages,
};

const isThere = (program) => Boolean(typeof program === "function" ? program() : which(program));

/** Packages of these groups that are missing here. `table`: group → [program, or what looks for it, and its package]. */
export const missing = (groups, table = needed) =>
  groups
    .flatMap((group) => table[group])
    .filter(([program]) => !isThere(program))
    .map(([, name]) => name);

/** Makes the groups' programs available. `optional` groups are installed only where that needs no question. */
export async function setUpHostPackages(groups, optional = []) {
  const required = missing(groups);
  const wished = missing(optional);
  const isRoot = process.getuid?.() === 0;
  const names = isRoot ? [...required, ...wished] : required;
  if (names.length === 0) return;
  if (!which("apt-get")) {
    if (required.length === 0) return;
    throw new SetupError(`please install: ${required.join(", ")}`);
  }
  if (!isRoot) {
    throw new SetupError(
      "these Debian packages are missing; install them and call this again:\n\n" +
        `  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${[...required, ...wished].join(" ")}\n`,
    );
  }
  log(`installing with apt: ${names.join(" ")}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // An index that is there may do; it is renewed when it does not (an address in it has gone).
  const install = (packages) => ["install", "-y", "-qq", "--no-install-recommends", ...packages];
  if (capture("apt-get", install(names), { env: environment }).status === 0) return;
  await run("apt-get", ["update", "-qq"], { env: environment });
  try {
    await run("apt-get", install(names), { env: environment, quiet: true });
  } catch {
    if (required.length === 0) return log(`could not install ${names.join(" ")}; going on without`);
    await run("apt-get", install(required), { env: environment, quiet: true });
  }
}
