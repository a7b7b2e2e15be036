// The package in a browser. Node takes index.node.ts, with the same names.
import { makeEmbedder, type Embedder } from "./embedder.js";
import { startHere } from "./page/start.browser.js";
import type { LoadOptions } from "./types.js";

/**
 * Starts an engine in a worker of its own and loads a model into it.
 * Rejects with an `EmbedError`, or with the reason of `signal`; nothing is left running then.
 */
export async function load(options: LoadOptions): Promise<Embedder> {
  return makeEmbedder(await startHere(options));
}

export { EmbedError, type ErrorCode } from "./errors.js";
export type { Embedder } from "./embedder.js";
export type { VectorIndex } from "./vector-index.js";
export type * from "./types.js";
