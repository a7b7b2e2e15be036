// How the worker handles a picture: which decoder is asked, under which limits, and what is said when none can. The engine and
// the platform's decoder are stand-ins; and the headers by which sizes are known.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { EmbedError } from "clipglot";
import { sniff } from "../../dist/js/shared/image-format.js";
import { pictureSize } from "../../dist/js/shared/image-size.js";
import { upright } from "../../dist/js/shared/upright.js";
import { webpOrientation } from "../../dist/js/shared/webp-orientation.js";
import { embedPicture } from "../../dist/js/worker/image-road.js";
import { rejection } from "./support/fake.mjs";

const data = (path) => new Uint8Array(readFileSync(new URL(`../data/${path}`, import.meta.url)));
const bytesPayload = (bytes) => ({ kind: "bytes", bytes });
const settings = {
  dimensions: 0,
  normalized: true,
  ignoreOrientation: false,
  grid: 0,
  scaleGray16: false,
};
const result = (numbers) => ({
  vector: Float32Array.from(numbers),
  tokens: 0,
  totalTokens: 0,
  truncated: false,
  unknownTokens: 0,
  warnings: [],
});
const engineThat = (encoded) => ({
  embedEncodedImage: encoded,
  embedPixels: (bytes, width, height) => result([bytes.length, width, height]),
});
const refusing = (error) =>
  engineThat(() => {
    throw error;
  });
const showing = (asked) => ({
  decode: async (file, ignore) => {
    asked.push([file.length, ignore]);
    return { bytes: new Uint8Array(24), width: 3, height: 2 };
  },
});
const damaged = new EmbedError("invalid-image", "damaged JPEG: scan");
const jpeg = data("images/jpeg_420.jpg");

test("a file of its own that the engine refuses goes to the platform's decoder, under the limit", async () => {
  const asked = [];
  const { answer } = await embedPicture(
    refusing(damaged),
    showing(asked),
    1e6,
    bytesPayload(jpeg),
    { ...settings, ignoreOrientation: true },
  );
  assert.deepEqual([answer.decoder, ...answer.vector], ["browser", 24, 3, 2]);
  assert.deepEqual(asked, [[jpeg.length, true]]);
  for (const [maxPixels, file] of [
    [100, jpeg],
    [1e6, jpeg.subarray(0, 100)],
    [1e6, data("images/png_rgb8.png").subarray(0, 18)],
  ]) {
    // Too many pixels by its header, or no header to trust.
    assert.equal(
      await rejection(
        embedPicture(refusing(damaged), showing(asked), maxPixels, bytesPayload(file), settings),
      ),
      damaged,
    );
  }
  assert.equal(asked.length, 1);
});

test("what is not the file's fault goes to nobody else", async () => {
  const asked = [];
  for (const error of [
    new EmbedError("out-of-memory", "no room"),
    new EmbedError("not-loaded", "vision"),
    new Error("cancelled"),
  ]) {
    assert.equal(
      await rejection(
        embedPicture(refusing(error), showing(asked), 1e6, bytesPayload(jpeg), settings),
      ),
      error,
    );
  }
  assert.equal(
    await rejection(embedPicture(refusing(damaged), {}, 1e6, bytesPayload(jpeg), settings)),
    damaged,
  ); // in Node
  assert.equal(asked.length, 0);
});

test("reasons of all decoders are named", async () => {
  const boom = new DOMException("The source image could not be decoded.", "InvalidStateError");
  const platform = {
    decode: async () => {
      throw boom;
    },
    readBitmap: async () => {
      throw boom;
    },
  };
  for (const [payload, detail] of [
    [
      bytesPayload(jpeg),
      "damaged JPEG: scan; the browser's decoder refuses it too: The source image could not be decoded.",
    ],
    [
      bytesPayload(data("formats/opaque.webp")),
      "WebP: the browser's decoder refuses it: The source image could not be decoded.",
    ],
    [
      { kind: "bitmap", bitmap: {} },
      "the ImageBitmap cannot be read: The source image could not be decoded.",
    ],
  ]) {
    const error = await rejection(
      embedPicture(refusing(damaged), platform, 1e6, payload, settings),
    );
    assert.deepEqual([error.code, error.detail, error.cause], ["invalid-image", detail, boom]);
  }
});

test("what the platform's decoder gives is looked at, too", async () => {
  const platform = {
    decode: async () => ({ bytes: new Uint8Array(4), width: 2000, height: 1000 }),
  };
  const error = await rejection(
    embedPicture(engineThat(), platform, 1e6, bytesPayload(data("formats/opaque.webp")), settings),
  );
  assert.match(error.detail, /^2000 × 1000 pixels are more than the limit of 1000000/);
});

test("sizes by headers: of every picture of the tests", () => {
  const expected = JSON.parse(
    readFileSync(new URL("../data/formats/expected.json", import.meta.url)),
  );
  const sizeOf = (file) => pictureSize(file, sniff(file, file.length));
  const names = readdirSync(new URL("../data/formats", import.meta.url)).filter((name) =>
    /\.(webp|tif|avif)$/.test(name),
  );
  for (const extension of [".webp", ".tif", ".avif"])
    assert.ok(
      names.some((name) => name.endsWith(extension)),
      extension,
    );
  for (const name of names) {
    const size = sizeOf(data(`formats/${name}`));
    const wanted = expected[name]?.size ?? [80, 60];
    assert.equal(size.width * size.height, wanted[0] * wanted[1], name);
  }
  for (const [name, width, height] of [
    ["jpeg_420.jpg", 45, 37],
    ["jpeg_5x1.jpg", 5, 1],
    ["png_2x5_interlaced.png", 2, 5],
    ["bmp_32_top_down.bmp", 13, 6],
    ["gif_palette.gif", 41, 23],
  ]) {
    assert.deepEqual(sizeOf(data(`images/${name}`)), { width, height }, name);
  }
});

test("sizes by headers: wherever the file is cut, and whatever byte is wrong, there is an answer or none", () => {
  for (const name of [
    "formats/hidden_exif6.webp",
    "formats/lossy_alpha.webp",
    "formats/plain.avif",
    "formats/rgb.tif",
    "images/jpeg_420.jpg",
    "images/bmp_rgb.bmp",
  ]) {
    const file = data(name);
    const format = sniff(file, file.length);
    for (let i = 0; i < Math.min(file.length, 700); i++) {
      pictureSize(file.subarray(0, i), format);
      webpOrientation(file.subarray(0, i));
      for (const value of [0, 255]) {
        const other = file.slice();
        other[i] = value;
        pictureSize(other, format);
        webpOrientation(other);
        sniff(other, other.length);
      }
    }
  }
});

test("JPEG XL: small sizes, large ones, ratios, and in a container", () => {
  const stream = (...fields) => {
    const bytes = new Uint8Array(16);
    bytes.set([0xff, 0x0a]);
    let bit = 16;
    for (const [value, count] of fields)
      for (let i = 0; i < count; i++, bit++) bytes[bit >> 3] |= ((value >> i) & 1) << (bit & 7);
    return bytes;
  };
  const boxed = (bytes) =>
    Uint8Array.from([
      0,
      0,
      0,
      12,
      0x4a,
      0x58,
      0x4c,
      0x20,
      13,
      10,
      0x87,
      10,
      0,
      0,
      0,
      8 + bytes.length,
      0x6a,
      0x78,
      0x6c,
      0x63,
      ...bytes,
    ]);
  for (const [bytes, width, height] of [
    [stream([1, 1], [4, 5], [1, 3]), 40, 40],
    [stream([1, 1], [4, 5], [0, 3], [9, 5]), 80, 40],
    [stream([0, 1], [1, 2], [999, 13], [7, 3]), 2000, 1000],
    [stream([0, 1], [0, 2], [299, 9], [0, 3], [2, 2], [99_999, 18]), 100_000, 300],
  ])
    for (const file of [bytes, boxed(bytes)])
      assert.deepEqual(pictureSize(file, sniff(file, file.length)), { width, height });
});

test("turning upright: all eight orientations", () => {
  const pixels = {
    bytes: Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap((value) => [value, 0, 0, 255])),
    width: 3,
    height: 2,
  };
  const wanted = {
    1: "3 123456",
    2: "3 321654",
    3: "3 654321",
    4: "3 456123",
    5: "2 142536",
    6: "2 415263",
    7: "2 635241",
    8: "2 362514",
    9: "3 123456",
  };
  for (const [orientation, text] of Object.entries(wanted)) {
    const { bytes, width } = upright(pixels, Number(orientation));
    assert.equal(
      `${width} ${Array.from(bytes)
        .filter((_, i) => i % 4 === 0)
        .join("")}`,
      text,
      orientation,
    );
  }
});
