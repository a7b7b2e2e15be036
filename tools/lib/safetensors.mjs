// Reads safetensors files for tools and tests: small files, whole in memory.
import { readFileSync } from "node:fs";

const arrayTypes = {
  F32: Float32Array,
  I32: Int32Array,
  U8: Uint8Array,
  I8: Int8Array,
  I64: BigInt64Array,
  F16: Uint16Array,
  BF16: Uint16Array,
};

/** Bytes as a typed array of safetensors' `dtype`, copied so that it is aligned. F16 and BF16 stay bit patterns. */
export function typedArray(dtype, bytes) {
  const type = arrayTypes[dtype];
  if (!type) throw new Error(`unknown dtype ${dtype}`);
  return new type(bytes.slice().buffer);
}

/** path of a safetensors file → Map of name → { dtype, shape, data } */
export function readSafetensors(path) {
  const file = new Uint8Array(readFileSync(path));
  const headerLength = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerLength)));
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = entry.data_offsets;
    const bytes = file.subarray(8 + headerLength + begin, 8 + headerLength + end);
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, data: typedArray(entry.dtype, bytes) });
  }
  return tensors;
}
