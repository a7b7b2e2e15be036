// The package in Node, with the same names as in a browser. They are documented in index.ts, whose
// types serve both.
import type { Embedder } from "../embedder.js";
import { deleteCachedOn, listCachedOn, loadOn } from "../functions.js";
import { nodePlatform } from "../platform/node/client.js";
import type { CachedModel, CacheOptions, HubModel, LoadOptions, ModelAddresses } from "../types.js";

export function load(options: LoadOptions): Promise<Embedder> {
  return loadOn(nodePlatform, options);
}

export function listCached(options: CacheOptions = {}): Promise<CachedModel[]> {
  return listCachedOn(nodePlatform, options);
}

export function deleteCached(
  model: URL | string | HubModel | ModelAddresses,
  options: CacheOptions = {},
): Promise<boolean> {
  return deleteCachedOn(nodePlatform, model, options);
}

export { EmbedError, type ErrorCode } from "../errors.js";
export type { Embedder } from "../embedder.js";
export type { VectorIndex } from "../vector-index.js";
export type * from "../types.js";
