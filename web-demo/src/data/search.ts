// One search: a text or a picture in, a ranking out, with what it took.

import type { Embedder } from "clipglot";
import type { Corpus } from "./corpus.ts";
import { compareRankings, type Comparison } from "./ranking.ts";

export type Query = { readonly kind: "text"; readonly text: string } | { readonly kind: "picture"; readonly id: string };

export interface Answer extends Comparison {
  readonly query: Query;
  readonly dimensions: number;
  readonly searched: number;
  readonly searchMs: number;
  /** Absent when the vector was there already: a picture of the gallery, or the same text again. */
  readonly embedMs?: number;
  readonly tokens?: number;
  readonly truncated?: boolean;
}

interface EmbeddedText {
  readonly text: string;
  readonly vector: Float32Array;
  readonly embedMs: number;
  readonly tokens: number;
  readonly truncated: boolean;
}

export class Searcher {
  readonly #embedder: Embedder;
  readonly #pictures: Corpus;
  #lastText: EmbeddedText | undefined;

  constructor(embedder: Embedder, pictures: Corpus) {
    this.#embedder = embedder;
    this.#pictures = pictures;
  }

  async search(query: Query, corpus: Corpus, dimensions: number, signal: AbortSignal): Promise<Answer | undefined> {
    const embedded = query.kind === "text" ? await this.#embed(query.text, signal) : undefined;
    const vector = embedded?.vector ?? (query.kind === "picture" ? this.#pictures.vector(query.id) : undefined);
    if (!vector) return undefined;
    await corpus.prepare(dimensions);
    const began = performance.now();
    const short = await corpus.search(vector, dimensions);
    const searchMs = performance.now() - began;
    const { fullDimensions } = this.#embedder.info;
    const full = dimensions === fullDimensions ? short : await corpus.search(vector, fullDimensions);
    const { embedMs, tokens, truncated } = embedded ?? {};
    return {
      ...compareRankings(full, short), query, dimensions, searchMs, searched: short.length,
      ...(embedMs !== undefined && { embedMs }),
      ...(tokens !== undefined && { tokens }),
      ...(truncated !== undefined && { truncated }),
    };
  }

  /** The slider and pictures that arrive ask again with the same text, so the last one is kept. */
  async #embed(text: string, signal: AbortSignal): Promise<EmbeddedText> {
    if (this.#lastText?.text === text) return this.#lastText;
    const began = performance.now();
    const { vector, tokens, truncated } = await this.#embedder.embedText(text, { signal });
    this.#lastText = { text, vector, tokens, truncated, embedMs: performance.now() - began };
    return this.#lastText;
  }
}
