// The package in a browser. Node takes node/index.ts, with the same names. Each of the two names its
// platform: see docs/decisions/0015-platform-by-entry.md.
import type { Embedder } from "./embedder.js";
import { deleteCachedOn, listCachedOn, loadOn } from "./functions.js";
import { browserPlatform } from "./platform/client/browser.js";
import type { CachedModel, CacheOptions, HubModel, LoadOptions, ModelAddresses } from "./types.js";

/**
 * Starts an engine in a worker of its own (in Node, a worker thread) and loads a model into it.
 * Rejects with an `EmbedError`, or with the reason of `signal`, and with nothing else; nothing is left running then.
 */
export function load(options: LoadOptions): Promise<Embedder> {
  return loadOn(browserPlatform, options);
}

/** The models in the cache of `load`, complete or in part. Rejects with an `EmbedError`. */
export function listCached(options: CacheOptions = {}): Promise<CachedModel[]> {
  return listCachedOn(browserPlatform, options);
}

/**
 * Removes a model from the cache. `model`: as it was given to `load`, or as `listCached` names it. Resolves to whether there was
 * one. Rejects with an `EmbedError`.
 */
export function deleteCached(
  model: URL | string | HubModel | ModelAddresses,
  options: CacheOptions = {},
): Promise<boolean> {
  return deleteCachedOn(browserPlatform, model, options);
}

export { EmbedError, type ErrorCode } from "./errors.js";
export type { Embedder } from "./embedder.js";
export type { VectorIndex } from "./vector-index.js";
export type * from "./types.js";
