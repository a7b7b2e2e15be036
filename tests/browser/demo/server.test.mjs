// What the demo's server promises: isolation headers, the model's folder with ranges, nothing else of the repository.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { repository, serveDemo } from "./pages.mjs";

let server;
const models = join(repository, "models", "emoji");
before(async () => (server = await serveDemo({ fake: true })));
after(() => server?.close());

test("every answer carries the isolation headers", async () => {
  for (const path of [
    "",
    "src/main.ts",
    "models/emoji/manifest.json",
    "gallery/gallery.json",
    "curve.html",
  ]) {
    const { headers } = await fetch(server.url + path);
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin", path);
    assert.equal(headers.get("cross-origin-embedder-policy"), "require-corp", path);
  }
});

test("CLIPGLOT_ISOLATION=off leaves them out", async () => {
  const open = await serveDemo({ fake: true, isolation: false });
  try {
    const { headers } = await fetch(open.url);
    assert.equal(headers.get("cross-origin-opener-policy"), null);
    assert.equal(headers.get("cross-origin-embedder-policy"), null);
  } finally {
    await open.close();
  }
});

test("the model comes whole and in ranges", async () => {
  const bytes = readFileSync(join(models, "manifest.json"));
  const url = `${server.url}models/emoji/manifest.json`;
  const whole = await fetch(url);
  assert.equal(whole.status, 200);
  assert.equal(whole.headers.get("content-type"), "application/json");
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes);
  const range = async (value) => {
    const response = await fetch(url, { headers: { range: value } });
    return [
      response.status,
      response.headers.get("content-range"),
      Buffer.from(await response.arrayBuffer()),
    ];
  };
  const size = bytes.length;
  assert.deepEqual(await range("bytes=2-5"), [206, `bytes 2-5/${size}`, bytes.subarray(2, 6)]);
  assert.deepEqual(await range("bytes=10-"), [
    206,
    `bytes 10-${size - 1}/${size}`,
    bytes.subarray(10),
  ]);
  assert.deepEqual(await range("bytes=-3"), [
    206,
    `bytes ${size - 3}-${size - 1}/${size}`,
    bytes.subarray(-3),
  ]);
  assert.deepEqual((await range(`bytes=${size}-`)).slice(0, 2), [416, `bytes */${size}`]);
});

test("what is not in the model's folder is not found, and not the page either", async () => {
  for (const path of [
    "models/emoji/none.bin",
    "models/",
    "models/..%2fpackage.json",
    "models/%2e%2e/package.json",
    "models/%ff",
  ]) {
    const response = await fetch(server.url + path);
    const text = await response.text();
    assert.ok(
      !text.includes('"clipglot"') && !(response.status === 200 && path.includes("emoji")),
      path,
    );
  }
  assert.equal((await fetch(`${server.url}models/emoji/none.bin`)).status, 404);
});
