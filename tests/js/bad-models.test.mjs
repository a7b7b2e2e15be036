// Damaged and wrong models: each a typed error that names the thing, never a crash; and another load works.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "clipglot";
import { pack } from "../../tools/pack/pack.mjs";
import { fails, identical } from "../shared/check.mjs";
import { goldenFolder } from "./support/suite-runner.mjs";

const golden = Object.fromEntries(
  [
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "model.safetensors",
    "sentencepiece.bpe.model",
  ].map((name) => [name, new Uint8Array(readFileSync(goldenFolder + name))]),
);
const text = (bytes) => new TextDecoder().decode(bytes);
const bytes = (content) => new TextEncoder().encode(content);

const source = (files) => ({
  list: async () =>
    Object.entries(files).map(([path, content]) => ({ path, byteLength: content.length })),
  read: async (path, offset, length) => files[path].subarray(offset, offset + length),
});
const loadFiles = (files, options = {}) =>
  load({ model: source(files), variant: "simd", dtype: "f32", ...options });

/** The safetensors file with another header; the data stay where they are. */
function withHeader(file, change) {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(text(file.subarray(8, 8 + length)));
  change(header);
  const json = bytes(JSON.stringify(header));
  const result = new Uint8Array(8 + json.length + file.length - 8 - length);
  new DataView(result.buffer).setBigUint64(0, BigInt(json.length), true);
  result.set(json, 8);
  result.set(file.subarray(8 + length), 8 + json.length);
  return result;
}
const changedConfig = (change) => {
  const config = JSON.parse(text(golden["config.json"]));
  change(config);
  return { ...golden, "config.json": bytes(JSON.stringify(config)) };
};
const without = (...names) =>
  Object.fromEntries(Object.entries(golden).filter(([name]) => !names.includes(name)));

const norm = "text_model.transformer.roberta.encoder.layers.0.norm1.weight";
const bad = {
  "a missing tensor": [
    {
      ...golden,
      "model.safetensors": withHeader(golden["model.safetensors"], (h) => {
        h["another.name"] = h[norm]; // its bytes stay, or the next tensor would lie after a hole
        delete h[norm];
      }),
    },
    "corrupt-model",
    /norm1\.weight/,
  ],
  "a wrong shape": [
    {
      ...golden,
      "model.safetensors": withHeader(golden["model.safetensors"], (h) => (h[norm].shape = [8, 8])),
    },
    "corrupt-model",
    /norm1\.weight/,
  ],
  "an unknown number format": [
    {
      ...golden,
      "model.safetensors": withHeader(golden["model.safetensors"], (h) => (h[norm].dtype = "F7")),
    },
    /corrupt-model|unsupported-model/,
    /F7|norm1/,
  ],
  "a truncated checkpoint": [
    { ...golden, "model.safetensors": golden["model.safetensors"].slice(0, 1_000_000) },
    "corrupt-model",
    /model\.safetensors|bytes/,
  ],
  "a checkpoint of 5 bytes": [
    { ...golden, "model.safetensors": golden["model.safetensors"].slice(0, 5) },
    "corrupt-model",
    /./,
  ],
  "an empty checkpoint": [
    { ...golden, "model.safetensors": new Uint8Array(0) },
    "corrupt-model",
    /./,
  ],
  "no checkpoint": [without("model.safetensors"), "corrupt-model", /model\.safetensors/],
  "no configuration": [without("config.json"), "corrupt-model", /config\.json/],
  "no tokenizer": [
    without("tokenizer.json", "sentencepiece.bpe.model"),
    "corrupt-model",
    /tokenizer/,
  ],
  "a configuration that is not JSON": [
    { ...golden, "config.json": bytes("{]") },
    "corrupt-model",
    /config\.json/,
  ],
  "a configuration of other sizes": [
    changedConfig((c) => (c.text_config.hf_model_config_kwargs.num_hidden_layers = 4)),
    "corrupt-model",
    /layers\.3|layer 3/,
  ],
  "a tokenizer of another model": [
    { ...without("sentencepiece.bpe.model"), "tokenizer.json": smallTokenizer() },
    /corrupt-model|unsupported-model/,
    /./,
  ],
  "a tokenizer that is not one": [
    { ...without("sentencepiece.bpe.model"), "tokenizer.json": bytes("{}") },
    /corrupt-model|unsupported-model/,
    /tokenizer/,
  ],
};

// Same shape, fewer pieces than the model has embeddings.
function smallTokenizer() {
  const tokenizer = JSON.parse(text(golden["tokenizer.json"]));
  tokenizer.model.vocab = tokenizer.model.vocab.slice(0, 100);
  return bytes(JSON.stringify(tokenizer));
}

for (const [name, [files, code, detail]] of Object.entries(bad)) {
  test(name, async () => {
    const error = await loadFiles(files).then(
      async (embedder) => {
        await embedder.dispose();
        throw new Error("was loaded");
      },
      (reason) => reason,
    );
    assert.equal(error.name, "EmbedError", String(error));
    assert.match(error.code, new RegExp(code));
    assert.match(error.detail, detail);
  });
}

test("after all that, a good model loads", async () => {
  const embedder = await loadFiles(golden);
  assert.equal((await embedder.embedText("cat")).vector.length, 64);
  await embedder.dispose();
});

test("an address without a model", async () => {
  await fails(
    load({ model: join(goldenFolder, "images"), variant: "simd" }),
    "corrupt-model",
    /config\.json|manifest\.json/,
  );
});

// A pack: every bit is covered by a hash. Here a sample, spread over all files; all bits natively.
describe("a pack", () => {
  const folder = mkdtempSync(join(tmpdir(), "clipglot-pack-"));
  after(() => rmSync(folder, { recursive: true }));
  const files = {};
  before(async () => {
    await pack({
      source: goldenFolder,
      out: folder,
      dtype: "q8",
      modelId: "golden-a",
      revision: "1",
      license: "none",
    });
    for (const name of readdirSync(folder))
      files[name] = new Uint8Array(readFileSync(join(folder, name)));
  });
  const onePixel = { data: new Uint8Array([200, 100, 50, 255]), width: 1, height: 1 };

  test("gives the vectors of the checkpoint that it was made of", async () => {
    const [packed, checkpoint] = [
      await load({ model: folder, variant: "simd" }),
      await load({ model: goldenFolder, variant: "simd", dtype: "q8" }),
    ];
    assert.equal(packed.info.modelId, "golden-a");
    assert.equal(packed.info.license, "none");
    assert.equal(packed.info.dtype, "q8");
    for (const words of ["cat", "", "Старый мост"])
      identical(
        (await packed.embedText(words)).vector,
        (await checkpoint.embedText(words)).vector,
        words,
      );
    identical(
      (await packed.embedImage(onePixel)).vector,
      (await checkpoint.embedImage(onePixel)).vector,
      "image",
    );
    await packed.dispose();
    await checkpoint.dispose();
  });

  test("one tower does not fetch the bytes of the other", async () => {
    const read = new Set();
    const given = source(files);
    const spied = {
      ...given,
      read(path, ...range) {
        read.add(path);
        return given.read(path, ...range);
      },
    };
    const manifest = JSON.parse(text(files["manifest.json"]));
    const embedder = await load({ model: spied, variant: "simd", towers: ["vision"] });
    await embedder.dispose();
    const wanted = manifest.shards
      .filter(({ tower }) => tower === "vision")
      .map(({ path }) => path);
    assert.deepEqual([...read].sort(), ["manifest.json", ...wanted].sort());
  });

  test("any flipped bit is found", async () => {
    for (const [i, name] of Object.keys(files).entries()) {
      for (const place of [0, Math.floor(files[name].length * 0.37) + i, files[name].length - 1]) {
        const damaged = files[name].slice();
        damaged[place] ^= 1 << ((place + i) % 8);
        await fails(
          loadFiles({ ...files, [name]: damaged }),
          "corrupt-model|unsupported-version",
        ).catch((error) => {
          throw new Error(`${name}, byte ${place}: ${error.message}`, { cause: error });
        });
      }
    }
  });

  test("a file that is missing, too short or too long", async () => {
    for (const name of Object.keys(files)) {
      const others = Object.fromEntries(Object.entries(files).filter(([path]) => path !== name));
      await fails(
        loadFiles(others),
        "corrupt-model",
        name === "manifest.json" ? /./ : new RegExp(name.replaceAll(".", "\\.")),
      );
      await fails(loadFiles({ ...files, [name]: files[name].slice(0, -1) }), "corrupt-model");
      await fails(
        loadFiles({ ...files, [name]: Uint8Array.from([...files[name], 0]) }),
        "corrupt-model",
      );
    }
  });
});
