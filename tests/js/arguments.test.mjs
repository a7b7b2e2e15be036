// Wrong arguments: an EmbedError whose detail names the argument. With the stand-in engine, which must not even be asked.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EmbedError, load } from "clipglot";
import { unpairedSurrogate } from "../../dist/js/shared/unicode.js";
import { loadFake, rejection } from "./support/fake.mjs";

let embedder;
before(async () => {
  embedder = await loadFake();
});
after(() => embedder.dispose());

const isInvalid = (error, pattern, code = "invalid-argument") => {
  assert.ok(error instanceof EmbedError, `${error}`);
  assert.equal(error.code, code);
  assert.match(error.detail, pattern);
  assert.equal(error.message, `${code}: ${error.detail}`);
};

const loads = {
  "no options": [undefined, /model is missing/],
  options: [7, /options must be an object, not 7/],
  model: [{ model: 7 }, /model/],
  "empty model": [{ model: "" }, /model/],
  "model without files": [{ model: [] }, /none of the 0 files is manifest.json or config.json/],
  "file list": [{ model: [{ name: "a" }] }, /model\[0\]/],
  towers: [{ model: "x", towers: [] }, /towers/],
  "a tower": [{ model: "x", towers: ["text", "audio"] }, /towers: there is no tower "audio"/],
  variant: [{ model: "x", variant: "mmx" }, /variant must be one of "auto".*not "mmx"/],
  threads: [{ model: "x", threads: 0 }, /threads must be an integer from 1 to 64, not 0/],
  "threads with a fraction": [{ model: "x", threads: 1.5 }, /threads/],
  "threads of a single-thread build": [{ model: "x", threads: 2, variant: "simd" }, /threads: 2/],
  maxTokens: [{ model: "x", maxTokens: 9000 }, /maxTokens must be an integer from 2 to 8192/],
  maxPixels: [{ model: "x", maxPixels: -1 }, /maxPixels/],
  dtype: [{ model: "x", dtype: "q5" }, /dtype must be one of "f32", "q8", "q4"/],
  signal: [{ model: "x", signal: {} }, /signal must be an AbortSignal/],
  onProgress: [{ model: "x", onProgress: true }, /onProgress must be a function/],
  "a URL that Node cannot read": [{ model: new URL("ftp://x/") }, /ftp:/],
};
for (const [name, [options, pattern]] of Object.entries(loads))
  test(`load: ${name}`, async () => isInvalid(await rejection(load(options)), pattern));

const calls = {
  text: [() => embedder.embedText(7), /text must be a string, not 7/],
  options: [() => embedder.embedText("x", "y"), /options must be an object, not "y"/],
  "options as array": [() => embedder.embedText("x", []), /options must be an object, not Array/],
  "dimensions 0": [
    () => embedder.embedText("x", { dimensions: 0 }),
    /dimensions must be an integer from 1 to 8, not 0/,
  ],
  "dimensions 9": [() => embedder.embedImage(new Uint8Array(1), { dimensions: 9 }), /dimensions/],
  "dimensions as text": [() => embedder.embedText("x", { dimensions: "4" }), /dimensions/],
  "dimensions NaN": [() => embedder.embedText("x", { dimensions: NaN }), /not NaN/],
  task: [() => embedder.embedText("x", { task: "clustering" }), /task/],
  maxTokens: [
    () => embedder.embedText("x", { maxTokens: 513 }),
    /maxTokens must be an integer from 2 to 512/,
  ],
  tooLong: [() => embedder.embedText("x", { tooLong: "cut" }), /tooLong/],
  normalizeText: [() => embedder.embedText("x", { normalizeText: "NFD" }), /normalizeText/],
  normalized: [
    () => embedder.embedText("x", { normalized: 1 }),
    /normalized must be true or false/,
  ],
  priority: [() => embedder.embedText("x", { priority: "high" }), /priority/],
  signal: [() => embedder.embedText("x", { signal: 1 }), /signal/],
  orientation: [
    () => embedder.embedImage(new Uint8Array(1), { orientation: "none" }),
    /orientation/,
  ],
  image: [() => embedder.embedImage("cat.png"), /image must be a Blob.*not "cat.png"/],
  "image null": [() => embedder.embedImage(null), /image/],
  "image object": [() => embedder.embedImage({}), /image/],
  "image.bytes": [() => embedder.embedImage({ bytes: [1] }), /image.bytes/],
  "image.data": [() => embedder.embedImage({ data: [1], width: 1, height: 1 }), /image.data/],
  "image.width": [
    () => embedder.embedImage({ data: new Uint8Array(4), width: -1, height: 1 }),
    /image.width/,
  ],
  "pixels that do not fit": [
    () => embedder.embedImage({ data: new Uint8Array(5), width: 1, height: 1 }),
    /width × height × 4 = 4 bytes, not 5/,
  ],
  texts: [() => embedder.embedTexts("abc"), /texts must be an array/],
  "an item of texts": [() => embedder.embedTexts(["a", 7]), /texts\[1\]/],
  "an item of images": [() => embedder.embedImages([new Uint8Array(1), "x"]), /images\[1\]/],
  onProgress: [() => embedder.embedTexts([], { onProgress: 1 }), /onProgress/],
  "index dimensions": [() => embedder.createIndex({ dimensions: 9 }), /dimensions/],
};
for (const [name, [call, pattern]] of Object.entries(calls))
  test(`call: ${name}`, async () => isInvalid(await rejection(call()), pattern));

test("unpaired surrogates are not text", async () => {
  isInvalid(
    await rejection(embedder.embedText("a\ud800b")),
    /text has an unpaired surrogate at position 1/,
    "invalid-text",
  );
  isInvalid(await rejection(embedder.embedTexts(["ok", "x\udc00"])), /texts\[1\]/, "invalid-text");
  isInvalid(await rejection(embedder.countTokens("\udbff")), /position 0/, "invalid-text");
  assert.equal(unpairedSurrogate("🐱 \u{10ffff} plain"), -1);
  assert.equal(unpairedSurrogate("🐱\ud83d\ud83d\udc31"), 2);
  assert.equal(unpairedSurrogate("\udc31\ud83d"), 0);
});

test("options reach the engine", async () => {
  const { vector } = await embedder.embedText("abc", {
    dimensions: 6,
    maxTokens: 9,
    normalizeText: "NFC",
    task: "retrieval.query",
  });
  assert.deepEqual([...vector], [3, 6, 9, 1, 15, 0]);
  const image = await embedder.embedImage(new Uint8Array([255, 216, 255]), {
    orientation: "ignore",
  });
  assert.deepEqual([...image.vector.subarray(0, 3)], [3, 255, 1]);
});
