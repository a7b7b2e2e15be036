// A pack with the same weights as a quantised one, but in float32: what the rounding of weights does is in both, so that the rest can
// be judged alone. docs/FORMAT.md tells the layout of both.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSafetensors } from "../lib/safetensors.mjs";

const CHUNK_BYTES = 4 << 20,
  TENSOR_BYTES = 16 << 20,
  SHARD_BYTES = 64 << 20,
  Q4_BLOCK = 32;

/** The rows of a quantised tensor as float32. `values`: { shape, data }; `scales`: { data }; `columns`: of the matrix. */
export const dequantise = {
  q8({ shape: [rows, columns], data }, scales) {
    const out = new Float32Array(rows * columns);
    for (let i = 0; i < out.length; i++) out[i] = data[i] * scales.data[Math.floor(i / columns)];
    return out;
  },
  q4({ shape: [rows, bytes], data }, scales, columns) {
    const out = new Float32Array(rows * columns),
      blocks = Math.ceil(columns / Q4_BLOCK);
    // A BF16 number is the upper half of a float32.
    const scale = new Float32Array(Uint32Array.from(scales.data, (half) => half << 16).buffer);
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < columns; c++) {
        const pair = data[row * bytes + (c >> 1)];
        out[row * columns + c] =
          ((c & 1 ? pair >> 4 : pair & 15) - 8) * scale[row * blocks + Math.floor(c / Q4_BLOCK)];
      }
    }
    return out;
  },
};

/** Makes in `out` a float32 pack of the pack in `folder`; only the shards of `towers`. */
export function dequantisePack(folder, out, towers = ["text", "vision"]) {
  const {
    sha256: _,
    selfTest: __,
    ...manifest
  } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  if (!(manifest.dtype in dequantise))
    throw new Error(`${folder}: a pack of dtype ${manifest.dtype}, q8 or q4 is expected`);
  mkdirSync(out, { recursive: true });
  if (manifest.tokenizer)
    copyFileSync(join(folder, manifest.tokenizer.path), join(out, manifest.tokenizer.path));
  const shards = towers.flatMap((tower) => {
    const writer = new ShardWriter(out, tower);
    const paths = manifest.shards
      .filter((shard) => shard.tower === tower)
      .map(({ path }) => join(folder, path));
    for (const { name, shape, data } of floatTensors(paths, manifest))
      writer.add(name, shape, data);
    return writer.finish();
  });
  const body = JSON.stringify({ ...manifest, dtype: "f32", shards }, null, 1).replace(
    /\n\}$/,
    ',\n "sha256": "',
  );
  writeFileSync(
    join(out, "manifest.json"),
    `${body}${createHash("sha256").update(body).digest("hex")}"\n}\n`,
  );
}

/** The tensors of a float32 pack, in their order: whole vectors, and matrices cut anew into blocks of at most 16 MiB. */
function* floatTensors(paths, { dtype, config }) {
  const rowsOf = new Map(),
    plain = (name) => name.replace(/\.rows\.\d+$/, "");
  const suffix = `.${dtype}`;
  for (const path of paths) {
    const file = openSafetensors(path);
    for (const [name, { shape }] of Object.entries(file.header)) {
      if (name.endsWith(suffix))
        rowsOf.set(
          plain(name.slice(0, -suffix.length)),
          (rowsOf.get(plain(name.slice(0, -suffix.length))) ?? 0) + shape[0],
        );
    }
    file.close();
  }
  let open; // the matrix whose rows are coming: { name, columns, first, pending: [Float32Array], count }
  const blockRows = (columns) => Math.floor(TENSOR_BYTES / (4 * columns));
  function* flush(all) {
    const { name, columns } = open,
      total = rowsOf.get(name),
      most = Math.min(total, blockRows(columns));
    let rows = open.pending;
    while (rows.length >= most * columns || (all && rows.length > 0)) {
      const count = Math.min(most, rows.length / columns);
      yield {
        name: most === total ? name : `${name}.rows.${open.first}`,
        shape: [count, columns],
        data: rows.subarray(0, count * columns),
      };
      open.first += count;
      rows = rows.subarray(count * columns);
    }
    open.pending = rows.slice();
  }
  for (const path of paths) {
    const file = openSafetensors(path);
    for (const name of Object.keys(file.header)) {
      if (name.endsWith(".scale") && `${name.slice(0, -".scale".length)}${suffix}` in file.header)
        continue;
      if (!name.endsWith(suffix)) {
        if (open) yield* flush(true);
        open = undefined;
        yield { name, ...file.read(name) };
        continue;
      }
      const stem = name.slice(0, -suffix.length),
        matrix = plain(stem);
      if (open && open.name !== matrix) {
        yield* flush(true);
        open = undefined;
      }
      const values = file.read(name),
        scales = file.read(`${stem}.scale`);
      const columns = dtype === "q8" ? values.shape[1] : columnsOf(matrix, values.shape[1], config);
      open ??= { name: matrix, columns, first: 0, pending: new Float32Array(0) };
      const rows = dequantise[dtype](values, scales, columns);
      const both = new Float32Array(open.pending.length + rows.length);
      both.set(open.pending);
      both.set(rows, open.pending.length);
      open.pending = both;
      yield* flush(false);
    }
    file.close();
  }
  if (open) yield* flush(true);
}

/** Columns of a q4 matrix with so many bytes a row: two a byte, one less where the model says that they are odd in number. */
function columnsOf(name, bytes, { vision_config: vision }) {
  const hidden = Math.trunc(vision.width * vision.mlp_ratio);
  return name.startsWith("vision_model.") && name.endsWith("mlp.w3.weight") ? hidden : 2 * bytes;
}

class ShardWriter {
  #out;
  #tower;
  #shards = [];
  #pending = [];
  #bytes = 0;

  constructor(out, tower) {
    this.#out = out;
    this.#tower = tower;
  }

  add(name, shape, data) {
    const room = (this.#pending.length + 1) * 512;
    if (this.#bytes + data.byteLength + room > SHARD_BYTES) this.#write();
    this.#pending.push({
      name,
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice(),
    });
    this.#bytes += data.byteLength;
  }

  finish() {
    this.#write();
    return this.#shards;
  }

  #write() {
    if (this.#pending.length === 0) return;
    const header = {};
    let at = 0;
    for (const { name, shape, bytes } of this.#pending) {
      header[name] = { dtype: "F32", shape, data_offsets: [at, at + bytes.length] };
      at += bytes.length;
    }
    const text = Buffer.from(JSON.stringify(header));
    const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
    head.writeBigUInt64LE(BigInt(head.length - 8));
    text.copy(head, 8);
    const file = Buffer.concat([head, ...this.#pending.map(({ bytes }) => bytes)]);
    const path = `${this.#tower}-${String(this.#shards.length).padStart(2, "0")}.safetensors`;
    writeFileSync(join(this.#out, path), file);
    const sha256 = [];
    for (let from = 0; from < file.length; from += CHUNK_BYTES)
      sha256.push(
        createHash("sha256")
          .update(file.subarray(from, from + CHUNK_BYTES))
          .digest("hex"),
      );
    this.#shards.push({
      tower: this.#tower,
      path,
      bytes: file.length,
      sha256,
      tensors: this.#pending.map(({ name }) => name),
    });
    this.#pending = [];
    this.#bytes = 0;
  }
}
