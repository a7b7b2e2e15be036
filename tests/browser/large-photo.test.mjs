// A photo of 40 megapixels embeds, baseline and progressive, and takes at most 400 MB more of the heap.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser } from "./demo/pages.mjs";
import { serveRepository } from "./package/server.mjs";

const limit = 400e6;
let browser, server, page;
before(async () => {
  server = await serveRepository({ isolated: false });
  browser = await launchBrowser();
  page = await browser.newPage();
  await page.goto(`${server.url}tests/browser/package/page.html`);
  await page.waitForFunction(() => window.ready);
  // The browser encodes baseline files only.
  await page.evaluate(() => {
    window.photo = async (width, height) => {
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      const sky = context.createLinearGradient(0, 0, width, height);
      sky.addColorStop(0, "#f52");
      sky.addColorStop(1, "#26c");
      context.fillStyle = sky;
      context.fillRect(0, 0, width, height);
      for (let i = 0; i < 400; i++) {
        context.fillStyle = `hsl(${i * 37} 60% 50%)`;
        context.fillRect((i * 7919) % width, (i * 6101) % height, 300, 200);
      }
      return new Uint8Array(
        await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 })).arrayBuffer(),
      );
    };
    window.embed = async (file) => {
      const embedder = await window.clipglot.load({
        variant: "simd",
        towers: ["vision"],
        dtype: "q8",
      });
      const before = (await embedder.diagnostics()).heapBytes;
      const { vector, decoder } = await embedder
        .embedImage(file)
        .catch((error) => ({ vector: error.code, decoder: error.detail }));
      const grown = (await embedder.diagnostics()).heapBytes - before;
      await embedder.dispose();
      return { vector: [...vector].join(), decoder, grown };
    };
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("baseline", async () => {
  const { decoder, grown } = await page.evaluate(async () =>
    window.embed(await window.photo(8000, 5000)),
  );
  assert.equal(decoder, "core");
  assert.ok(grown <= limit, `${grown} bytes`);
});

test("progressive", async () => {
  const file = [...flatProgressive(8000, 5000)];
  const { decoder, grown, vector } = await page.evaluate(
    (bytes) => window.embed(Uint8Array.from(bytes)),
    file,
  );
  assert.equal(decoder, "core", vector);
  assert.ok(grown <= limit, `${grown} bytes`);
});

test("more than 64 megapixels are refused before anything is decoded", async () => {
  const { vector, decoder, grown } = await page.evaluate(async () =>
    window.embed(await window.photo(9000, 8000)),
  );
  assert.equal(vector.replaceAll(",", ""), "invalid-image");
  assert.match(decoder, /72000000|9000/);
  assert.ok(grown <= 10e6, `${grown} bytes`);
});

/**
 * A progressive JPEG in three colours with full sampling: one scan for the DC of all components, then one AC scan for each.
 * Every coefficient is zero, so that the file stays small; the decoder's buffers do not depend on that.
 */
function flatProgressive(width, height) {
  const marker = (code, ...bytes) =>
    Buffer.from([0xff, code, (bytes.length + 2) >> 8, (bytes.length + 2) & 255, ...bytes]);
  const zeros = (bits) =>
    Buffer.concat([
      Buffer.alloc(bits >> 3),
      bits % 8 ? Buffer.from([(1 << (8 - (bits % 8))) - 1]) : Buffer.alloc(0),
    ]);
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  const oneCode = (table) => marker(0xc4, table, 1, ...Array(15).fill(0), 0); // "0": DC difference 0, or end of block
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    marker(0xdb, 0, ...Array(64).fill(1)),
    marker(
      0xc2,
      8,
      height >> 8,
      height & 255,
      width >> 8,
      width & 255,
      3,
      1,
      0x11,
      0,
      2,
      0x11,
      0,
      3,
      0x11,
      0,
    ),
    oneCode(0x00),
    oneCode(0x10),
    marker(0xda, 3, 1, 0, 2, 0, 3, 0, 0, 0, 0),
    zeros(blocks * 3),
    ...[1, 2, 3].flatMap((component) => [marker(0xda, 1, component, 0, 1, 63, 0), zeros(blocks)]),
    Buffer.from([0xff, 0xd9]),
  ]);
}
