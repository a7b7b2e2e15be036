// Models from files that the user picked, from a folder on disk, and from the user's own source.
import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadFake, memorySource, rejection } from "./support/fake.mjs";

const folder = mkdtempSync(join(tmpdir(), "clipglot-source-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "text"));
const manifest = JSON.stringify({ shards: [{ path: "text/0.safetensors", bytes: 5000 }] }).padEnd(100);
writeFileSync(join(folder, "manifest.json"), manifest);
const manifestSum = [...Buffer.from(manifest)].reduce((sum, byte) => sum + byte, 0);
writeFileSync(join(folder, "text/0.safetensors"), new Uint8Array(5000).fill(1));

async function sumAndFiles(options) {
  const files = new Set();
  const embedder = await loadFake({ ...options, onProgress: ({ file }) => file && files.add(file) });
  await embedder.dispose();
  return [embedder.info.residentBytes, [...files].sort()];
}
const expected = [5100, ["manifest.json", "text/0.safetensors"]];
const expectedOnDisk = [5000 + manifestSum, expected[1]];

test("a path, a relative path, a file: URL", async () => {
  for (const model of [folder, `${folder}/`, relative(process.cwd(), folder), pathToFileURL(folder), pathToFileURL(folder).href])
    assert.deepEqual(await sumAndFiles({ model }), expectedOnDisk, String(model));
});

test("a folder that is not there", async () => {
  const error = await rejection(loadFake({ model: join(folder, "nowhere") }));
  assert.equal(error.code, "network");
  assert.match(error.detail, /cannot read .*nowhere/);
});

const file = (path, bytes) => {
  const made = new File([new Uint8Array(bytes).fill(1)], path.split("/").at(-1));
  if (path.includes("/")) Object.defineProperty(made, "webkitRelativePath", { value: path });
  return made;
};

test("picked files: the folder's own name is left out, and what lies outside the model", async () => {
  const model = [file("pictures/cat.png", 7), file("pictures/model/manifest.json", 100), file("pictures/model/text/0.safetensors", 5000)];
  assert.deepEqual(await sumAndFiles({ model }), expected);
  assert.deepEqual(await sumAndFiles({ model: [file("manifest.json", 100), file("x", 1)] }), [101, ["manifest.json", "x"]]);
});

test("an array-like list, as a FileList is", async () => {
  assert.deepEqual(await sumAndFiles({ model: { length: 1, 0: file("config.json", 3) } }), [3, ["config.json"]]);
});

test("a ModelSource: paths and sizes as it lists them", async () => {
  const model = memorySource({ "manifest.json": new Uint8Array(100).fill(1), "text/0.safetensors": new Uint8Array(5000).fill(1) });
  assert.deepEqual(await sumAndFiles({ model }), expected);
  for (const list of [async () => 7, async () => [{ path: "a" }], async () => [{ path: 1, byteLength: 1 }], async () => [{ path: "a", byteLength: -1 }]]) {
    const error = await rejection(loadFake({ model: { ...model, list } }));
    assert.equal(error.code, "invalid-argument");
    assert.match(error.detail, /model\.list\(\)/);
  }
});
