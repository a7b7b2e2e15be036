// Emscripten: an emcc that is there already, or a private one below build/toolchain made of Debian's
// packages (no root, nothing installed). LLVM is Debian 12's own; Binaryen is Debian 13's and needs
// the C library it was linked with, beside which it is started by its own loader.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  copyFileSync,
  lstatSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { SetupError, log } from "./log.mjs";
import { dependencies, downloads, toolchain } from "./paths.mjs";
import { fetchPackage, haveApt } from "./private-apt.mjs";
import { capture, hasStamp, run, which, writeStamp } from "./run.mjs";
import { isUnpacked, unpackPackage, writeScript } from "./unpack.mjs";

const wanted = dependencies.toolchain.emscripten.version;
const layout = 4; // raise when this file arranges things differently
const stamp = join(toolchain, "stamp");
const stampText = `${layout} ${JSON.stringify(dependencies.toolchain)}\n`;
const ownEmscripten = join(toolchain, "host/usr/share/emscripten");

const versionOf = (emcc) =>
  capture(emcc, ["-dumpversion"])
    .stdout.trim()
    .replace(/[^0-9.].*$/, "");

// The folder of an Emscripten that is here already and good, else undefined.
function foundEmscripten() {
  const candidates = [process.env.CLIPGLOT_EMSCRIPTEN];
  if (process.env.EMSDK) candidates.push(join(process.env.EMSDK, "upstream/emscripten"));
  const onPath = which("emcc");
  if (onPath) candidates.push(dirname(realpathSync(onPath)));
  for (const folder of candidates) {
    if (!folder || !existsSync(join(folder, "cmake/Modules/Platform/Emscripten.cmake"))) continue;
    const version = versionOf(join(folder, "emcc"));
    if (version === wanted || (version && process.env.CLIPGLOT_ANY_EMSCRIPTEN)) return folder;
    log(
      `leaving aside Emscripten ${version || "(broken)"} in ${folder}: this project is built with ${wanted} ` +
        "(CLIPGLOT_ANY_EMSCRIPTEN=1 uses it all the same)",
    );
  }
  return undefined;
}

/** The Emscripten folder to build with (for the preset's CLIPGLOT_EMSCRIPTEN), or undefined before the set-up. */
export const emscriptenFolder = () =>
  foundEmscripten() ?? (hasStamp(stamp, stampText) ? ownEmscripten : undefined);

/** Makes sure that there is one. */
export async function setUpToolchain() {
  if (hasStamp(stamp, stampText)) return;
  const found = foundEmscripten();
  if (found) {
    log(`using the Emscripten in ${found}`);
    return;
  }
  if (!haveApt() || process.platform !== "linux") {
    throw new SetupError(
      `No Emscripten ${wanted} here, and this machine has no Debian packages to make one from. ` +
        `Install emsdk (./emsdk install ${wanted} && ./emsdk activate ${wanted}), set EMSDK and call this again.`,
    );
  }
  for (const tool of ["python3", "tar"]) {
    if (!which(tool))
      throw new SetupError(`Emscripten needs ${tool}: install it and call this again`);
  }
  log(`Emscripten ${wanted}: about 315 MB to download, 600 MB on disk`);
  await install();
  log("trying the new emcc");
  await smokeTest();
  writeStamp(stamp, stampText);
  rmSync(join(downloads, "debs"), { recursive: true, force: true });
}

async function install() {
  const { host, guest } = dependencies.toolchain.packages;
  const unpacking = [];
  for (const [root, packages] of [
    ["host", host],
    ["guest", guest],
  ]) {
    for (const spec of packages) {
      if (isUnpacked(toolchain, spec)) continue;
      const { file } = await fetchPackage(spec);
      // Unpacks while the next one downloads.
      unpacking.push(
        unpackPackage(
          toolchain,
          spec,
          file,
          join(toolchain, root),
          spec.package === "emscripten" ? unneeded : [],
        ),
      );
      unpacking.at(-1).catch(() => {});
    }
  }
  log("unpacking");
  await Promise.all(unpacking);
  const own = await addMissingLibraries();
  arrangeLlvm(own);
  arrangeBinaryen();
  arrangeEmscripten();
}

// 1.3 GB of the 1.6 GB of prebuilt system libraries are of no use here.
const unneeded = [
  "*/wasm32-emscripten/*lto*",
  "*/wasm32-emscripten/pic",
  "*/libGL*emu*",
  "*/libGL*webgl2*",
  "*/libGL*full_es3*",
  "*/libGL*ofb*",
  "*/libwasmfs*",
  "*/emscripten/test",
  "*/emscripten/docs",
];

const llvm = join(toolchain, "host/usr/lib/llvm-19");

function replaceLink(target, path) {
  rmSync(path, { force: true, recursive: true });
  symlinkSync(target, path);
}

// Libraries that LLVM needs and this machine lacks: copied beside it. Returns whether there are any.
async function addMissingLibraries() {
  const known = capture("sh", ["-c", 'PATH="$PATH:/sbin:/usr/sbin" ldconfig -p']).stdout;
  let any = false;
  for (const spec of dependencies.toolchain.packages.libraries) {
    if (known.includes(`${spec.soname} `)) continue;
    any = true;
    const folder = join(toolchain, "libraries", spec.package);
    if (!isUnpacked(toolchain, spec))
      await unpackPackage(toolchain, spec, (await fetchPackage(spec)).file, folder);
    for (const name of readdirSync(folder, { recursive: true })) {
      const file = join(folder, name);
      if (!/\.so(\.|$)/.test(name) || !lstatSync(file).isFile()) continue;
      copyFileSync(file, join(llvm, "lib", name.replace(/^.*\//, "")));
    }
    const real = readdirSync(join(llvm, "lib")).find((name) => name.startsWith(spec.soname));
    if (real && real !== spec.soname) replaceLink(real, join(llvm, "lib", spec.soname));
  }
  return any;
}

// LLVM's programs under their plain names.
function arrangeLlvm(needLibraryPath) {
  const library = readdirSync(join(toolchain, "host/usr/lib")).flatMap((name) => {
    const file = join(toolchain, "host/usr/lib", name, "libLLVM.so.19.1");
    return existsSync(file) && name !== "llvm-19" ? [file] : [];
  })[0];
  replaceLink(relative(join(llvm, "lib"), library), join(llvm, "lib/libLLVM.so.19.1")); // the tools' RUNPATH is $ORIGIN/../lib
  const bin = join(toolchain, "llvm/bin");
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  for (const name of readdirSync(join(llvm, "bin"))) {
    const target = `../../host/usr/lib/llvm-19/bin/${name}`;
    if (!needLibraryPath) symlinkSync(target, join(bin, name));
    else
      writeScript(
        join(bin, name),
        `#!/bin/bash\nD=$(dirname "$(readlink -f "$0")")\n` +
          `export LD_LIBRARY_PATH="$D/../../host/usr/lib/llvm-19/lib"\nexec -a "$0" "$D/${target}" "$@"\n`,
      );
  }
}

// Binaryen's programs, started by the loader of the C library they were linked with.
function arrangeBinaryen() {
  const usr = join(toolchain, "guest/usr");
  const triplet = readdirSync(join(usr, "lib")).find((name) =>
    existsSync(join(usr, "lib", name, "libc.so.6")),
  );
  const loader = readdirSync(join(usr, "lib", triplet)).find((name) =>
    /^ld-linux.*\.so\./.test(name),
  );
  for (const name of readdirSync(join(usr, "bin")).filter((file) => file.startsWith("wasm"))) {
    writeScript(
      join(toolchain, "binaryen/bin", name),
      `#!/bin/sh\nD=$(dirname "$(readlink -f "$0")")/../../guest/usr\n` +
        `L=$D/lib/${triplet}\nexec "$L/${loader}" --argv0 "$0" --library-path "$L" "$D/bin/${name}" "$@"\n`,
    );
  }
}

function arrangeEmscripten() {
  // Its tools are CommonJS by extension; without this they would inherit this repository's "type": "module".
  writeFileSync(join(toolchain, "package.json"), '{ "private": true }\n');
  mkdirSync(join(ownEmscripten, "node_modules"), { recursive: true });
  // Its optimiser imports acorn as an ES module, which looks only in node_modules.
  replaceLink("../../nodejs/acorn", join(ownEmscripten, "node_modules/acorn"));
  writeFileSync(
    join(ownEmscripten, ".emscripten"),
    [
      "import os",
      "from tools.utils import path_from_root", // Emscripten's own folder: nothing here breaks when it moves
      "root = os.path.normpath(path_from_root('../../../..'))",
      "LLVM_ROOT = root + '/llvm/bin'",
      "BINARYEN_ROOT = root + '/binaryen'",
      "NODE_JS = 'node'",
      "CACHE = root + '/host/usr/share/emscripten/cache'",
      "FROZEN_CACHE = True",
      "",
    ].join("\n"),
  );
}

/** What the build needs in its environment: the own toolchain must not listen to another's settings. */
export function emscriptenEnvironment() {
  const folder = emscriptenFolder();
  if (!folder) throw new SetupError("no Emscripten yet: run `npm run setup`");
  const environment = { ...process.env, CLIPGLOT_EMSCRIPTEN: folder };
  if (folder === ownEmscripten) {
    delete environment.EM_CONFIG;
    delete environment.EMSDK;
    delete environment.EM_CACHE;
  }
  return environment;
}

// Compiles and runs a program that needs every part: clang, the linker, Binaryen, acorn, threads, SIMD, Embind.
async function smokeTest() {
  const folder = mkdtempSync(join(tmpdir(), "clipglot-"));
  try {
    writeFileSync(
      join(folder, "test.cc"),
      `#include <wasm_simd128.h>
#include <emscripten/bind.h>
#include <cstdio>
#include <thread>
static int f(int a) { int r = 0; std::thread t([&] { r = wasm_i32x4_extract_lane(wasm_i32x4_splat(a), 1) + 1; }); t.join(); return r; }
EMSCRIPTEN_BINDINGS(m) { emscripten::function("f", &f); }
int main() { printf("ok %d\\n", f(41)); }
`,
    );
    const environment = { ...process.env };
    for (const name of ["EM_CONFIG", "EMSDK", "EM_CACHE"]) delete environment[name];
    await run(
      join(ownEmscripten, "em++"),
      [
        "-O2",
        "-std=c++20",
        "-pthread",
        "-msimd128",
        "-sPTHREAD_POOL_SIZE=1",
        "-sPROXY_TO_PTHREAD",
        "-sEXIT_RUNTIME",
        "-lembind",
        "test.cc",
        "-o",
        "test.cjs",
      ],
      { cwd: folder, env: environment },
    );
    const result = capture(process.execPath, ["test.cjs"], { cwd: folder });
    if (result.stdout.trim() !== "ok 42")
      throw new SetupError(
        `the new emcc makes programs that do not run:\n${result.stdout}${result.stderr}`,
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
