// Writes model.safetensors of a stand-in to disk, tensor by tensor: no more than a few MiB are in memory.
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { Random, standardNormal, toBf16 } from "./random.mjs";

const PIECE = 1 << 21; // numbers a write

/**
 * Writes `tensors` (of listTensors) to `path`. `onProgress(written, total)` in bytes. Gives { tensors, parameters, bytes }.
 * Appears under its name only when it is whole.
 */
export function writeCheckpoint(path, tensors, { seed, onProgress = () => {} }) {
  const header = { __metadata__: { format: "pt" } };
  let at = 0;
  const count = (shape) => shape.reduce((product, n) => product * n, 1);
  for (const { name, shape } of tensors) {
    header[name] = { dtype: "BF16", shape, data_offsets: [at, at + 2 * count(shape)] };
    at += 2 * count(shape);
  }
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, " ");
  head.writeBigUInt64LE(BigInt(head.length - 8));
  text.copy(head, 8);

  const partial = `${path}.partial`;
  const file = openSync(partial, "w");
  let written = 0;
  const write = (bytes) => {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    written += bytes.length;
    onProgress(written, head.length + at);
  };
  try {
    write(head);
    for (const { name, shape, spread } of tensors) {
      for (const piece of spread.kind === "values"
        ? [spread.values]
        : normalNumbers(count(shape), spread.sigma, new Random(seed, name))) {
        write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
      }
    }
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
  return { tensors: tensors.length, parameters: at / 2, bytes: written };
}

/** `count` normal BF16 numbers of standard deviation `sigma`, piece by piece. */
function* normalNumbers(count, sigma, random) {
  const levels = standardNormal();
  if (count < levels.length) {
    // A table would be the larger part of the work. The same numbers.
    const bits = new Uint32Array(Math.ceil(count / 2));
    random.fill(bits);
    const halves = new Uint16Array(bits.buffer, 0, count);
    yield halves.map((half) => toBf16(sigma * levels[half]));
    return;
  }
  const table = Uint16Array.from(levels, (level) => toBf16(sigma * level));
  const out = new Uint16Array(Math.min(count + 1, PIECE));
  const bits = new Uint32Array(Math.ceil(out.length / 2));
  for (let done = 0; done < count; ) {
    const length = Math.min(PIECE, count - done);
    random.fill(bits);
    for (let i = 0; i < bits.length; i++) {
      const both = bits[i];
      out[2 * i] = table[both & 0xffff];
      out[2 * i + 1] = table[both >>> 16];
    }
    yield out.subarray(0, length);
    done += length;
  }
}
