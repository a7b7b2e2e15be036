// Reads safetensors files for tools and tests: small ones whole, or single tensors of a large one.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

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
    tensors.set(name, {
      dtype: entry.dtype,
      shape: entry.shape,
      data: typedArray(entry.dtype, bytes),
    });
  }
  return tensors;
}

/** A safetensors file of any size: `header` (without __metadata__), `dataAt`, `read(name)` → { dtype, shape, data }, `close()`. */
export function openSafetensors(path) {
  const file = openSync(path, "r");
  const bytesAt = (offset, length) => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const got = readSync(file, bytes, done, length - done, offset + done);
      if (got === 0) throw new Error(`${path}: ends at byte ${offset + done}`);
      done += got;
    }
    return bytes;
  };
  const headerLength = Number(new DataView(bytesAt(0, 8).buffer).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(
    new TextDecoder().decode(bytesAt(8, headerLength)),
  );
  return {
    header,
    dataAt: 8 + headerLength,
    read(name) {
      if (!header[name]) throw new Error(`${path}: no tensor ${name}`);
      const {
        dtype,
        shape,
        data_offsets: [begin, end],
      } = header[name];
      return {
        dtype,
        shape,
        data: typedArray(dtype, bytesAt(8 + headerLength + begin, end - begin)),
      };
    },
    close: () => closeSync(file),
  };
}
