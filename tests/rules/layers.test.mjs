// The rule of the house: a room knows only the rooms before it, and each library lives in one room.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { read, repositoryFiles, root } from "./files.mjs";

const files = repositoryFiles().filter((path) => existsSync(join(root, path)));

// Who may include whom: cmake/room.cmake is the one table.
const rooms = {};
for (const [, room, list] of read("cmake/room.cmake").matchAll(
  /^set\(CLIPGLOT_MAY_(\w+) ?([^)]*)\)/gm,
)) {
  rooms[room] = list.trim().split(/\s+/).filter(Boolean);
}
rooms.wasm = ["convert", "engine", "container", "base"];

// Third-party headers and the only places that may include them.
const homes = [
  [/^(xnnpack|pthreadpool)(\.h|\/)/, /^src\/nn\//],
  [/^(sentencepiece|builtin_pb|google\/protobuf|utf8proc|absl\/|darts)/, /^src\/text\//],
  [/^zlib\.h$/, /^src\/vision\/inflate\.cc$/],
  [/^(jpeglib|jerror|jmorecfg|jpegint|jconfig)\.h$/, /^src\/vision\/jpeg_codec\.cc$/],
  [/^yyjson\.h$/, /^src\/base\/json\.cc$/],
  [/^emscripten\/(bind|val|wire)\.h$/, /^wasm\//], // Embind
  [/^emscripten/, /^(wasm|src\/nn)\//], // nn asks how many thread workers wait
];
// Headers of the language, the C library and the compiler.
const system =
  /^([a-z_]+|(assert|ctype|errno|fenv|float|inttypes|limits|malloc|math|setjmp|signal|stdarg|stddef|stdint|stdio|stdlib|string|time|unistd|pthread|sys\/\w+|immintrin|\w*mmintrin|arm_neon|wasm_simd128|sanitizer\/\w+)(\.h)?)$/;

const includesOf = (path) =>
  [...read(path).matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)].map(([, kind, name]) => ({
    kind,
    name,
  }));

test("C++: rooms include only the rooms before them", () => {
  const wrong = [];
  for (const path of files) {
    const match = /^(?:src\/(\w+)|(wasm))\/.*\.(h|cc)$/.exec(path);
    if (!match) continue;
    const room = match[1] ?? match[2];
    assert.ok(room in rooms, `${path} lies in no room of cmake/room.cmake`);
    for (const { kind, name } of includesOf(path)) {
      if (kind !== '"') continue;
      if (homes.some(([header]) => header.test(name))) continue; // looked at below
      const target = name.includes("/") ? name.split("/")[0] : room;
      if (target !== room && !rooms[room].includes(target)) wrong.push(`${path} includes ${name}`);
      const file = name.includes("/") ? `src/${name}` : posix.join(posix.dirname(path), name);
      if (!existsSync(join(root, file))) wrong.push(`${path} includes ${name}: no such file`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("C++: every edge of cmake/room.cmake is used", () => {
  const unused = Object.entries(rooms).flatMap(([room, list]) => {
    const used = new Set(
      files
        .filter((path) => path.startsWith(room === "wasm" ? "wasm/" : `src/${room}/`))
        .filter((path) => /\.(h|cc)$/.test(path))
        .flatMap((path) => includesOf(path).map(({ name }) => name.split("/")[0])),
    );
    return list.filter((target) => !used.has(target)).map((target) => `${room} → ${target}`);
  });
  assert.deepEqual(unused, []);
});

test("docs/ARCHITECTURE.md has the table of cmake/room.cmake, and the libraries that the rooms link", () => {
  const [, table] = /\| room \| may include \| third party \|\n\|[-| ]+\|\n((?:\|.*\n)+)/.exec(
    read("docs/ARCHITECTURE.md"),
  );
  const cells = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").slice(1, -1));
  const names = (cell) => cell.split(/[,\s]+/).filter((name) => name && name !== "–");
  assert.deepEqual(
    Object.fromEntries(cells.map(([room, list]) => [room.trim(), names(list)])),
    rooms,
  );
  const plain = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, "");
  for (const [room, , libraries] of cells) {
    if (room.trim() === "wasm") continue; // Embind is Emscripten's own
    const linked = /\bTHIRD_PARTY\s+([^)]*)\)/.exec(read(`src/${room.trim()}/CMakeLists.txt`));
    assert.deepEqual(
      libraries
        .split(", ")
        .map((name) => plain(name.split(" behind")[0]))
        .filter(Boolean)
        .sort(),
      names(linked?.[1] ?? "")
        .map(plain)
        .sort(),
      room,
    );
  }
});

// Inside nn, first to last: a file includes only its own entry and earlier ones.
const insideNn = [
  /^simd\//,
  /^runtime\//,
  /^product\.h$/,
  /^int8\//,
  /^int4\//,
  /^attention\//,
  /^[^/]+$/,
];
// The public header, and what defines its functions although it lies in a folder.
const nnFace = "nn/nn.h";
const definesTheFace = new Set(["attention/attention.cc"]);

test("C++: inside nn no file includes a later one", () => {
  const place = (path) => insideNn.findIndex((folder) => folder.test(path));
  const wrong = [];
  for (const path of files.filter((file) => /^src\/nn\/.*\.(h|cc)$/.test(file))) {
    const inside = path.slice("src/nn/".length);
    assert.notEqual(place(inside), -1, `${path}: no place in the order of nn`);
    for (const { kind, name } of includesOf(path)) {
      if (kind !== '"' || !name.startsWith("nn/")) continue;
      if (name === nnFace && definesTheFace.has(inside)) continue;
      if (place(name.slice("nn/".length)) > place(inside)) wrong.push(`${path} includes ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("C++: the bindings know the core by its public headers", () => {
  const wrong = files
    .filter((path) => /^wasm\/.*\.(h|cc)$/.test(path))
    .flatMap((path) =>
      includesOf(path)
        .filter(
          ({ name }) =>
            /^\w+\//.test(name) &&
            /^(engine|convert)\//.test(name) &&
            !["engine/engine.h", "engine/index.h", "convert/pack_writer.h"].includes(name),
        )
        .map(({ name }) => `${path} includes ${name}`),
    );
  assert.deepEqual(wrong, []);
});

test("C++: third-party headers stay in their room", () => {
  const wrong = [];
  for (const path of files.filter((file) => /^(src|wasm)\/.*\.(h|cc)$/.test(file))) {
    for (const { kind, name } of includesOf(path)) {
      const home = homes.find(([header]) => header.test(name));
      if (home && !home[1].test(path)) wrong.push(`${path} includes ${name}`);
      if (!home && kind === "<" && !system.test(name))
        wrong.push(`${path} includes <${name}>, whose home is unknown`);
    }
  }
  assert.deepEqual(wrong, []);
});

// TypeScript: folder → folders whose files it may import. "" is js/src itself.
const folders = {
  "": ["", "client", "shared", "platform"],
  node: ["", "client", "shared", "platform", "worker"], // the entries of Node; nobody imports them
  client: ["", "client", "shared", "loading", "platform"],
  worker: ["", "worker", "shared", "loading", "platform"],
  loading: ["", "loading", "shared", "platform"],
  platform: ["", "platform", "shared"],
  convert: ["", "convert", "worker", "loading", "shared", "platform"], // nobody imports it
  shared: ["", "shared"],
  sharp: [""], // the user's own decoder in Node; nobody imports it
};
// Folders of the package's entries.
const entries = new Set(["", "node"]);
// Files at the top that hold only types and errors: anybody may know these, and of the top only these.
const common = new Set(["js/src/types.ts", "js/src/errors.ts"]);

const importsOf = (path) =>
  [
    ...read(path).matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3]);

test("TypeScript: page and worker meet only in shared", () => {
  const wrong = [];
  for (const path of files.filter((file) => /^js\/src\/.*\.ts$/.test(file))) {
    const inside = path.slice("js/src/".length);
    const folder = inside.includes("/") ? inside.split("/")[0] : "";
    assert.ok(folder in folders, `${path}: no rule for this folder`);
    for (const name of importsOf(path)) {
      if (name.startsWith("node:")) {
        if (folder !== "platform" && folder !== "convert")
          wrong.push(`${path} imports ${name}: only platform/ asks where it is`);
      } else if (name.startsWith(".")) {
        const target = posix
          .normalize(posix.join(posix.dirname(path), name))
          .replace(/\.m?js$/, ".ts");
        if (!target.startsWith("js/src/")) {
          wrong.push(`${path} imports ${name}, outside js/src`);
          continue;
        }
        const rest = target.slice("js/src/".length);
        const to = rest.includes("/") ? rest.split("/")[0] : "";
        if (!folders[folder].includes(to)) wrong.push(`${path} imports ${name}`);
        else if (to === "" && !entries.has(folder) && !common.has(target))
          wrong.push(`${path} imports ${name}: of the top only types and errors`);
      } else if (name === "sharp" && folder === "sharp") {
        // An optional peer, loaded when a file needs it.
      } else wrong.push(`${path} imports ${name}: the package has no dependencies`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("TypeScript: the page and the examples import the package by its name", () => {
  const wrong = files
    .filter((path) => /^(web-demo|examples)\/.*\.(ts|mts|js|mjs)$/.test(path))
    .flatMap((path) =>
      importsOf(path)
        .filter((name) => /(^|\/)(js\/src|dist)\//.test(name))
        .map((name) => `${path} imports ${name}`),
    );
  assert.deepEqual(wrong, []);
});
