// The package in Node, with the same names as in a browser (index.ts).
import { makeEmbedder, type Embedder } from "./embedder.js";
import { startHere } from "./page/start.node.js";
import type { LoadOptions } from "./types.js";

/**
 * Starts an engine in a worker thread of its own and loads a model into it.
 * Rejects with an `EmbedError`, or with the reason of `signal`; nothing is left running then.
 */
export async function load(options: LoadOptions): Promise<Embedder> {
  return makeEmbedder(await startHere(options));
}

export { EmbedError, type ErrorCode } from "./errors.js";
export type { Embedder } from "./embedder.js";
export type { VectorIndex } from "./vector-index.js";
export type * from "./types.js";
