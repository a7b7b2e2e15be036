// The stand-in for the real weights (npm run fullsize): upstream's layout at full size, and a small one that the engine runs.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { measure } from "../../tools/fullsize/fullsize.mjs";
import { SEED, makeStandIn } from "../../tools/fullsize/make.mjs";
import { Random, fromBf16, standardNormal, toBf16, within } from "../../tools/fullsize/random.mjs";
import { FULL, SMALL } from "../../tools/fullsize/shape.mjs";
import { LOUD_FROM_LAYER, listTensors, loudChannels } from "../../tools/fullsize/tensors.mjs";
import { tokenizerJson } from "../../tools/fullsize/tokenizer.mjs";
import { convertModel } from "../../dist/js/convert/convert.js";
import { openEngine } from "../../tools/lib/direct-engine.mjs";
import { openSafetensors, readSafetensors } from "../../tools/lib/safetensors.mjs";
import { compareValues } from "../../tools/numerics/compare.mjs";
import { dequantisePack } from "../../tools/numerics/dequantise.mjs";
import { texts } from "../../tools/numerics/texts.mjs";
import { line, readImages, verify } from "../../tools/verify-upstream/verify-upstream.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-fullsize-"));
const model = join(scratch, "model");
let made;
before(() => {
  made = makeStandIn(model, SMALL);
});
after(() => rmSync(scratch, { recursive: true }));

const sizeOf = (shape) => shape.reduce((product, n) => product * n, 1);
const hashOf = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("at full size: upstream's tensors", () => {
  const tensors = listTensors(FULL, SEED);
  assert.equal(tensors.length, 999);
  assert.equal(new Set(tensors.map(({ name }) => name)).size, 999);
  const parameters = (prefix) =>
    tensors
      .filter(({ name }) => name.startsWith(prefix))
      .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  assert.equal(parameters("text_model."), 560_895_564);
  assert.equal(parameters("vision_model."), 304_382_912);
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const text = "text_model.transformer.roberta.";
  for (const [name, shape] of Object.entries({
    logit_scale: [],
    [`${text}embeddings.word_embeddings.parametrizations.weight.original`]: [250002, 1024],
    [`${text}embeddings.word_embeddings.parametrizations.weight.0.lora_A`]: [1, 250002, 4],
    [`${text}encoder.layers.23.mixer.Wqkv.parametrizations.weight.0.lora_B`]: [1, 3072, 4],
    [`${text}encoder.layers.23.mlp.fc2.parametrizations.weight.0.lora_A`]: [1, 4, 4096],
    "vision_model.pos_embed": [1, 1297, 1024],
    "vision_model.blocks.23.mlp.w3.weight": [1024, 2730],
  }))
    assert.deepEqual(shapes.get(name), shape, name);
});

test("the same files every time, and exactly what the header says", () => {
  const again = join(scratch, "again");
  makeStandIn(again, SMALL);
  for (const file of ["model.safetensors", "tokenizer.json", "config.json"])
    assert.equal(hashOf(join(model, file)), hashOf(join(again, file)), file);
  const tensors = readSafetensors(join(model, "model.safetensors"));
  assert.deepEqual([...tensors.keys()], [...tensors.keys()].sort());
  assert.equal(tensors.size, made.tensors);
  let numbers = 0;
  for (const [name, { dtype, data }] of tensors) {
    assert.equal(dtype, "BF16", name);
    numbers += data.length;
  }
  assert.equal(numbers, made.parameters + 1);
  assert.equal(statSync(join(model, "model.safetensors")).size, made.bytes);
  const file = openSafetensors(join(model, "model.safetensors"));
  for (const name of ["logit_scale", "vision_model.norm.weight"])
    assert.deepEqual(file.read(name), tensors.get(name));
  assert.throws(() => file.read("nothing"), /no tensor nothing/);
  file.close();
});

test("random numbers: normal, and rounded as BF16 is", () => {
  const levels = standardNormal();
  assert.ok(
    Math.abs(levels.reduce((sum, x) => sum + x, 0)) < 1e-6 &&
      levels.at(-1) > 4 &&
      levels.at(-1) < 4.6,
  );
  assert.ok(Math.abs(within(1) - 0.682689) < 1e-5);
  assert.ok(
    Math.abs(levels.filter((x) => Math.abs(x) < 1).length / levels.length - 0.682689) < 1e-3,
  );
  assert.deepEqual(
    [1, -2, 0.1, 1 + 1 / 256, 1 + 3 / 256].map((x) => fromBf16(toBf16(x))),
    [1, -2, 0.10009765625, 1, 1.015625],
  );
  const bits = new Uint32Array(1 << 14);
  new Random(1, "a").fill(bits);
  assert.equal(new Set(bits).size, bits.length);
  const ones =
    bits.reduce((sum, word) => sum + word.toString(2).replaceAll("0", "").length, 0) / bits.length;
  assert.ok(Math.abs(ones - 16) < 0.1, `${ones} of 32 bits are set`);
});

test("a tokenizer of upstream's size", () => {
  const text = tokenizerJson(FULL.vocab, SEED);
  const {
    model: { vocab },
    added_tokens,
  } = JSON.parse(text);
  assert.equal(vocab.length, 250_002);
  assert.equal(new Set(vocab.map(([piece]) => piece)).size, 250_002);
  assert.deepEqual(
    added_tokens.map(({ id, content }) => [id, content]),
    [
      [0, "<s>"],
      [1, "<pad>"],
      [2, "</s>"],
      [3, "<unk>"],
      [250_001, "<mask>"],
    ],
  );
  assert.ok(
    vocab
      .slice(4, -1)
      .every(([piece, score]) => piece && score < 0 && score === Math.fround(score)),
  );
  assert.ok(Buffer.byteLength(text) <= 18e6);
});

test("a hundred texts in twenty scripts", () => {
  assert.equal(texts.length, 100);
  assert.equal(new Set(texts.map(({ text }) => text)).size, 100);
  assert.equal(new Set(texts.map(({ name }) => name.split(" ")[0])).size, 20);
});

test("the engine runs it: values of one size in all layers, the loud channels about 20 medians from layer 4 on", async () => {
  const rows = await measure(model, loudChannels(SMALL, SEED), "wasm");
  for (const [tower, layers] of Object.entries(rows)) {
    assert.equal(layers.length, 6);
    for (const { layer, stream, read } of layers) {
      assert.ok(
        stream.median > 0.1 && stream.median < 2 && stream.max < 100 && stream.kurtosis > 1,
        `${tower} ${layer}: ${JSON.stringify(stream)}`,
      );
      if (!read) continue;
      const [least, most] = layer === 0 ? [0.5, 2] : layer >= LOUD_FROM_LAYER ? [14, 28] : [1, 20];
      assert.ok(
        read.loud >= least && read.loud <= most,
        `${tower} ${layer}: loud channels ${read.loud}`,
      );
    }
  }
});

test("q8 and the two towers' vectors on it", async () => {
  const image = readFileSync(new URL("../data/golden-a/images/photo.jpg", import.meta.url));
  const vectors = [];
  for (const dtype of ["f32", "q8"]) {
    const engine = await openEngine({ variant: "simd", folder: model, dtype });
    vectors.push([
      ...texts.slice(0, 10).map(({ text }) => engine.embedText(text).vector),
      engine.embedImage(image).vector,
    ]);
    engine.dispose();
  }
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  for (const [i, vector] of vectors[0].entries()) {
    const cosine = dot(vector, vectors[1][i]);
    assert.ok(cosine >= 0.985, `cosine ${cosine} of input ${i}`);
  }
  assert.ok(
    Math.abs(dot(vectors[0][0], vectors[0][10])) < 0.9,
    "different inputs, different vectors",
  );
});

test("a pack of rounded weights in float32: what is left is the rounding of activations", async () => {
  for (const dtype of ["q8", "q4"]) {
    const pack = join(scratch, dtype),
      floats = join(scratch, `${dtype}-floats`);
    await convertModel({ source: model, out: pack, dtype, towers: ["text", "vision"] });
    dequantisePack(pack, floats);
    const [quantised, judge] = await Promise.all(
      [pack, floats].map((folder) => openEngine({ variant: "simd", folder })),
    );
    assert.equal(judge.info.dtype, "f32");
    for (const { text } of texts.slice(0, 10)) {
      const { cosine } = compareValues(
        quantised.embedText(text).vector,
        judge.embedText(text).vector,
      );
      assert.ok(cosine > 0.996 && cosine < 1, `${dtype}: ${cosine}`);
    }
    quantised.dispose();
    judge.dispose();
  }
});

test("verify-upstream: embeds everything, and sees that these are not the real weights", async () => {
  const images = Object.fromEntries(
    ["landscape.png", "photo.jpg"].map((file, i) => [
      `beach${i + 1}`,
      readFileSync(new URL(`../data/golden-a/images/${file}`, import.meta.url)),
    ]),
  );
  const rows = await verify({ folder: model, dtype: "f32", threads: 1, images });
  assert.equal(rows.length, 46);
  assert.equal(new Set(rows.map(({ what }) => what)).size, 46);
  for (const { what, found } of rows.slice(1))
    assert.ok(found > -1 && found < 1.000001, `${what}: ${found}`);
  assert.ok(rows.filter(({ ok }) => !ok).length > 20);
  assert.match(line(rows[0]), /^FAIL tokens of /);
  const onlyTexts = await verify({ folder: model, dtype: "q8", threads: 1 });
  assert.ok(onlyTexts.length === 23 && onlyTexts.every(({ what }) => !what.includes("beach")));
  assert.throws(() => readImages(scratch), /beach1\.jpg: not there/);
});
