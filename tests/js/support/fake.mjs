// load() with the stand-in engine.
import assert from "node:assert/strict";
import { EmbedError, load } from "clipglot";

const assetBase = new URL("./fake-engine/", import.meta.url);

/** A ModelSource with these files. */
export function memorySource(files = { "config.json": new Uint8Array(2500).fill(1) }) {
  return {
    list: async () =>
      Object.entries(files).map(([path, bytes]) => ({ path, byteLength: bytes.length })),
    read: async (path, offset, length) => files[path].subarray(offset, offset + length),
  };
}

export const loadFake = (options = {}) =>
  load({ model: memorySource(), variant: "simd", assetBase, ...options });

/** What `promise` rejects with; fails when it does not. */
export async function rejection(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`did not reject, but gave ${JSON.stringify(value)}`);
}

/** The promise fails with an EmbedError of this code whose detail fits; gives the error. */
export async function failsWith(promise, code, detail) {
  const error = await rejection(promise);
  assert.ok(error instanceof EmbedError, `${error}`);
  assert.equal(error.code, code, error.detail);
  assert.match(error.detail, detail);
  return error;
}
