// Packs for tests of loading.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const emoji = new URL("../../../models/emoji/", import.meta.url);
const chunk = 4 << 20;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A manifest that says this, with the hash at its end. */
export function sealed(manifest) {
  const { sha256: _, ...rest } = manifest;
  const body = Buffer.from(JSON.stringify(rest, null, 2).replace(/\n\}$/, ',\n  "sha256": "'));
  return Buffer.concat([body, Buffer.from(`${sha256(body)}"\n}\n`)]);
}

/** What a manifest says of a file. */
export function described(path, bytes, more = {}) {
  const hashes = [];
  for (let at = 0; at < bytes.length; at += chunk)
    hashes.push(sha256(bytes.subarray(at, at + chunk)));
  return { path, bytes: bytes.length, sha256: hashes, ...more };
}

/** Shards that no engine would understand, with their manifest: path → bytes. `shards`: path → bytes. */
export function plainPack(shards) {
  const manifest = {
    formatVersion: 1,
    modelId: "plain",
    revision: "1",
    license: "none",
    shards: Object.entries(shards).map(([path, bytes]) =>
      described(path, bytes, { tower: "text" }),
    ),
  };
  return { "manifest.json": sealed(manifest), ...shards };
}

/** The emoji model with one shard for the text tower, of two chunks: path → bytes. */
export function emojiPack() {
  const read = (path) => readFileSync(new URL(path, emoji));
  const manifest = JSON.parse(read("manifest.json"));
  const paths = (tower) =>
    manifest.shards.filter((shard) => shard.tower === tower).map(({ path }) => path);
  const text = joined(paths("text").map(read));
  const files = { "tokenizer.json": read(manifest.tokenizer.path), "text.safetensors": text };
  for (const path of paths("vision")) files[path] = read(path);
  manifest.tokenizer = described("tokenizer.json", files["tokenizer.json"]);
  manifest.shards = [
    described("text.safetensors", text, { tower: "text" }),
    ...paths("vision").map((path) => described(path, files[path], { tower: "vision" })),
  ];
  return { "manifest.json": sealed(manifest), ...files };
}

// The tensors of many safetensors files in one, in their order.
function joined(files) {
  const header = {};
  const data = [];
  let end = 0;
  for (const file of files) {
    const length = Number(file.readBigUInt64LE(0));
    const tensors = JSON.parse(file.subarray(8, 8 + length));
    for (const [name, tensor] of Object.entries(tensors)) {
      if (name !== "__metadata__")
        header[name] = {
          ...tensor,
          data_offsets: tensor.data_offsets.map((offset) => offset + end),
        };
    }
    data.push(file.subarray(8 + length));
    end += file.length - 8 - length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([prefix, padded, ...data]);
}
