// Models behind a URL, from servers of many habits: js/src/loading/url-source.ts with a real local server.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { EmbedError } from "clipglot";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { loadFake, rejection } from "./support/fake.mjs";

const weights = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
const checkpoint = { "config.json": Buffer.from('{"a":1}'), "tokenizer.json": Buffer.from("{}"), "model.safetensors": weights };
const pack = {
  "manifest.json": Buffer.from(JSON.stringify({
    tokenizer: { path: "tokenizer.json", bytes: 2 },
    shards: [{ path: "text/0.safetensors", bytes: weights.length }, { path: "vision 1.safetensors".replace(" ", "-"), bytes: 5 }],
  })),
  "tokenizer.json": Buffer.from("{}"),
  "text/0.safetensors": weights,
  "vision-1.safetensors": Buffer.from("12345"),
};

/** Serves `files` below /m/. Habits: ranges, head, gzip, page (a start page instead of 404), breakAfter, down. */
async function serve(files, habits, use) {
  const requests = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname).replace("/m/", "");
    requests.push(`${request.method} ${path}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    if (habits.down) return response.writeHead(503).end();
    if (request.method === "HEAD" && habits.head === false) return response.writeHead(405).end();
    let bytes = files[path];
    if (!bytes) {
      if (habits.page) return response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
      return response.writeHead(404).end();
    }
    const headers = { "Content-Type": "application/octet-stream" };
    if (habits.gzip) {
      bytes = gzipSync(bytes);
      headers["Content-Encoding"] = "gzip";
    }
    const range = habits.ranges !== false && /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    if (range) {
      const last = range[2] ? Number(range[2]) : bytes.length - 1;
      headers["Content-Range"] = `bytes ${range[1]}-${last}/${bytes.length}`;
      bytes = bytes.subarray(Number(range[1]), last + 1);
    }
    headers["Content-Length"] = bytes.length;
    response.writeHead(range ? 206 : 200, headers);
    if (request.method === "HEAD") return response.end();
    if (habits.breakAfter && bytes.length > habits.breakAfter) {
      response.write(bytes.subarray(0, habits.breakAfter), () => setTimeout(() => response.destroy(), 20));
      return;
    }
    response.end(bytes);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${server.address().port}/m/`, requests);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function read(source, path, offset, length) {
  const pieces = [];
  await source.read(source.files.find((file) => file.path === path), offset, length, (piece) => pieces.push(Buffer.from(piece)));
  return Buffer.concat(pieces);
}
const same = (bytes, offset, length) => assert.ok(Buffer.from(weights.subarray(offset, offset + length)).equals(bytes), `bytes ${offset}+${length}`);
const sizes = (source) => Object.fromEntries(source.files.map(({ path, byteLength }) => [path, byteLength]));

test("a pack: listed by its manifest, nothing is asked for twice", () =>
  serve(pack, {}, async (url, requests) => {
    const source = await openUrlSource(url);
    assert.deepEqual(sizes(source), { "manifest.json": pack["manifest.json"].length, "tokenizer.json": 2, "text/0.safetensors": 3_000_000, "vision-1.safetensors": 5 });
    assert.ok((await read(source, "manifest.json", 0, pack["manifest.json"].length)).equals(pack["manifest.json"]));
    same(await read(source, "text/0.safetensors", 0, 1_000_000), 0, 1_000_000);
    same(await read(source, "text/0.safetensors", 1_000_000, 2_000_000), 1_000_000, 2_000_000);
    assert.equal(String(await read(source, "vision-1.safetensors", 0, 5)), "12345");
    await source.close();
    assert.deepEqual(requests, ["GET manifest.json", "GET text/0.safetensors", "GET vision-1.safetensors"]);
  }));

test("a checkpoint: sizes by HEAD; jumps by ranges; small gaps are read over", () =>
  serve(checkpoint, {}, async (url, requests) => {
    const source = await openUrlSource(url);
    assert.deepEqual(sizes(source), { "config.json": 7, "tokenizer.json": 2, "model.safetensors": 3_000_000 });
    requests.length = 0;
    same(await read(source, "model.safetensors", 0, 8), 0, 8);
    same(await read(source, "model.safetensors", 100, 1000), 100, 1000);
    same(await read(source, "model.safetensors", 2_000_000, 500_000), 2_000_000, 500_000);
    same(await read(source, "model.safetensors", 50, 10), 50, 10);
    await source.close();
    assert.deepEqual(requests, ["GET model.safetensors", "GET model.safetensors bytes=2000000-", "GET model.safetensors bytes=50-"]);
  }));

test("a server that ignores ranges", () =>
  serve(checkpoint, { ranges: false }, async (url) => {
    const source = await openUrlSource(url);
    same(await read(source, "model.safetensors", 1_234_567, 1_000_000), 1_234_567, 1_000_000);
    same(await read(source, "model.safetensors", 10, 20), 10, 20);
    await source.close();
  }));

test("a server that compresses everything: sizes are those of the contents", () =>
  serve(checkpoint, { gzip: true, ranges: false }, async (url) => {
    const source = await openUrlSource(url);
    assert.deepEqual(sizes(source), { "config.json": 7, "tokenizer.json": 2, "model.safetensors": 3_000_000 });
    same(await read(source, "model.safetensors", 2_999_000, 1000), 2_999_000, 1000);
  }));

test("a server without HEAD", () =>
  serve(checkpoint, { head: false }, async (url) => {
    const source = await openUrlSource(url);
    assert.equal(sizes(source)["model.safetensors"], 3_000_000);
    same(await read(source, "model.safetensors", 5, 6), 5, 6);
    await source.close();
  }));

test("a server that answers unknown addresses with a page", () =>
  serve(checkpoint, { page: true }, async (url) => {
    assert.deepEqual(Object.keys(sizes(await openUrlSource(url))), ["config.json", "tokenizer.json", "model.safetensors"]);
  }));

const fails = async (promise, pattern, code = "network") => {
  const error = await rejection(promise);
  assert.ok(error instanceof EmbedError, `${error}`);
  assert.equal(error.code, code);
  assert.match(error.detail, pattern);
  return error;
};

test("no model there", () =>
  serve({}, {}, async (url) => {
    await fails(openUrlSource(url), /no model at http.*manifest\.json: 404.*config\.json: 404/);
  }));

test("a server that is down", () => serve(checkpoint, { down: true }, async (url) => { await fails(openUrlSource(url), /manifest\.json: 503/); }));

test("nobody answers", async () => {
  const error = await fails(openUrlSource("http://127.0.0.1:9/"), /127\.0\.0\.1:9\/manifest\.json: cannot be fetched/);
  assert.ok(error.cause instanceof Error);
});

test("a transfer that breaks off", () =>
  serve(checkpoint, { breakAfter: 500_000 }, async (url) => {
    const source = await openUrlSource(url);
    await fails(read(source, "model.safetensors", 0, 3_000_000), /model\.safetensors: (broke off|ended) after \d+ bytes/);
  }));

test("a file that is shorter than the manifest says", () =>
  serve({ ...pack, "text/0.safetensors": weights.subarray(0, 999) }, {}, async (url) => {
    const source = await openUrlSource(url);
    await fails(read(source, "text/0.safetensors", 0, 3_000_000), /ended after 999 bytes, 3000000 were wanted/);
  }));

const manifests = {
  "not JSON": ["{", /not JSON/],
  "not an object": ["7", /not a JSON object/],
  "a path out of the folder": [JSON.stringify({ shards: [{ path: "../secret", bytes: 1 }] }), /not a plain relative path: "\.\.\/secret"/],
  "an absolute path": [JSON.stringify({ shards: [{ path: "/etc/passwd", bytes: 1 }] }), /not a plain relative path/],
  "an address": [JSON.stringify({ shards: [{ path: "http://evil/x", bytes: 1 }] }), /not a plain relative path/],
  "no size": [JSON.stringify({ shards: [{ path: "a" }] }), /no size for a/],
};
for (const [name, [text, pattern]] of Object.entries(manifests))
  test(`a manifest with ${name}`, () =>
    serve({ "manifest.json": Buffer.from(text) }, {}, async (url) => { await fails(openUrlSource(url), pattern, "corrupt-model"); }));

const small = { ...checkpoint, "model.safetensors": weights.subarray(0, 50_000) };

test("load() from a URL, with and without the slash at the end", () =>
  serve(small, {}, async (url) => {
    const sum = Object.values(small).flatMap((bytes) => [...bytes]).reduce((total, byte) => total + byte, 0);
    for (const model of [url, new URL(url), url.slice(0, -1)]) {
      const embedder = await loadFake({ model });
      assert.equal(embedder.info.residentBytes, sum);
      await embedder.dispose();
    }
  }));

test("load() from a URL can be aborted", () =>
  serve(checkpoint, { breakAfter: 200_000 }, async (url) => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const onProgress = ({ file }) => file === "model.safetensors" && abort.abort(reason);
    assert.equal(await rejection(loadFake({ model: url, signal: abort.signal, onProgress })), reason);
  }));
