// Writes the files of a pack (docs/FORMAT.md): shards as their tensors come, the tokenizer, and the manifest last.
//
// Every file is written under a temporary name, flushed, and then renamed; without its manifest a folder is no pack. So a
// run that breaks off, at any point, leaves nothing that looks valid.
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

export const FORMAT_VERSION = 1;
const CHUNK_BYTES = 4 << 20;
const SHARD_BYTES = 64 << 20;
const MANIFEST = "manifest.json";
const DTYPE_BYTES = { F32: 4, I8: 1, U8: 1 };

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** The hash of each 4 MiB of a file given in pieces. */
class ChunkHasher {
  #hashes = [];
  #hash = createHash("sha256");
  #inChunk = 0;

  update(bytes) {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(CHUNK_BYTES - this.#inChunk, bytes.length - at);
      this.#hash.update(bytes.subarray(at, at + length));
      at += length;
      this.#inChunk += length;
      if (this.#inChunk === CHUNK_BYTES) this.#next();
    }
  }

  finish() {
    if (this.#inChunk > 0) this.#next();
    return this.#hashes;
  }

  #next() {
    this.#hashes.push(this.#hash.digest("hex"));
    this.#hash = createHash("sha256");
    this.#inChunk = 0;
  }
}

/** Writes `pieces` to folder/path; gives the file's entry in the manifest. */
function writeFile(folder, path, pieces) {
  const temporary = join(folder, `${path}.partial`);
  const hasher = new ChunkHasher();
  let bytes = 0;
  try {
    const file = openSync(temporary, "w");
    try {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
        hasher.update(piece);
        bytes += piece.length;
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, join(folder, path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  return { path, bytes, sha256: hasher.finish() };
}

/** Length prefix and header of a safetensors file with these tensors, one behind the other. */
function safetensorsHead(tensors) {
  const header = {};
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  // Spaces up to a multiple of 8, so that the numbers are aligned for whoever maps the file.
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
  head.writeBigUInt64LE(BigInt(head.length - 8));
  text.copy(head, 8);
  return head;
}

export class PackFolder {
  #folder;
  #shards = [];
  #pending = [];
  #pendingBytes = 0;
  #old;

  /** Opens `folder` for a new pack. A pack that is there already stops being one now. */
  constructor(folder) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#old = filesOfOldPack(folder);
    rmSync(join(folder, MANIFEST), { force: true });
  }

  /** `tensor`: {name, dtype, shape, group, bytes}, in the order of the pack; `bytes` is kept until its shard is written. */
  add(tensor) {
    const expected = tensor.shape.reduce((product, size) => product * size, DTYPE_BYTES[tensor.dtype] ?? NaN);
    if (tensor.bytes.length !== expected) throw new Error(`tensor ${tensor.name}: ${tensor.bytes.length} bytes, ${expected} expected`);
    if (this.#pending.length > 0) {
      // A name and its entry in the header; more than any needs.
      const headRoom = (this.#pending.length + 1) * 512;
      const full = this.#pendingBytes + tensor.bytes.length + headRoom > SHARD_BYTES;
      if (full || this.#pending[0].group !== tensor.group) this.#writeShard();
    }
    this.#pending.push(tensor);
    this.#pendingBytes += tensor.bytes.length;
  }

  #writeShard() {
    const tensors = this.#pending;
    const group = tensors[0].group;
    const number = this.#shards.filter((shard) => shard.group === group).length;
    const path = `${group}-${String(number).padStart(2, "0")}.safetensors`;
    const entry = writeFile(this.#folder, path, [safetensorsHead(tensors), ...tensors.map((tensor) => tensor.bytes)]);
    if (entry.bytes > SHARD_BYTES) throw new Error(`${path}: ${entry.bytes} bytes, more than a shard may have`);
    this.#shards.push({ group, ...entry, tensors: tensors.map((tensor) => tensor.name) });
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /**
   * Ends the pack. `about`: modelId, revision, license, dtype, config, preprocessor. `tokenizer`: {path, bytes} or
   * undefined. Gives [{path, bytes}] of all files.
   */
  finish(about, tokenizer) {
    if (this.#pending.length > 0) this.#writeShard();
    const tokenizerEntry = tokenizer && writeFile(this.#folder, tokenizer.path, [tokenizer.bytes]);
    const text = signedManifest({
      formatVersion: FORMAT_VERSION,
      ...about,
      ...(tokenizerEntry ? { tokenizer: tokenizerEntry } : {}),
      shards: this.#shards.map(({ group, tensors, ...entry }) => ({ tower: group.split("-")[0], ...entry, tensors })),
    });
    const files = [...(tokenizerEntry ? [tokenizerEntry] : []), ...this.#shards].map(({ path, bytes }) => ({ path, bytes }));
    for (const path of this.#old) {
      if (!files.some((file) => file.path === path)) rmSync(join(this.#folder, path), { force: true });
    }
    files.unshift({ path: MANIFEST, bytes: writeFile(this.#folder, MANIFEST, [text]).bytes });
    return files;
  }
}

/** The manifest's text. It ends with the hash of everything before the hash's digits. */
export function signedManifest(manifest) {
  const body = JSON.stringify(manifest, null, 1).replace(/\n\}$/, ',\n "sha256": "');
  return Buffer.from(`${body}${sha256(Buffer.from(body))}"\n}\n`);
}

/** What an earlier pack in this folder consists of, so that nothing of it is left over. */
function filesOfOldPack(folder) {
  try {
    const { shards, tokenizer } = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8"));
    const paths = [...shards, ...(tokenizer ? [tokenizer] : [])].map((entry) => entry.path);
    return paths.filter((path) => /^[\w-][\w.-]*$/.test(path));
  } catch {
    return [];
  }
}
