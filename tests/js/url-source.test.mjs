// Models at a URL, from servers of many habits: js/src/loading/url-source.ts with a real local server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EmbedError } from "clipglot";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { loadFake, rejection } from "./support/fake.mjs";
import { sealed } from "./support/model-pack.mjs";
import { serveModel } from "./support/model-server.mjs";

const weights = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
const checkpoint = {
  "config.json": Buffer.from('{"a":1}'),
  "tokenizer.json": Buffer.from("{}"),
  "model.safetensors": weights,
};
const pack = {
  "manifest.json": sealed({
    tokenizer: { path: "tokenizer.json", bytes: 2 },
    shards: [
      { path: "text/0.safetensors", bytes: weights.length },
      { path: "vision-1.safetensors", bytes: 5 },
    ],
  }),
  "tokenizer.json": Buffer.from("{}"),
  "text/0.safetensors": weights,
  "vision-1.safetensors": Buffer.from("12345"),
};

/** Short pauses, so that nobody waits. */
const retry = { backoffMs: [5, 5, 5], idleTimeoutMs: 300 };
const openUrl = (url) => openUrlSource(url, { retry });

async function serve(files, habits, use) {
  const server = await serveModel(files, habits);
  try {
    await use(server.url, server.requests, server);
  } finally {
    await server.close();
  }
}

async function read(source, path, offset, length) {
  const pieces = [];
  await source.read(
    source.files.find((file) => file.path === path),
    offset,
    length,
    (piece) => pieces.push(Buffer.from(piece)),
  );
  return Buffer.concat(pieces);
}
const same = (bytes, offset, length) =>
  assert.ok(
    Buffer.from(weights.subarray(offset, offset + length)).equals(bytes),
    `bytes ${offset}+${length}`,
  );
const sizes = (source) =>
  Object.fromEntries(source.files.map(({ path, byteLength }) => [path, byteLength]));

test("a pack: listed by its manifest, nothing is asked for twice", () =>
  serve(pack, {}, async (url, requests) => {
    const source = await openUrl(url);
    assert.deepEqual(sizes(source), {
      "manifest.json": pack["manifest.json"].length,
      "tokenizer.json": 2,
      "text/0.safetensors": 3_000_000,
      "vision-1.safetensors": 5,
    });
    assert.ok(
      (await read(source, "manifest.json", 0, pack["manifest.json"].length)).equals(
        pack["manifest.json"],
      ),
    );
    same(await read(source, "text/0.safetensors", 0, 1_000_000), 0, 1_000_000);
    same(await read(source, "text/0.safetensors", 1_000_000, 2_000_000), 1_000_000, 2_000_000);
    assert.equal(String(await read(source, "vision-1.safetensors", 0, 5)), "12345");
    await source.close();
    assert.deepEqual(requests, [
      "GET manifest.json",
      "GET text/0.safetensors",
      "GET vision-1.safetensors",
    ]);
  }));

test("a checkpoint: sizes by HEAD; jumps by ranges; small gaps are read over", () =>
  serve(checkpoint, {}, async (url, requests) => {
    const source = await openUrl(url);
    assert.deepEqual(sizes(source), {
      "config.json": 7,
      "tokenizer.json": 2,
      "model.safetensors": 3_000_000,
    });
    requests.length = 0;
    same(await read(source, "model.safetensors", 0, 8), 0, 8);
    same(await read(source, "model.safetensors", 100, 1000), 100, 1000);
    same(await read(source, "model.safetensors", 2_000_000, 500_000), 2_000_000, 500_000);
    same(await read(source, "model.safetensors", 50, 10), 50, 10);
    await source.close();
    assert.deepEqual(requests, [
      "GET model.safetensors",
      "GET model.safetensors bytes=2000000-",
      "GET model.safetensors bytes=50-",
    ]);
  }));

test("a server that ignores ranges", () =>
  serve(checkpoint, { ranges: false }, async (url) => {
    const source = await openUrl(url);
    same(await read(source, "model.safetensors", 1_234_567, 1_000_000), 1_234_567, 1_000_000);
    same(await read(source, "model.safetensors", 10, 20), 10, 20);
    await source.close();
  }));

test("a server that compresses everything: sizes are those of the contents", () =>
  serve(checkpoint, { gzip: true, ranges: false }, async (url) => {
    const source = await openUrl(url);
    assert.deepEqual(sizes(source), {
      "config.json": 7,
      "tokenizer.json": 2,
      "model.safetensors": 3_000_000,
    });
    same(await read(source, "model.safetensors", 2_999_000, 1000), 2_999_000, 1000);
  }));

test("a server without HEAD", () =>
  serve(checkpoint, { head: false }, async (url) => {
    const source = await openUrl(url);
    assert.equal(sizes(source)["model.safetensors"], 3_000_000);
    same(await read(source, "model.safetensors", 5, 6), 5, 6);
    await source.close();
  }));

test("a server that answers unknown addresses with a page", () =>
  serve(checkpoint, { page: true }, async (url) => {
    assert.deepEqual(Object.keys(sizes(await openUrl(url))), [
      "config.json",
      "tokenizer.json",
      "model.safetensors",
    ]);
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
    await fails(openUrl(url), /no model at http.*manifest\.json: 404.*config\.json: 404/);
  }));

test("a server that is down", () =>
  serve(checkpoint, { down: true }, async (url) => {
    await fails(openUrl(url), /manifest\.json: 503/);
  }));

test("nobody answers", async () => {
  const error = await fails(
    openUrl("http://127.0.0.1:9/"),
    /127\.0\.0\.1:9\/manifest\.json: cannot be fetched/,
  );
  assert.ok(error.cause instanceof Error);
});

test("a transfer that breaks off again and again goes on where it ended", () =>
  serve(
    checkpoint,
    { breaks: [500_000, 100_000, 700_001], only: /model/ },
    async (url, requests) => {
      const source = await openUrl(url);
      requests.length = 0;
      same(await read(source, "model.safetensors", 0, 3_000_000), 0, 3_000_000);
      assert.deepEqual(requests, [
        "GET model.safetensors",
        ...[500_000, 600_000, 1_300_001].map((at) => `GET model.safetensors bytes=${at}-`),
      ]);
    },
  ));

test("the same from a server that ignores ranges: it begins anew, and what came is passed over", () =>
  serve(
    checkpoint,
    { ranges: false, breaks: [500_000, 1_100_000], only: /model/ },
    async (url, requests) => {
      const source = await openUrl(url);
      requests.length = 0;
      same(await read(source, "model.safetensors", 0, 3_000_000), 0, 3_000_000);
      assert.equal(requests.length, 3);
    },
  ));

test("a transfer that never gets further is given up, with as many attempts as there are pauses", () =>
  serve(checkpoint, { ranges: false, breakAfter: 500_000 }, async (url, requests) => {
    const source = await openUrl(url);
    requests.length = 0;
    await fails(
      read(source, "model.safetensors", 0, 3_000_000),
      /model\.safetensors: (broke off|ended) after 500000 bytes/,
    );
    assert.equal(requests.length, 1 + retry.backoffMs.length);
  }));

test("a transfer that stalls is taken up again", () =>
  serve(checkpoint, { stall: 1_000_000 }, async (url, requests) => {
    const source = await openUrl(url);
    requests.length = 0;
    same(await read(source, "model.safetensors", 0, 3_000_000), 0, 3_000_000);
    assert.deepEqual(requests, ["GET model.safetensors", "GET model.safetensors bytes=1000000-"]);
  }));

test("a server that is busy for a moment, or for good", () =>
  serve(checkpoint, {}, async (url, _, { habits }) => {
    const source = await openUrl(url);
    habits.busy = 3;
    same(await read(source, "model.safetensors", 0, 3_000_000), 0, 3_000_000);
    habits.busy = 100;
    await fails(read(source, "model.safetensors", 0, 3_000_000), /model\.safetensors: 503/);
  }));

test("a checkpoint that changes while it comes: no hash would tell", () =>
  serve(
    checkpoint,
    { breaks: [500_000], only: /model/, etags: ['"head"', '"1"', '"2"'] },
    async (url) => {
      const source = await openUrl(url);
      await fails(
        read(source, "model.safetensors", 0, 3_000_000),
        /model\.safetensors: changed during the download/,
      );
    },
  ));

test("a damaged manifest is asked for once more", () =>
  serve(pack, { flip: { path: "manifest.json", at: 40, times: 1 } }, async (url, requests) => {
    const source = await openUrl(url);
    assert.equal(source.files.length, 4);
    assert.deepEqual(requests, ["GET manifest.json", "GET manifest.json"]);
  }));

test("an address for each file: those of other names, and those that are left out", () =>
  serve({ "a1.json": pack["manifest.json"], "b2.bin": weights }, {}, async (url) => {
    const source = await openUrl({
      "manifest.json": `${url}a1.json`,
      "text/0.safetensors": `${url}b2.bin`,
      "tokenizer.json": "data:application/json,{}",
    });
    assert.deepEqual(Object.keys(sizes(source)).sort(), [
      "manifest.json",
      "text/0.safetensors",
      "tokenizer.json",
    ]);
    same(await read(source, "text/0.safetensors", 100, 2_000_000), 100, 2_000_000);
    assert.equal(String(await read(source, "tokenizer.json", 0, 2)), "{}");
    await source.close();
  }));

test("a file that is shorter than the manifest says", () =>
  serve({ ...pack, "text/0.safetensors": weights.subarray(0, 999) }, {}, async (url) => {
    const source = await openUrl(url);
    await fails(
      read(source, "text/0.safetensors", 0, 3_000_000),
      /0\.safetensors: ended after 999 bytes/,
    );
  }));

const manifests = {
  "not JSON": ["{", /not JSON/],
  "not an object": ["7", /not a JSON object/],
  "a path out of the folder": [
    JSON.stringify({ shards: [{ path: "../secret", bytes: 1 }] }),
    /not a plain relative path: "\.\.\/secret"/,
  ],
  "an absolute path": [
    JSON.stringify({ shards: [{ path: "/etc/passwd", bytes: 1 }] }),
    /not a plain relative path/,
  ],
  "an address": [
    JSON.stringify({ shards: [{ path: "http://evil/x", bytes: 1 }] }),
    /not a plain relative path/,
  ],
  "no size": [JSON.stringify({ shards: [{ path: "a" }] }), /no size for a/],
};
for (const [name, [text, pattern]] of Object.entries(manifests))
  test(`a manifest with ${name}`, () =>
    serve({ "manifest.json": Buffer.from(text) }, {}, async (url) => {
      await fails(openUrl(url), pattern, "corrupt-model");
    }));

const small = { ...checkpoint, "model.safetensors": weights.subarray(0, 50_000) };

test("load() from a URL, with and without the slash at the end", () =>
  serve(small, {}, async (url) => {
    const sum = Object.values(small)
      .flatMap((bytes) => [...bytes])
      .reduce((total, byte) => total + byte, 0);
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
    assert.equal(
      await rejection(loadFake({ model: url, signal: abort.signal, onProgress })),
      reason,
    );
  }));
