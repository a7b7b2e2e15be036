// The indexes that live in the engine's module, each known by a number.
import { EmbedError } from "../errors.js";
import type { EngineModule, Index } from "./engine-module.js";
import { bytesOf } from "./heap.js";
import { check, type ModuleCalls } from "./module-calls.js";

export class IndexAdapter {
  readonly #calls: ModuleCalls<EngineModule>;
  readonly #indexes = new Map<number, Index>();
  #next = 1;

  constructor(calls: ModuleCalls<EngineModule>) {
    this.#calls = calls;
  }

  /** Returns the number of a new index. */
  create(dimensions: number): number {
    return this.#calls.enter(() => {
      const index = new this.#calls.module.Index();
      try {
        check(index.create(dimensions));
      } catch (error) {
        index.delete();
        throw error;
      }
      this.#indexes.set(this.#next, index);
      return this.#next++;
    });
  }

  /** `rows`: one or more vectors, concatenated. Returns the row of the first. */
  add(id: number, rows: Float32Array): number {
    const { heap } = this.#calls;
    return this.#calls.enter(() => {
      const index = this.#at(id);
      const firstRow = index.size();
      check(heap.with(bytesOf(rows), (pointer) => index.add(pointer, rows.length)));
      return firstRow;
    });
  }

  /** At most `k` rows and their scores, best first. */
  search(
    id: number,
    query: Float32Array,
    k: number,
  ): { rows: Uint32Array<ArrayBuffer>; scores: Float32Array<ArrayBuffer> } {
    const { heap } = this.#calls;
    return this.#calls.enter(() => {
      const hits = heap.with(bytesOf(query), (pointer) =>
        this.#at(id).search(pointer, query.length, k),
      );
      check(hits);
      return {
        rows: heap.copyIntegers(hits.rows, hits.count),
        scores: heap.copyFloats(hits.scores, hits.count),
      };
    });
  }

  clear(id: number): void {
    this.#calls.enter(() => this.#at(id).clear());
  }

  delete(id: number): void {
    const index = this.#at(id);
    this.#indexes.delete(id);
    this.#calls.enter(() => index.delete());
  }

  get count(): number {
    return this.#indexes.size;
  }

  /** Deletes all of them. */
  dispose(): void {
    for (const id of [...this.#indexes.keys()]) this.delete(id);
  }

  #at(id: number): Index {
    const index = this.#indexes.get(id);
    if (!index) throw new EmbedError("disposed", "the index was disposed");
    return index;
  }
}
