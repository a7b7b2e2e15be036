// Damaged and odd pictures on the product's path: load() and embedImage() in Node. Where PIL opens a file, its vector is that of
// PIL's pixels; where PIL refuses, there is a clear error.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { load } from "clipglot";
import { openEngine } from "../../tools/lib/direct-engine.mjs";
import { rejection } from "./support/fake.mjs";

const folder = fileURLToPath(new URL("../data/golden-a", import.meta.url));
const data = (name) => new URL(`../data/cases/${name}`, import.meta.url);
const expected = JSON.parse(readFileSync(data("expected.json")));

// What the error of a file that PIL refuses must speak of.
const refusals = {
  "02-jpeg-no-dqt.jpg": /JPEG/,
  "03-webp-16383x16383-38-bytes.webp": /^WebP: this Node has no decoder/,
  "22-webp-cut.webp": /^cut WebP: it ends at byte 972 of 1944/,
  "24-bmp-rle8-cut.bmp": /BMP/,
  "26-heic.heic": /^HEIC photo: this Node has no decoder/,
};

let embedder, direct;
before(async () => {
  embedder = await load({ model: folder, variant: "simd", towers: ["vision"], dtype: "f32" });
  direct = await openEngine({ variant: "simd", folder, towers: ["vision"], dtype: "f32" });
});
after(async () => {
  direct?.dispose();
  await embedder?.dispose();
});

describe("cases", () => {
  for (const [name, { pil, size, rgb_sha256 }] of Object.entries(expected)) {
    test(`${name}: PIL ${pil} it`, async () => {
      const file = new Uint8Array(readFileSync(data(name)));
      if (pil === "refuses") {
        const error = await rejection(embedder.embedImage(file));
        assert.equal(error.code, "invalid-image");
        assert.match(error.detail, refusals[name]);
        return;
      }
      const { vector, stages } = direct.traced((engine) => engine.embedImage(file));
      const rgb = stages.get("decoded_rgb");
      const [height, width] = rgb.shape;
      assert.deepEqual([width, height], size);
      assert.equal(createHash("sha256").update(rgb.data).digest("hex"), rgb_sha256);
      const product = await embedder.embedImage(new File([file], name));
      assert.equal(product.decoder, "core");
      assert.deepEqual(product.vector, vector);
      const rgba = new Uint8Array(width * height * 4).fill(255);
      for (let i = 0; i < width * height; i++) rgba.set(rgb.data.subarray(3 * i, 3 * i + 3), 4 * i);
      assert.deepEqual((await embedder.embedImage({ data: rgba, width, height })).vector, vector);
    });
  }
});
