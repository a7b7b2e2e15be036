// Everything that can be found in one tab: full-length vectors, and one exact index for each vector
// length that was asked for. Vectors may arrive while searches run.

import type { Embedder, VectorIndex } from "clipglot";
import { shorten } from "./vectors.ts";

export interface Item {
  readonly id: string;
  /** Full length, unit norm. */
  readonly vector: Float32Array;
}

export interface Ranked {
  readonly id: string;
  /** Cosine, −1 … 1. */
  readonly score: number;
}

export class Corpus {
  readonly #embedder: Pick<Embedder, "createIndex">;
  readonly #vectors = new Map<string, Float32Array>();
  readonly #indexes = new Map<number, Promise<VectorIndex>>();

  constructor(embedder: Pick<Embedder, "createIndex">) {
    this.#embedder = embedder;
  }

  get size(): number {
    return this.#vectors.size;
  }

  vector(id: string): Float32Array | undefined {
    return this.#vectors.get(id);
  }

  async add(items: readonly Item[]): Promise<void> {
    for (const { id, vector } of items) this.#vectors.set(id, vector);
    for (const [dimensions, index] of this.#indexes)
      await (await index).add(shortened(items, dimensions));
  }

  async remove(id: string): Promise<void> {
    if (!this.#vectors.delete(id)) return;
    for (const [dimensions, pending] of this.#indexes) {
      const index = await pending;
      await index.clear();
      await index.add(shortened(this.#items(), dimensions));
    }
  }

  /** Builds the index of this length if it is not there, so that a search can be timed without it. */
  async prepare(dimensions: number): Promise<void> {
    await this.#index(dimensions);
  }

  /** Every item, best first, by the first `dimensions` dimensions of a full query vector. */
  async search(query: Float32Array, dimensions: number): Promise<readonly Ranked[]> {
    const index = await this.#index(dimensions);
    const hits = await index.search(shorten(query, dimensions), { k: Math.max(1, this.size) });
    return hits.filter((hit) => this.#vectors.has(hit.id));
  }

  #index(dimensions: number): Promise<VectorIndex> {
    let index = this.#indexes.get(dimensions);
    if (!index) {
      index = this.#build(dimensions);
      this.#indexes.set(dimensions, index);
    }
    return index;
  }

  async #build(dimensions: number): Promise<VectorIndex> {
    const index = await this.#embedder.createIndex({ dimensions });
    await index.add(shortened(this.#items(), dimensions));
    return index;
  }

  #items(): Item[] {
    return Array.from(this.#vectors, ([id, vector]) => ({ id, vector }));
  }
}

function shortened(items: readonly Item[], dimensions: number): Item[] {
  return items.map(({ id, vector }) => ({ id, vector: shorten(vector, dimensions) }));
}
