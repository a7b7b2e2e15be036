// One search: a text, a picture that is there, or a drawing in; a ranking out, with what it took.

import type { Embedder } from "clipglot";
import type { Corpus } from "./corpus.ts";
import { compareRankings, type Comparison } from "./ranking.ts";

export type Query =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "picture"; readonly id: string }
  | { readonly kind: "drawing"; readonly pixels: ImageData };

export interface Answer extends Comparison {
  readonly query: Query;
  readonly dimensions: number;
  readonly searched: number;
  readonly searchMs: number;
  /** Absent when the vector was there already: a picture of the gallery, or the same query again. */
  readonly embedMs?: number;
  readonly tokens?: number;
  readonly truncated?: boolean;
  readonly unknownTokens?: number;
}

interface Embedded {
  readonly query: Query;
  readonly vector: Float32Array;
  readonly embedMs: number;
  readonly tokens?: number;
  readonly truncated?: boolean;
  readonly unknownTokens?: number;
}

export class Searcher {
  readonly #embedder: Embedder;
  readonly #pictures: Corpus;
  #last: Embedded | undefined;

  constructor(embedder: Embedder, pictures: Corpus) {
    this.#embedder = embedder;
    this.#pictures = pictures;
  }

  /** undefined: nothing to search with or in, e.g. a picture that has no vector yet. */
  async search(
    query: Query,
    corpus: Corpus,
    dimensions: number,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    if (corpus.size === 0) return undefined;
    const embedded = query.kind === "picture" ? undefined : await this.#embed(query, signal);
    const vector =
      embedded?.vector ?? (query.kind === "picture" ? this.#pictures.vector(query.id) : undefined);
    if (!vector) return undefined;
    await corpus.prepare(dimensions);
    const began = performance.now();
    const short = await corpus.search(vector, dimensions);
    const searchMs = performance.now() - began;
    const { fullDimensions } = this.#embedder.info;
    const full =
      dimensions === fullDimensions ? short : await corpus.search(vector, fullDimensions);
    const { embedMs, tokens, truncated, unknownTokens } = embedded ?? {};
    return {
      ...compareRankings(full, short),
      query,
      dimensions,
      searchMs,
      searched: short.length,
      ...(embedMs !== undefined && { embedMs }),
      ...(tokens !== undefined && { tokens }),
      ...(truncated !== undefined && { truncated }),
      ...(unknownTokens !== undefined && { unknownTokens }),
    };
  }

  /** The slider and pictures that arrive ask again with the same query, so the last one is kept. */
  async #embed(query: Query, signal: AbortSignal): Promise<Embedded> {
    const last = this.#last;
    if (
      last &&
      (last.query === query ||
        (last.query.kind === "text" && query.kind === "text" && last.query.text === query.text))
    )
      return last;
    const began = performance.now();
    if (query.kind === "text") {
      const { vector, tokens, truncated, unknownTokens } = await this.#embedder.embedText(
        query.text,
        { signal },
      );
      this.#last = {
        query,
        vector,
        tokens,
        truncated,
        unknownTokens,
        embedMs: performance.now() - began,
      };
    } else if (query.kind === "drawing") {
      const { vector } = await this.#embedder.embedImage(query.pixels, { signal });
      this.#last = { query, vector, embedMs: performance.now() - began };
    }
    return this.#last!;
  }
}
