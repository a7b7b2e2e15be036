// What comes from an iframe is of another realm, where each class is another one. All of it is taken.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser } from "./demo/pages.mjs";
import { serveRepository } from "./package/server.mjs";

let browser, server, page;
before(async () => {
  [browser, server] = await Promise.all([launchBrowser(), serveRepository({ isolated: false })]);
  page = await browser.newPage();
  await page.goto(`${server.url}tests/browser/package/page.html`);
  await page.waitForFunction(() => window.ready);
  await page.evaluate(() => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    window.other = frame.contentWindow;
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("addresses, options, texts, vectors, pictures and signals of an iframe", async () => {
  const found = await page.evaluate(async () => {
    const { other } = window;
    const model = new other.URL("/tests/data/golden-a/", location.href);
    const embedder = await window.clipglot.load(
      Object.assign(new other.Object(), {
        model,
        variant: "simd",
        towers: other.Array.of("text", "vision"),
      }),
    );
    const result = { foreign: !(model instanceof URL) };
    const batch = await embedder.embedTexts(other.Array.of("cat", "dog"));
    const index = await embedder.createIndex();
    await index.add(
      other.Array.of(
        { id: "cat", vector: new other.Float32Array(batch.row(0)) },
        { id: "dog", vector: new other.Float32Array(batch.row(1)) },
      ),
    );
    result.first = (await index.search(new other.Float32Array(batch.row(1)), { k: 1 }))[0].id;
    const pixels = { data: new other.Uint8ClampedArray(400).fill(90), width: 10, height: 10 };
    const own = await embedder.embedImage({ ...pixels, data: new Uint8ClampedArray(pixels.data) });
    const inputs = [pixels, new other.ImageData(new other.Uint8ClampedArray(pixels.data), 10, 10)];
    result.pictures = [];
    for (const input of inputs)
      result.pictures.push(
        (await embedder.embedImage(input)).vector.every((value, i) => value === own.vector[i]),
      );
    const control = new other.AbortController();
    const reason = new other.TypeError("theirs");
    const running = embedder.embedTexts(Array(50).fill("cat"), { signal: control.signal });
    control.abort(reason);
    result.reason = await running.then(
      () => "resolved",
      (error) => error === reason,
    );
    result.callback = await embedder
      .embedTexts(["a"], {
        onProgress: () => {
          throw reason;
        },
      })
      .catch(({ code, detail }) => [code, detail]);
    const source = {
      list: async () => other.Array.of({ path: "config.json", byteLength: 4 }),
      read: async () => new other.Uint8Array(4),
    };
    result.source = await window.clipglot
      .load({ model: source, variant: "simd" })
      .catch(({ name, code }) => [name, code]);
    await embedder.dispose();
    return result;
  });
  assert.deepEqual(found, {
    foreign: true,
    first: "dog",
    pictures: [true, true],
    reason: true,
    callback: ["invalid-argument", "onProgress threw: theirs"],
    source: ["EmbedError", "corrupt-model"],
  });
});

test("addresses that are none, and values that cannot be sent, are told by name", async () => {
  const found = await page.evaluate(async () => {
    const told = (promise) =>
      promise.then(
        () => "resolved",
        ({ name, code, detail }) => [name, code, detail.slice(0, 22)],
      );
    const { load, listCached, deleteCached } = window.clipglot;
    // Like Files, and read on this side: they cannot be sent to a worker.
    const like = (arrayBuffer) =>
      ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"].map(
        (name) => ({ name, size: 5, slice: () => ({ size: 5, f() {} }), arrayBuffer }),
      );
    return [
      await told(load({ model: "http://" })),
      await told(load({ assetBase: "http://" })),
      await told(load({ model: { files: { "config.json": "http://" } } })),
      await told(load({ cache: "folder" })),
      await told(load({ cache: {} })),
      await told(deleteCached("http://")),
      await told(deleteCached({})),
      await told(listCached({ cach: 1 })),
      await told(load({ model: like(async () => new ArrayBuffer(5)), variant: "simd" })),
      await told(
        load({
          model: like(async () => {
            throw new Error("gone");
          }),
          variant: "simd",
        }),
      ),
    ];
  });
  assert.deepEqual(
    found.splice(-2).map(([name, code]) => [name, code]),
    [
      ["EmbedError", "corrupt-model"],
      ["EmbedError", "unreadable"],
    ],
  );
  for (const [name, code] of found)
    assert.deepEqual([name, code], ["EmbedError", "invalid-argument"], JSON.stringify(found));
});
