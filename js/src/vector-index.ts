// An exact index of vectors, in the engine's worker. Ids are the user's strings; the engine knows rows, and the map between
// the two is kept here.
import { EmbedError } from "./errors.js";
import { checkInteger, invalid, maxIndexBytes, shown } from "./client/arguments.js";
import type { EngineClient } from "./client/client.js";
import { fencedMethod, fencedNow, fencedPlain, reading } from "./client/fence.js";
import { searchNames } from "./client/option-names.js";
import { isFloat32Array } from "./shared/values.js";
import type { Embedding, Hit, IndexItem, SearchOptions } from "./types.js";

/** Hits of a search that names no `k`. */
const defaultHits = 10;

/**
 * Vectors in the memory of an embedder's worker, searched exactly; from `createIndex`. Its methods reject with an `EmbedError`, or
 * with the reason of `signal`.
 */
export class VectorIndex implements AsyncDisposable {
  readonly #client: EngineClient;
  readonly #index: number;
  readonly #modelId: string;
  /** Length of each vector. */
  readonly dimensions: number;
  #rowOfId = new Map<string, number>();
  /** Undefined: the row was replaced by a later one. */
  #idOfRow: (string | undefined)[] = [];
  #replaced = 0;
  /** Adding and clearing happen one after another, so that rows are counted as the engine counts them. */
  #writing: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  /** @internal Indexes come from Embedder.createIndex(). */
  constructor(client: EngineClient, index: number, dimensions: number, modelId: string) {
    this.#client = client;
    this.#index = index;
    this.dimensions = dimensions;
    this.#modelId = modelId;
  }

  /** Number of ids in the index; 0 after dispose(). */
  get size(): number {
    return fencedNow(() => VectorIndex.#of(this, "size").#rowOfId.size);
  }

  /**
   * Adds vectors, all or none. An id that is in the index already is replaced. Vectors are compared as they are given. Errors:
   * "invalid-argument", "model-mismatch", "out-of-memory" beyond 2 GiB.
   */
  add(items: Iterable<IndexItem>): Promise<void> {
    return fencedPlain(async () => {
      const self = VectorIndex.#of(this, "add");
      self.#checkAlive();
      const { ids, rows } = reading("items", () => self.#readItems(items));
      if (ids.length === 0) return;
      await self.#write(async () => {
        const call = { kind: "index-add", index: self.#index, rows } as const;
        const { firstRow } = await self.#client.call<"index-add">(
          () => ({ call, transfer: [rows.buffer] }),
          "interactive",
        );
        ids.forEach((id, i) => {
          const before = self.#rowOfId.get(id);
          if (before !== undefined) {
            self.#idOfRow[before] = undefined;
            self.#replaced++;
          }
          self.#rowOfId.set(id, firstRow + i);
          self.#idOfRow[firstRow + i] = id;
        });
      });
    });
  }

  /** The `k` best vectors, best first; equal scores in order of adding. Fewer when the index holds fewer. */
  search(query: Embedding | Float32Array, options: SearchOptions = {}): Promise<Hit[]> {
    return fencedMethod(
      () => VectorIndex.#of(this, "search"),
      searchNames,
      options,
      async (self, { k: wanted = defaultHits, signal }) => {
        self.#checkAlive();
        const k = checkInteger("k", wanted, 1, 2 ** 31 - 1);
        const vector = reading("query", () => new Float32Array(self.#vector("query", query)));
        const enough = Math.min(k + self.#replaced, 2 ** 31 - 1);
        const idOfRow = self.#idOfRow; // clear() begins another list
        const call = {
          kind: "index-search",
          index: self.#index,
          query: vector,
          k: enough,
        } as const;
        const { rows, scores } = await self.#client.call<"index-search">(
          () => ({ call }),
          "interactive",
          signal,
        );
        const hits: Hit[] = [];
        rows.forEach((row, i) => {
          const id = idOfRow[row];
          if (id !== undefined && hits.length < k) hits.push({ id, score: scores[i] ?? 0 });
        });
        return hits;
      },
    );
  }

  /** Removes all vectors. The index can be used again. */
  clear(): Promise<void> {
    return fencedPlain(async () => {
      const self = VectorIndex.#of(this, "clear");
      self.#checkAlive();
      await self.#write(async () => {
        await self.#client.call(
          () => ({ call: { kind: "index-clear", index: self.#index } }),
          "interactive",
        );
        self.#forget();
      });
    });
  }

  /** Releases the memory. May be called twice, and after the embedder was disposed. */
  dispose(): Promise<void> {
    return fencedPlain(() => {
      const self = VectorIndex.#of(this, "dispose");
      self.#disposed ??= self.#client
        .call(() => ({ call: { kind: "index-dispose", index: self.#index } }), "interactive")
        .then(
          () => {},
          () => {},
        ) // without its engine it is gone anyway
        .then(() => self.#forget());
      return self.#disposed;
    });
  }

  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  // A method may be called without its object, as in vectors.map(index.search).
  static #of(self: unknown, method: string): VectorIndex {
    if (typeof self === "object" && self !== null && #client in self) return self;
    throw invalid(`${method} was called without its index: write index.${method}`);
  }

  #write(action: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(() => {
      this.#checkAlive(); // it may have ended while others were written
      return action();
    });
    this.#writing = done.catch(() => {});
    return done;
  }

  #checkAlive(): void {
    if (this.#disposed) throw new EmbedError("disposed", "the index was disposed");
  }

  #forget(): void {
    this.#rowOfId = new Map();
    this.#idOfRow = [];
    this.#replaced = 0;
  }

  // Each vector is copied before the next item is asked for: an iterator may fill one array again and again.
  #readItems(items: unknown): { ids: string[]; rows: Float32Array<ArrayBuffer> } {
    if (
      typeof items !== "object" ||
      items === null ||
      typeof (items as Iterable<unknown>)[Symbol.iterator] !== "function"
    ) {
      const hint =
        typeof items === "object" && items !== null && "vector" in items
          ? "; put the item into an array"
          : "";
      throw invalid(
        `items must be an array or another iterable of { id, vector }, not ${shown(items)}${hint}`,
      );
    }
    const maxVectors = Math.floor(maxIndexBytes / Float32Array.BYTES_PER_ELEMENT / this.dimensions);
    const ids: string[] = [];
    let rows = new Float32Array(
      this.dimensions * (Array.isArray(items) ? Math.min(items.length, maxVectors) : 16),
    );
    for (const item of items as Iterable<
      { readonly id?: unknown; readonly vector?: unknown } | undefined
    >) {
      const name = `items[${ids.length}]`;
      if (ids.length === maxVectors)
        throw new EmbedError(
          "out-of-memory",
          `items: an index holds at most ${maxVectors} vectors of ${this.dimensions} numbers`,
        );
      if (typeof item !== "object" || item === null)
        throw invalid(`${name} must be { id, vector }, not ${shown(item)}`);
      const { id, vector } = item;
      if (typeof id !== "string") throw invalid(`${name}.id must be a string, not ${shown(id)}`);
      const at = ids.length * this.dimensions;
      const row = this.#vector(`${name}.vector`, vector);
      if (at === rows.length) {
        const grown = new Float32Array(Math.min(2 * at, maxVectors * this.dimensions));
        grown.set(rows);
        rows = grown;
      }
      rows.set(row, at);
      ids.push(id);
    }
    const filled = ids.length * this.dimensions;
    return { ids, rows: filled === rows.length ? rows : rows.slice(0, filled) };
  }

  #vector(name: string, given: unknown): Float32Array {
    let vector = given;
    if (typeof given === "object" && given !== null && "vector" in given) {
      const { modelId } = given as Partial<Embedding>;
      if (modelId !== this.#modelId)
        throw new EmbedError(
          "model-mismatch",
          `${name} comes from model ${shown(modelId)}, the index is for "${this.#modelId}"`,
        );
      vector = given.vector;
    }
    if (!isFloat32Array(vector))
      throw invalid(`${name} must be a Float32Array or an Embedding, not ${shown(vector)}`);
    if (vector.length !== this.dimensions)
      throw invalid(`${name} has ${vector.length} dimensions, the index has ${this.dimensions}`);
    return vector;
  }
}
