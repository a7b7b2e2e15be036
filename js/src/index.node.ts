// The package in Node, with the same names as in a browser (index.ts).
import { makeEmbedder, type Embedder } from "./embedder.js";
import { startHere } from "./client/start.node.js";
import { fenced } from "./client/fence.js";
import { cacheNames, loadNames } from "./client/option-names.js";
import { deleteHere, listHere } from "./client/cached.node.js";
import type { CachedModel, CacheOptions, LoadOptions, ModelAddresses } from "./types.js";

/**
 * Starts an engine in a worker thread of its own and loads a model into it.
 * Rejects with an `EmbedError`, or with the reason of `signal`, and with nothing else; nothing is left running then.
 */
export async function load(options: LoadOptions): Promise<Embedder> {
  return fenced(loadNames, options, async (given) =>
    makeEmbedder(await startHere(given as LoadOptions)),
  );
}

/** The models that `load` has kept, whole or in part. */
export async function listCached(options: CacheOptions = {}): Promise<CachedModel[]> {
  return fenced(cacheNames, options, listHere);
}

/** Removes a model that `load` has kept, given as it was given to `load` or as `listCached` names it. Gives whether there was one. */
export async function deleteCached(
  model: URL | string | ModelAddresses,
  options: CacheOptions = {},
): Promise<boolean> {
  return fenced(cacheNames, options, (given) => deleteHere(model, given));
}

export { EmbedError, type ErrorCode } from "./errors.js";
export type { Embedder } from "./embedder.js";
export type { VectorIndex } from "./vector-index.js";
export type * from "./types.js";
