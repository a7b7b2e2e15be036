// What the tests for 64-bit Arm need, below build/arm64: Node for Arm (an npm package), Debian's cross compiler and C library,
// and the emulator that runs both here. No root, nothing installed. An Arm machine needs none of it.
//   debian/ Debian packages, unpacked         node/   Node for Arm
//   bin/    starts the compiler with its own libraries and headers, under the names that cmake/arm64.cmake expects
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SetupError, log } from "./log.mjs";
import { arm64, dependencies, downloads } from "./paths.mjs";
import { fetchPackage, haveApt } from "./private-apt.mjs";
import { capture, hasStamp, run, writeStamp } from "./run.mjs";
import { isUnpacked, unpackPackage, writeScript } from "./unpack.mjs";

const { node, packages } = dependencies.arm64;
const layout = 1; // raise when this file arranges things differently
const stamp = join(arm64, "stamp");
const stampText = `${layout} ${JSON.stringify(dependencies.arm64)}\n`;
const unpacked = join(arm64, "debian");
const emulator = join(unpacked, "usr/bin/qemu-aarch64");
const library = join(unpacked, "usr/aarch64-linux-gnu"); // where programs for Arm find their C library

/** Is this machine itself a 64-bit Arm? */
export const onArm = process.arch === "arm64";

/** Makes sure that Arm programs can be built and run. */
export async function setUpArm64() {
  if (onArm || hasStamp(stamp, stampText)) return;
  if (!haveApt() || process.platform !== "linux" || process.arch !== "x64") {
    throw new SetupError(
      "The tests for Arm need an Arm machine, or the Debian packages of an emulator and a compiler on x86-64 Linux. " +
        "Name the other layers to run them without.",
    );
  }
  log("tools for Arm: about 170 MB to download, 280 MB on disk");
  const nodeArrives = setUpNode();
  nodeArrives.catch(() => {});
  for (const spec of packages) {
    if (isUnpacked(arm64, spec)) continue;
    const { file } = await fetchPackage(spec);
    await unpackPackage(arm64, spec, file, unpacked, unneeded);
    rmSync(file);
  }
  arrangeCompiler();
  await nodeArrives;
  check();
  writeStamp(stamp, stampText);
}

// The other processors' emulators, other languages, and what only link-time optimisation needs.
const unneeded = [
  "*/bin/qemu-[!a]*",
  "*/bin/qemu-a[!a]*",
  "*/bin/qemu-aarch64_be",
  "*/bin/*-lto-dump-*",
  "*/gcc-cross/*/lto1",
];

// `npm pack` fetches from whatever registry this machine uses; the pinned hash says what must have come.
async function setUpNode() {
  const spec = `${node.package}@${node.version}`;
  if (isUnpacked(arm64, node)) return;
  const partial = join(downloads, `${node.package}.part`);
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  log(`downloading ${spec} (53 MB)`);
  await run("npm", ["pack", spec, "--pack-destination", partial, "--loglevel=error"], {
    quiet: true,
  });
  const file = join(partial, readdirSync(partial)[0]);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  if (integrity !== node.integrity)
    throw new SetupError(`${spec}: the hash is ${integrity}, expected ${node.integrity}`);
  const folder = join(arm64, "node");
  rmSync(`${folder}.part`, { recursive: true, force: true });
  mkdirSync(`${folder}.part`, { recursive: true });
  const program = "package/bin/node";
  await run("tar", ["-xzf", file, "-C", `${folder}.part`, "--strip-components=2", program]);
  rmSync(folder, { recursive: true, force: true });
  renameSync(`${folder}.part`, folder);
  rmSync(partial, { recursive: true, force: true });
  writeStamp(join(arm64, "unpacked", node.package), JSON.stringify(node));
}

// The compiler and Binutils, started with the libraries that were unpacked beside them. Versions stand in the scripts
// because ccache knows a compiler by the content of its program.
function arrangeCompiler() {
  const names = { gcc: "gcc-12", "g++": "g++-12", ar: "ar", ranlib: "ranlib", strip: "strip" };
  const versions = packages.map((spec) => spec.version).join(" ");
  for (const [name, program] of Object.entries(names)) {
    const compiles = name.startsWith("g");
    writeScript(
      join(arm64, "bin", `aarch64-linux-gnu-${name}`),
      `#!/bin/sh\n# ${versions}\nD=$(dirname "$(readlink -f "$0")")/../debian\n` +
        `export LD_LIBRARY_PATH="$D/usr/lib/x86_64-linux-gnu"\n` +
        `exec "$D/usr/bin/aarch64-linux-gnu-${program}"${compiles ? ' --sysroot="$D"' : ""} "$@"\n`,
    );
  }
}

function check() {
  const [command, ...args] = armNode();
  const said = capture(command, [...args, "-p", "process.version + process.arch"]);
  if (said.stdout.trim() !== `v${node.version}arm64`)
    throw new SetupError(`Node for Arm does not run here:\n${said.stdout}${said.stderr}`);
}

/**
 * The command that runs an Arm program, as a list whose first entry is the program to start: the emulator, or on an Arm machine
 * nothing but the program. `cpu`: a processor that the emulator knows; "max" has every extension.
 */
export const armCommand = (program, cpu = "max") =>
  onArm ? [program] : [emulator, "-cpu", cpu, "-L", library, program];

/** The command that runs Node on Arm. */
export const armNode = (cpu) =>
  armCommand(onArm ? process.execPath : join(arm64, "node/node"), cpu);
