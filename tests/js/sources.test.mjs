// Models from files that the user picked, from a folder on disk, and from the user's own source.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, openAsBlob, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { load } from "clipglot";
import { openPath, openPaths } from "../../dist/js/platform/node/worker.js";
import { loadFake, memorySource, rejection } from "./support/fake.mjs";

const folder = mkdtempSync(join(tmpdir(), "clipglot-source-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "text"));
const manifest = JSON.stringify({ shards: [{ path: "text/0.safetensors", bytes: 5000 }] }).padEnd(
  100,
);
writeFileSync(join(folder, "manifest.json"), manifest);
const manifestSum = [...Buffer.from(manifest)].reduce((sum, byte) => sum + byte, 0);
writeFileSync(join(folder, "text/0.safetensors"), new Uint8Array(5000).fill(1));

async function sumAndFiles(options) {
  const files = new Set();
  const embedder = await loadFake({
    ...options,
    onProgress: ({ file }) => file && files.add(file),
  });
  await embedder.dispose();
  return [embedder.info.residentBytes, [...files].sort()];
}
const expected = [5100, ["manifest.json", "text/0.safetensors"]];
const expectedOnDisk = [5000 + manifestSum, expected[1]];

test("a path, a relative path, a file: URL", async () => {
  for (const model of [
    folder,
    `${folder}/`,
    relative(process.cwd(), folder),
    pathToFileURL(folder),
    pathToFileURL(folder).href,
  ])
    assert.deepEqual(await sumAndFiles({ model }), expectedOnDisk, String(model));
});

test("a folder that is not there", async () => {
  const error = await rejection(loadFake({ model: join(folder, "nowhere") }));
  assert.equal(error.code, "unreadable");
  assert.match(error.detail, /cannot read .*nowhere/);
});

const file = (path, bytes) => {
  const made = new File([new Uint8Array(bytes).fill(1)], path.split("/").at(-1));
  if (path.includes("/")) Object.defineProperty(made, "webkitRelativePath", { value: path });
  return made;
};

test("picked files: the folder's own name is left out, and what lies outside the model", async () => {
  const model = [
    file("pictures/cat.png", 7),
    file("pictures/model/manifest.json", 100),
    file("pictures/model/text/0.safetensors", 5000),
  ];
  assert.deepEqual(await sumAndFiles({ model }), expected);
  assert.deepEqual(await sumAndFiles({ model: [file("manifest.json", 100), file("x", 1)] }), [
    101,
    ["manifest.json", "x"],
  ]);
});

test("an array-like list, as a FileList is", async () => {
  assert.deepEqual(await sumAndFiles({ model: { length: 1, 0: file("config.json", 3) } }), [
    3,
    ["config.json"],
  ]);
});

test("a ModelSource: paths and sizes as it lists them", async () => {
  const model = memorySource({
    "manifest.json": new Uint8Array(100).fill(1),
    "text/0.safetensors": new Uint8Array(5000).fill(1),
  });
  assert.deepEqual(await sumAndFiles({ model }), expected);
  for (const list of [
    async () => 7,
    async () => [{ path: "a" }],
    async () => [{ path: 1, byteLength: 1 }],
    async () => [{ path: "a", byteLength: -1 }],
  ]) {
    const error = await rejection(loadFake({ model: { ...model, list } }));
    assert.equal(error.code, "invalid-argument");
    assert.match(error.detail, /model\.list\(\)/);
  }
});

describe("something odd beside a model does not matter", () => {
  const model = memorySource({
    "manifest.json": new Uint8Array(100).fill(1),
    "text/0.safetensors": new Uint8Array(5000).fill(1),
  });

  test("in a folder: only the files that the manifest names are looked at", async () => {
    symlinkSync("nowhere", join(folder, "dangling"));
    symlinkSync(".", join(folder, "circle"));
    execFileSync("mkfifo", [join(folder, "pipe"), join(folder, "text/pipe")]);
    mkdirSync(join(folder, "closed"), { mode: 0 });
    writeFileSync(join(folder, "secret"), "x", { mode: 0 });
    assert.deepEqual(await sumAndFiles({ model: folder }), expectedOnDisk);
    // Nor do directories deep below, where a pack may keep its shards.
    const deep = mkdtempSync(join(tmpdir(), "clipglot-source-"));
    after(() => rmSync(deep, { recursive: true }));
    mkdirSync(join(deep, "a/b/c"), { recursive: true });
    writeFileSync(join(deep, "a/b/c/0.safetensors"), new Uint8Array(10).fill(1));
    writeFileSync(
      join(deep, "manifest.json"),
      JSON.stringify({ shards: [{ path: "a/b/c/0.safetensors", bytes: 10 }] }),
    );
    assert.deepEqual((await sumAndFiles({ model: deep }))[1], [
      "a/b/c/0.safetensors",
      "manifest.json",
    ]);
  });

  test("a pipe or a folder where a file is named: an error that says so, and no waiting", async () => {
    const odd = mkdtempSync(join(tmpdir(), "clipglot-source-"));
    after(() => rmSync(odd, { recursive: true }));
    execFileSync("mkfifo", [join(odd, "config.json")]);
    const source = await openPath(odd);
    assert.deepEqual(source.files, []);
    assert.match(source.absent.get("config.json"), /config\.json is not a file/);
    const error = await rejection(load({ model: odd, variant: "simd" }));
    assert.equal(error.code, "unreadable");
    assert.match(error.detail, /config\.json is not a file/);
    assert.match(
      (await rejection(loadFake({ model: join(folder, "manifest.json") }))).detail,
      /not a folder/,
    );
    const paths = await openPaths({
      "manifest.json": join(folder, "manifest.json"),
      unused: join(folder, "dangling"),
    });
    assert.deepEqual(
      [paths.files.map(({ path }) => path), paths.absent.has("unused")],
      [["manifest.json"], true],
    );
  });

  test("among picked files", async () => {
    const fail = () => {
      throw new Error("deleted");
    };
    const gone = Object.assign(file("pictures/model/gone.png", 3), {
      slice: fail,
      arrayBuffer: fail,
    });
    const empty = Object.assign(file("pictures/model/empty.png", 0), { arrayBuffer: fail });
    const odd = Object.defineProperty(file("pictures/model/odd.png", 3), "size", { value: NaN });
    const picked = [
      odd,
      empty,
      file("pictures/model/manifest.json", 100),
      file("pictures/model/text/0.safetensors", 5000),
    ];
    assert.deepEqual(await sumAndFiles({ model: picked }), expected, "the empty one is never read");
    // The stand-in engine wants every file: the one that cannot be read is named.
    const error = await rejection(loadFake({ model: [...picked, gone] }));
    assert.deepEqual(
      [error.code, /gone\.png: cannot be read.*deleted/.test(error.detail)],
      ["unreadable", true],
    );
  });

  test("a picked file of the disk, in Node", async () => {
    const blob = await openAsBlob(join(folder, "text/0.safetensors"));
    const onDisk = {
      name: "model.safetensors",
      size: blob.size,
      slice: (...range) => blob.slice(...range),
      arrayBuffer: () => blob.arrayBuffer(),
    };
    assert.deepEqual(await sumAndFiles({ model: [file("config.json", 100), onDisk] }), [
      5100,
      ["config.json", "model.safetensors"],
    ]);
  });

  test("in a list of a ModelSource", async () => {
    const list = async () => [
      null,
      { path: "x" },
      ...(await model.list()),
      { path: 7, byteLength: 1 },
      "y",
      { path: "z", byteLength: -1 },
    ];
    assert.deepEqual(await sumAndFiles({ model: { ...model, list } }), expected);
  });
});
