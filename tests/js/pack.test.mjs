// npm run pack and what it writes: the same vectors as the checkpoint, every flipped bit found, nothing valid left behind by
// a run that breaks off.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openEngine } from "../../tools/lib/direct-engine.mjs";
import { readSafetensors } from "../../tools/lib/safetensors.mjs";
import { PackFolder, signedManifest } from "../../tools/pack/pack-folder.mjs";
import { pack } from "../../tools/pack/pack.mjs";

const golden = fileURLToPath(new URL("../data/golden-a/", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "clipglot-pack-"));
after(() => rmSync(scratch, { recursive: true }));
const about = { modelId: "golden-a", revision: "7", license: "none" };

const packed = new Map();
/** golden-a as a pack, made once. */
async function packOf(dtype) {
  if (!packed.has(dtype)) {
    const out = join(scratch, dtype);
    packed.set(dtype, { out, files: await pack({ source: golden, out, dtype, ...about }) });
  }
  return packed.get(dtype);
}

const open = (folder, options = {}) => openEngine({ variant: "simd", folder, ...options });
const image = readFileSync(join(golden, "images", readdirSync(join(golden, "images")).filter((name) => name.endsWith(".png")).sort()[0]));

async function vectors(folder, options) {
  const engine = await open(folder, options);
  try {
    return [engine.embedText("Ein Fuchs im Schnee").vector, engine.embedText("").vector, engine.embedImage(image).vector];
  } finally {
    engine.dispose();
  }
}

for (const dtype of ["f32", "q8"]) {
  test(`a ${dtype} pack gives the checkpoint's vectors, bit for bit`, async () => {
    const { out, files } = await packOf(dtype);
    assert.deepEqual(files.map((file) => file.path).sort(), readdirSync(out).sort());
    assert.deepEqual(await vectors(out), await vectors(golden, { dtype }));
    const engine = await open(out, { towers: ["text"] });
    assert.equal(engine.info.dtype, dtype);
    assert.equal(engine.info.modelId, "golden-a");
    assert.equal(engine.info.revision, "7");
    assert.equal(engine.info.license, "none");
    engine.dispose();
  });
}

test("the files are as docs/FORMAT.md says", async () => {
  const { out } = await packOf("q8");
  const text = readFileSync(join(out, "manifest.json"), "utf8");
  const manifest = JSON.parse(text);
  const digits = text.length - 68;
  assert.equal(text.slice(digits, -4), createHash("sha256").update(text.slice(0, digits)).digest("hex"));
  assert.equal(manifest.sha256, text.slice(digits, -4));
  assert.deepEqual(manifest.config, JSON.parse(readFileSync(join(golden, "config.json"), "utf8")));
  assert.deepEqual(manifest.shards.map((shard) => [shard.path, shard.tower]), [
    ["text-embeddings-00.safetensors", "text"], ["text-layers-00.safetensors", "text"], ["vision-00.safetensors", "vision"],
  ]);
  assert.deepEqual(readFileSync(join(out, manifest.tokenizer.path)), readFileSync(join(golden, "tokenizer.json")));
  for (const { path, bytes, sha256, tensors } of manifest.shards) {
    const file = readFileSync(join(out, path));
    assert.equal(file.length, bytes);
    assert.deepEqual(sha256, [createHash("sha256").update(file).digest("hex")]);
    assert.deepEqual([...readSafetensors(join(out, path)).keys()], tensors);
  }
  const words = [...readSafetensors(join(out, "text-embeddings-00.safetensors"))].slice(-2);
  const name = "text_model.transformer.roberta.embeddings.word_embeddings.weight";
  assert.deepEqual(words.map(([name, { dtype, shape }]) => [name, dtype, shape]), [[`${name}.q8`, "I8", [600, 64]], [`${name}.scale`, "F32", [600]]]);
});

test("a flipped bit anywhere is found and its file named", async () => {
  const { out, files } = await packOf("q8");
  const copy = join(scratch, "flipped");
  cpSync(out, copy, { recursive: true });
  for (const { path, bytes } of files) {
    const good = readFileSync(join(out, path));
    for (const at of [0, Math.floor(bytes / 3), Math.floor(bytes / 2), bytes - 70, bytes - 1]) {
      const bad = Buffer.from(good);
      bad[at] ^= 1 << at % 8;
      writeFileSync(join(copy, path), bad);
      await assert.rejects(open(copy), (error) => error.code === "corrupt-model" && error.detail.includes(path), `${path} at ${at}`);
    }
    writeFileSync(join(copy, path), good);
    truncateSync(join(copy, path), bytes - 1);
    await assert.rejects(open(copy), (error) => error.code === "corrupt-model" && error.detail.includes(path), `${path} cut`);
    writeFileSync(join(copy, path), good);
  }
  (await open(copy)).dispose();
});

test("a pack of one tower", async () => {
  const out = join(scratch, "vision");
  const files = await pack({ source: golden, out, towers: ["vision"], ...about });
  assert.deepEqual(files.map((file) => file.path), ["manifest.json", "vision-00.safetensors"]);
  (await open(out, { towers: ["vision"] })).dispose();
  await assert.rejects(open(out), (error) => error.code === "invalid-argument" && error.detail.includes("text"));
});

test("a run that fails leaves no pack behind, not even an older one", async () => {
  const out = join(scratch, "broken");
  await pack({ source: golden, out, ...about });
  const source = join(scratch, "source");
  cpSync(golden, source, { recursive: true });
  truncateSync(join(source, "model.safetensors"), 1_000_000);
  await assert.rejects(pack({ source, out, ...about }), (error) => error.code === "corrupt-model" && error.detail.includes("model.safetensors"));
  assert.equal(existsSync(join(out, "manifest.json")), false);
  await pack({ source: golden, out, ...about });
  (await open(out)).dispose();
});

test("shards are cut below 64 MiB and never mix groups; old files go", () => {
  const out = join(scratch, "shards");
  const tensor = (name, group, mebibytes) => ({ name, group, dtype: "I8", shape: [mebibytes << 20], bytes: Buffer.alloc(mebibytes << 20) });
  const write = (tensors) => {
    const folder = new PackFolder(out);
    tensors.forEach((each) => folder.add(each));
    return folder.finish({ modelId: "m" }, { path: "tokenizer.json", bytes: Buffer.from("{}") }).map(({ path }) => path);
  };
  const many = [0, 1, 2, 3, 4].map((i) => tensor(`t${i}`, "text-embeddings", 16));
  assert.deepEqual(write([...many, tensor("l", "text-layers", 1), tensor("v", "vision", 1)]), [
    "manifest.json", "tokenizer.json", "text-embeddings-00.safetensors", "text-embeddings-01.safetensors", "text-layers-00.safetensors", "vision-00.safetensors",
  ]);
  const { shards } = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
  assert.deepEqual(shards.map((shard) => shard.tensors.length), [3, 2, 1, 1]);
  assert.deepEqual(shards[0].sha256.length, 13);
  for (const shard of shards) assert.ok(shard.bytes <= 64 << 20);
  write([tensor("v", "vision", 1)]);
  assert.deepEqual(readdirSync(out).sort(), ["manifest.json", "tokenizer.json", "vision-00.safetensors"]);
});

test("a tensor of the wrong size, a file that cannot be written", () => {
  const out = join(scratch, "wrong");
  const folder = new PackFolder(out);
  assert.throws(() => folder.add({ name: "t", group: "vision", dtype: "F32", shape: [2, 3], bytes: Buffer.alloc(23) }), /tensor t: 23 bytes, 24 expected/);
  assert.throws(() => folder.finish({ modelId: "m" }, { path: "nowhere/tokenizer.json", bytes: Buffer.alloc(1) }), { code: "ENOENT" });
  assert.deepEqual(readdirSync(out), []);
});

test("the manifest's last member is its hash", () => {
  const text = signedManifest({ a: 1, b: { c: [] } }).toString();
  assert.match(text, /"sha256": "[0-9a-f]{64}"\n\}\n$/);
  assert.equal(Object.keys(JSON.parse(text)).at(-1), "sha256");
});
