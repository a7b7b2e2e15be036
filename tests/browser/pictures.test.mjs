// Pictures through the browser's decoder, in headless Chromium: the same guards and, where PIL is the judge, the same pixels.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sharpDecoder } from "clipglot/sharp";
import { launchBrowser } from "./demo/pages.mjs";
import { serveRepository } from "./package/server.mjs";

const folder = mkdtempSync(join(tmpdir(), "clipglot-pictures-"));
let server, browser, page;
before(async () => {
  server = await serveRepository({ isolated: false });
  browser = await launchBrowser();
  page = await browser.newPage();
  await page.goto(`${server.url}tests/browser/package/page.html`);
  await page.waitForFunction(() => window.ready);
  await page.evaluate(async () => {
    window.embedder = await window.clipglot.load({ variant: "simd", towers: ["vision"] });
    window.bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    window.embed = async (input, options) => {
      try {
        const { vector, decoder } = await window.embedder.embedImage(input, options);
        return { vector: [...vector], decoder };
      } catch ({ name, code, detail, cause }) {
        return { name, code, detail, cause: cause && `${cause.name}: ${cause.message}` };
      }
    };
    window.embedFile = (text, options) => window.embed(window.bytes(text), options);
    window.embedPixels = (text, width, height) =>
      window.embed({ data: window.bytes(text), width, height });
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true });
});

const read = (name) => new Uint8Array(readFileSync(new URL(`../data/${name}`, import.meta.url)));
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const embedFile = (bytes, options) =>
  page.evaluate(([text, given]) => window.embedFile(text, given), [base64(bytes), options]);
const embedPixels = ({ data, width, height }) =>
  page.evaluate((given) => window.embedPixels(...given), [base64(data), width, height]);
// That these are PIL's pixels is judged in tests/js/sharp.test.mjs.
const decode = sharpDecoder();
const pixelsOf = (bytes, mime, orientation = "exif") =>
  decode(bytes, mime, { orientation, maxPixels: 64e6 });
const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

for (const name of [
  "opaque",
  "hidden",
  "animated",
  "exif2",
  "exif3",
  "exif4",
  "exif5",
  "exif6",
  "exif7",
  "exif8",
  "hidden_exif6",
]) {
  test(`${name}.webp: PIL's pixels, upright and as stored`, async () => {
    const file = read(`formats/${name}.webp`);
    for (const orientation of ["exif", "ignore"]) {
      const found = await embedFile(file, { orientation });
      assert.equal(found.decoder, "browser", found.detail);
      assert.deepEqual(
        found.vector,
        (await embedPixels(await pixelsOf(file, "image/webp", orientation))).vector,
        orientation,
      );
    }
  });
}

test("lossy WebP and AVIF: near what other decoders give", async () => {
  for (const name of ["lossy.webp", "lossy_alpha.webp", "plain.avif", "alpha.avif"]) {
    const file = read(`formats/${name}`);
    const found = await embedFile(file);
    assert.equal(found.decoder, "browser", `${name}: ${found.detail}`);
    const near = cosine(
      found.vector,
      (await embedPixels(await pixelsOf(file, name.endsWith("avif") ? "image/avif" : "image/webp")))
        .vector,
    );
    assert.ok(near > 0.999, `${name}: cosine ${near}`);
  }
});

test("a picture beyond the limit is refused by its header, whatever the format", async () => {
  const avif = read("formats/plain.avif");
  const place = Buffer.from(avif).indexOf("ispe") + 8;
  new DataView(avif.buffer).setUint32(place, 60_000);
  new DataView(avif.buffer).setUint32(place + 4, 60_000);
  const jxl = new Uint8Array(40); // not small; 2^18 − 1 high: selector 2, 18 bits; ratio 1: as wide
  jxl.set([0xff, 0x0a, 0b11111100, 0xff, 0b00111111]);
  const tiff = Uint8Array.from([
    0x49, 0x49, 42, 0, 8, 0, 0, 0, 2, 0, 0, 1, 4, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1, 4, 0, 1, 0, 0, 0,
    0, 0, 1, 0,
  ]);
  const icon = new Uint8Array(62);
  icon.set([
    0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 32, 0, 40, 0, 0, 0, 22, 0, 0, 0, 0x89, 0x50, 0x4e, 0x47, 13,
    10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 1, 0, 0, 0, 1, 0, 0,
  ]);
  const files = {
    "16383 × 16383": read("cases/03-webp-16383x16383-38-bytes.webp"),
    "60000 × 60000": avif,
    "[0-9]{5,6} × [0-9]{5,6}": jxl,
    "65536 × 65536 ": tiff,
    "65536 × 65536": icon,
  };
  for (const [size, file] of Object.entries(files)) {
    const { code, detail } = await embedFile(file);
    assert.equal(code, "invalid-image", size);
    assert.match(detail, new RegExp(`^${size.trim()} pixels are more than the limit of 64000000`));
  }
  const { detail } = await embedFile(avif.subarray(0, 30));
  assert.match(detail, /^AVIF: its header does not tell its size/);
});

test("ImageBitmaps keep the colours that they have; closed ones are named", async () => {
  const result = await page.evaluate(
    async (text) => {
      const width = 2100,
        height = 30; // more than one tile
      const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
        i % 4 === 3 ? [0, 255, 128, 1][(i >> 2) % 4] : (i * 37) % 251,
      );
      const wide = await createImageBitmap(new ImageData(data.slice(), width, height), {
        premultiplyAlpha: "none",
      });
      const small = await createImageBitmap(new Blob([window.bytes(text)]), {
        premultiplyAlpha: "none",
        colorSpaceConversion: "none",
      });
      const premultiplied = await createImageBitmap(new Blob([window.bytes(text)]));
      const closed = await createImageBitmap(new Blob([window.bytes(text)]));
      closed.close();
      const found = [];
      for (const input of [wide, { data, width, height }, small, premultiplied, closed])
        found.push(await window.embed(input));
      return { found, widths: [wide.width, small.width] };
    },
    base64(read("formats/hidden.webp")),
  );
  const [wide, pixels, small, premultiplied, closed] = result.found;
  assert.deepEqual(wide.vector, pixels.vector);
  assert.deepEqual(
    small.vector,
    (await embedPixels(await pixelsOf(read("formats/hidden.webp"), "image/webp"))).vector,
  );
  assert.equal(premultiplied.decoder, "browser");
  assert.equal(closed.code, "invalid-image");
  assert.match(closed.detail, /closed or transferred/);
  assert.deepEqual(result.widths, [2100, 37]); // they are not detached
});

test("what the browser shows of the engine's own formats, the package takes, damaged or not", async () => {
  const all = { shown: 0, not: 0 };
  for (const name of readdirSync(new URL("../data/cases", import.meta.url)).filter((name) =>
    /\.(jpg|png|gif|bmp)$/.test(name),
  )) {
    const { shown, found } = await page.evaluate(
      async (text) => {
        const shown = await createImageBitmap(new Blob([window.bytes(text)])).then(
          () => true,
          () => false,
        );
        return { shown, found: await window.embedFile(text) };
      },
      base64(read(`cases/${name}`)),
    );
    all[shown ? "shown" : "not"]++;
    if (shown) assert.match(found.decoder ?? found.detail, /^(core|browser)$/, name);
  }
  assert.ok(all.shown > 0, `${all.not} files, none of which the browser shows`);
});

test("where both refuse, both are heard", async () => {
  const bmp = read("images/bmp_rgb.bmp");
  const { code, detail, cause } = await embedFile(bmp.subarray(0, bmp.length / 2));
  assert.equal(code, "invalid-image");
  assert.match(detail, /BMP.*; the browser's decoder refuses it too: ./);
  assert.match(cause, /InvalidStateError|EncodingError/);
  const webp = read("formats/opaque.webp").fill(7, 30);
  const refused = await embedFile(webp);
  assert.match(refused.detail, /^WebP: the browser's decoder refuses it: ./);
  assert.match(refused.cause, /InvalidStateError|EncodingError/);
});

test("what no browser decodes is named and not copied", async () => {
  const found = await page.evaluate(async () => {
    const video = new Uint8Array(500_000_000);
    video.set(new TextEncoder().encode("\0\0\0\u0020ftypisom"));
    const before = (await window.embedder.diagnostics()).heapBytes;
    const results = [
      await window.embed(video),
      await window.embed(new Blob([video])),
      await window.embed(new File(["<!doctype html>"], "cat.jpg")),
      await window.embed(Uint8Array.of(1, 2, 3)),
    ];
    return { results, grown: (await window.embedder.diagnostics()).heapBytes - before };
  });
  assert.deepEqual(
    found.results.map(({ code }) => code),
    Array(4).fill("invalid-image"),
  );
  for (const [i, pattern] of [
    /^video \(MP4\)/,
    /^video \(MP4\)/,
    /^HTML page: .*\("cat\.jpg"\)/,
    /begins with 01 02 03/,
  ].entries())
    assert.match(found.results[i].detail, pattern);
  assert.equal(found.grown, 0);
});

test("a picked file that was removed or changed is named; one of another realm is taken", async () => {
  const jpeg = read("images/jpeg_420.jpg");
  const pick = async (name, change) => {
    const path = join(folder, name);
    writeFileSync(path, jpeg);
    await page.evaluate(() => {
      document.body.innerHTML = "<input type=file>";
    });
    await page.setInputFiles("input", path);
    change?.(path);
    return page.evaluate(() => window.embed(document.querySelector("input").files[0]));
  };
  assert.equal((await pick("cat.jpg")).decoder, "core");
  for (const [name, change] of [
    ["gone.jpg", (path) => rmSync(path)],
    ["changed.jpg", (path) => writeFileSync(path, jpeg.subarray(0, 300))],
  ]) {
    const { code, detail, cause } = await pick(name, change);
    assert.equal(code, "unreadable");
    assert.match(detail, new RegExp(`^"${name}" (cannot be read|changed)`));
    if (name === "gone.jpg") assert.match(cause, /NotFoundError|NotReadableError/);
  }
  const foreign = await page.evaluate(async (text) => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    const { Blob: ForeignBlob, Uint8Array: ForeignBytes } = frame.contentWindow;
    const bytes = ForeignBytes.from(window.bytes(text));
    return [
      await window.embed(new ForeignBlob([bytes])),
      await window.embed(bytes),
      await window.embed({ bytes }),
    ];
  }, base64(jpeg));
  for (const { decoder, detail } of foreign) assert.equal(decoder, "core", detail);
});

test("picked model files that were removed: unreadable, with their name", async () => {
  const path = join(folder, "config.json");
  writeFileSync(path, "{}");
  await page.evaluate(() => {
    document.body.innerHTML = "<input type=file>";
  });
  await page.setInputFiles("input", path);
  rmSync(path);
  const { code, detail } = await page.evaluate(() =>
    window.clipglot
      .load({ model: document.querySelector("input").files, variant: "simd" })
      .catch(({ code, detail }) => ({ code, detail })),
  );
  assert.equal(code, "unreadable");
  assert.match(detail, /^config\.json: cannot be read; was it removed/);
});

test("a decoder of the user's own goes before the browser's", async () => {
  const found = await page.evaluate(
    async (text) => {
      const asked = [];
      const embedder = await window.clipglot.load({
        variant: "simd",
        towers: ["vision"],
        decode: (bytes, mime, { orientation }) => {
          asked.push([bytes.length, mime, orientation]);
          return asked.length === 1 ? { data: new Uint8Array(16), width: 2, height: 2 } : undefined;
        },
      });
      const decoders = [
        (await embedder.embedImage(window.bytes(text))).decoder,
        (await embedder.embedImage(window.bytes(text))).decoder,
      ];
      await embedder.dispose();
      return { asked, decoders };
    },
    base64(read("formats/opaque.webp")),
  );
  assert.deepEqual(found.decoders, ["custom", "browser"]);
  assert.deepEqual(
    found.asked,
    Array(2).fill([read("formats/opaque.webp").length, "image/webp", "exif"]),
  );
});
