// The user's own decoder: when it is asked, what it gets, what is checked of its answer. With the stand-in engine, which
// refuses a JPEG of 13 bytes as damaged.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failsWith, loadFake, rejection } from "./support/fake.mjs";

const ascii = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const webp = ascii(
  "RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\x03\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
); // says 4 × 2
const hugeWebp = ascii(
  "RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\xfe\xbf\xff\x0f\x07\x50\x99\x22\x57\xa1\xff\x81\x88\xe8\x7f\0\0",
); // 16383 × 16383
const jpeg = (length) => {
  const bytes = new Uint8Array(length);
  bytes.set([255, 216, 255]);
  return bytes;
};
const pixels = (width, height) => ({
  data: new Uint8ClampedArray(width * height * 4),
  width,
  height,
});

async function withHook(decode, use, options = {}) {
  const asked = [];
  const embedder = await loadFake({
    decode: (...given) => {
      asked.push(given);
      return decode(...given);
    },
    ...options,
  });
  try {
    await use(embedder, asked);
  } finally {
    await embedder.dispose();
  }
}

test("it is asked for what the engine does not know, with its own bytes and what it needs to know", async () => {
  await withHook(
    (bytes) => {
      bytes.fill(0);
      return pixels(4, 2);
    },
    async (embedder, asked) => {
      const given = webp.slice();
      const image = await embedder.embedImage(given);
      assert.deepEqual([...image.vector.subarray(0, 3)], [32, 4, 2]);
      assert.equal(image.decoder, "custom");
      assert.deepEqual(given, webp); // the hook wrote into its own copy
      await embedder.embedImage(new Blob([ascii("8BPS\0\x01")]), { orientation: "ignore" });
      await embedder.embedImage(
        new File([Uint8Array.of(1, 2, 3, 254)], "x", { type: "image/x-mine" }),
      );
      await embedder.embedImage(Uint8Array.of(1, 2, 3, 254));
      assert.deepEqual(
        asked.map(([bytes, mime, request]) => [
          bytes.length,
          mime,
          request.orientation,
          request.maxPixels,
        ]),
        [
          [webp.length, "image/webp", "exif", 64e6],
          [6, "image/vnd.adobe.photoshop", "ignore", 64e6],
          [4, "image/x-mine", "exif", 64e6],
          [4, "application/octet-stream", "exif", 64e6],
        ],
      );
      const { vector, decoder } = await embedder.embedImage(jpeg(7));
      assert.deepEqual([vector[0], decoder, asked.length], [7, "core", 4]); // the engine's own formats do not come to it
      const many = await embedder.embedImages([webp, jpeg(5)]);
      assert.deepEqual([many.data[0], many.data[8]], [32, 5]);
    },
  );
});

test("a file of the engine's own formats that it refuses goes to it; if it gives nothing, the engine's word stands", async () => {
  await withHook(
    async (bytes) => (bytes.length === 13 ? pixels(2, 2) : undefined),
    async (embedder, asked) => {
      for (const input of [jpeg(13), new Blob([jpeg(13)])]) {
        const { vector, decoder } = await embedder.embedImage(input);
        assert.deepEqual([vector[0], decoder], [16, "custom"]);
      }
      assert.deepEqual(
        asked.map(([bytes, mime]) => [bytes.length, mime]),
        [
          [13, "image/jpeg"],
          [13, "image/jpeg"],
        ],
      );
    },
  );
  await withHook(
    () => null,
    async (embedder) => {
      await failsWith(embedder.embedImage(jpeg(13)), "invalid-image", /^damaged$/);
      await failsWith(
        embedder.embedImages([jpeg(3), webp]),
        "invalid-image",
        /^images\[1\]: WebP: .*; decode gave nothing$/,
      );
      assert.equal((await embedder.embedImage(jpeg(3))).vector[0], 3);
    },
  );
});

test("it is not asked for what is beyond the limits", async () => {
  await withHook(
    () => pixels(2, 2),
    async (embedder, asked) => {
      await failsWith(
        embedder.embedImage(hugeWebp),
        "invalid-image",
        /16383 × 16383 pixels are more than the limit/,
      );
      const big = jpeg(13); // a frame header of 60000 × 60000
      big.set([255, 192, 0, 11, 8, 234, 96, 234, 96, 1], 3);
      await failsWith(embedder.embedImage(big), "invalid-image", /^damaged$/);
      assert.equal(asked.length, 0);
    },
  );
});

test("its errors are the cause; its answer is checked", async () => {
  const boom = new Error("no such codec");
  for (const decode of [
    () => {
      throw boom;
    },
    async () => {
      throw boom;
    },
  ]) {
    await withHook(decode, async (embedder) => {
      assert.equal(
        (
          await failsWith(
            embedder.embedImage(webp),
            "invalid-image",
            /^WebP: decode failed: no such codec$/,
          )
        ).cause,
        boom,
      );
      assert.equal(
        (
          await failsWith(
            embedder.embedImage(jpeg(13)),
            "invalid-image",
            /^damaged; JPEG: decode failed: no such codec$/,
          )
        ).cause,
        boom,
      );
    });
  }
  const answers = [
    [7, "invalid-argument", /decode must give \{ data, width, height \}, not 7/],
    [{}, "invalid-argument", /decode must give/],
    ["x", "invalid-argument", /decode must give/],
    [{ data: [1], width: 1, height: 1 }, "invalid-argument", /decode\.data/],
    [{ data: new Uint8Array(3), width: 1, height: 1 }, "invalid-argument", /3 bytes a pixel/],
    [{ data: new Uint8Array(4), width: 1.5, height: 1 }, "invalid-argument", /decode\.width/],
    [{ data: new Uint8Array(0), width: 0, height: 4 }, "invalid-image", /no pixels: 0 × 4/],
    [pixels(11, 10), "invalid-image", /11 × 10 pixels are more than the limit of 100/],
  ];
  for (const [answer, code, detail] of answers) {
    await withHook(
      () => answer,
      async (embedder) => {
        await failsWith(embedder.embedImage(webp), code, detail);
        assert.equal((await embedder.embedText("four")).vector[0], 4);
      },
      { maxPixels: 100 },
    );
  }
});

test("one that never answers holds up no text; abort and dispose settle it", async () => {
  await withHook(
    () => new Promise(() => {}),
    async (embedder) => {
      const abort = new AbortController();
      const calls = [webp, webp, webp, jpeg(13)].map((input) =>
        rejection(embedder.embedImage(input, { signal: abort.signal })),
      );
      assert.equal((await embedder.embedText("four")).vector[0], 4);
      abort.abort("enough");
      for (const call of calls) assert.equal(await call, "enough");
      const waiting = rejection(embedder.embedImage(webp));
      assert.equal((await embedder.embedText("four")).vector[0], 4);
      await embedder.dispose();
      assert.equal((await waiting).code, "disposed");
    },
  );
});

test("it must be a function", async () => {
  await failsWith(
    loadFake({ decode: "sharp" }),
    "invalid-argument",
    /^decode must be a function, not "sharp"/,
  );
});
