// clipglot/sharp: files that the engine does not know get PIL's pixels in Node.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { sharpDecoder } from "clipglot/sharp";
import { loadFake, rejection } from "./support/fake.mjs";

const read = (name) =>
  new Uint8Array(readFileSync(new URL(`../data/formats/${name}`, import.meta.url)));
const expected = JSON.parse(
  readFileSync(new URL("../data/formats/expected.json", import.meta.url)),
);
const mimeOf = (name) =>
  ({ webp: "image/webp", tif: "image/tiff", avif: "image/avif" })[name.split(".")[1]];
const request = (orientation) => ({ orientation, maxPixels: 64e6 });
const decode = sharpDecoder();

function rgbOf({ data, width, height }) {
  assert.equal(data.length, width * height * 4);
  return Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => data[Math.floor(i / 3) * 4 + (i % 3)],
  );
}
const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");

describe("the pixels are PIL's", () => {
  for (const [name, { size, upright, stored }] of Object.entries(expected)) {
    test(name, async () => {
      const turned = await decode(read(name), mimeOf(name), request("exif"));
      assert.deepEqual([turned.width, turned.height], size);
      assert.equal(hashOf(rgbOf(turned)), upright);
      assert.equal(
        hashOf(rgbOf(await decode(read(name), mimeOf(name), request("ignore")))),
        stored,
      );
    });
  }
});

test("AVIF: near the picture that it was made of, with and without transparency", async () => {
  const { default: sharp } = await import("sharp");
  const wanted = await sharp(read("source.png")).removeAlpha().raw().toBuffer();
  for (const name of ["plain.avif", "alpha.avif"]) {
    const picture = await decode(read(name), "image/avif", request("exif"));
    assert.deepEqual([picture.width, picture.height], [80, 60]);
    const off =
      rgbOf(picture).reduce((sum, value, i) => sum + Math.abs(value - wanted[i]), 0) /
      wanted.length;
    assert.ok(off < 3, `${name}: ${off} levels a channel`);
  }
});

test("through the package: decoder custom, limits, damage, what sharp is not asked for", async () => {
  const embedder = await loadFake({ decode: sharpDecoder(), maxPixels: 1000 });
  const fails = async (input, detail) => {
    const error = await rejection(embedder.embedImage(input));
    assert.equal(error.code, "invalid-image");
    assert.match(error.detail, detail);
  };
  const { vector, decoder } = await embedder.embedImage(new Blob([read("exif6.webp")]));
  assert.deepEqual([...vector.subarray(0, 3), decoder], [37 * 23 * 4, 23, 37, "custom"]);
  await fails(read("plain.avif"), /80 × 60 pixels are more than the limit of 1000/);
  await fails(read("lossy.webp"), /80 × 60 pixels are more than the limit of 1000/);
  const damaged = read("opaque.webp").fill(0, 60);
  await fails(damaged, /^WebP: decode failed: /);
  await fails(new TextEncoder().encode("<svg xmlns='x'/>"), /^SVG: .*decode gave nothing/);
  await embedder.dispose();
});

test("sharp that is not installed is named, with what to do", () => {
  const script = `
    import { register } from "node:module";
    register("data:text/javascript," + encodeURIComponent("export const resolve = (name, context, next) => { if (name === 'sharp') throw new Error('Cannot find package'); return next(name, context); }"));
    const { sharpDecoder } = await import(${JSON.stringify(new URL("../../dist/js/sharp/index.js", import.meta.url).href)});
    const { loadFake, rejection } = await import(${JSON.stringify(new URL("./support/fake.mjs", import.meta.url).href)});
    const embedder = await loadFake({ decode: sharpDecoder() });
    const { code, detail } = await rejection(embedder.embedImage(new TextEncoder().encode("II*\\0\\x08\\0\\0\\0")));
    console.log(code + " " + detail);
    await embedder.dispose();`;
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const done = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 60_000,
    cwd,
  });
  assert.equal(
    done.stdout,
    "invalid-argument TIFF: clipglot/sharp needs the package sharp: npm install sharp\n",
    done.stderr,
  );
});

test("its own sharp may be given", async () => {
  const asked = [];
  const { default: sharp } = await import("sharp");
  const own = sharpDecoder({
    sharp: (...given) => {
      asked.push(given[1]);
      return sharp(...given);
    },
  });
  await own(read("rgb.tif"), "image/tiff", { orientation: "exif", maxPixels: 5000 });
  assert.deepEqual(asked, [{ limitInputPixels: 5000, ignoreIcc: true }]);
  assert.throws(
    () => sharpDecoder({ sharp: "sharp" }),
    /sharp must be what the package sharp exports/,
  );
});
