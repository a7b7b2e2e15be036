// An exact index of vectors, in the engine's worker. Ids are the user's strings; the engine knows rows, and the map between
// the two is kept here.
import { EmbedError } from "./errors.js";
import { checkInteger, checkOptions, checkSignal, invalid, shown } from "./page/arguments.js";
import type { EngineClient } from "./page/client.js";
import type { Embedding, Hit, IndexItem, SearchOptions } from "./types.js";

export class VectorIndex implements AsyncDisposable {
  readonly #client: EngineClient;
  readonly #index: number;
  readonly #modelId: string;
  /** Length of the vectors. */
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

  /** Different ids in the index. */
  get size(): number {
    return this.#rowOfId.size;
  }

  /** Adds vectors, all or none. An id that is there already is replaced. Vectors are compared as they are given. */
  async add(items: Iterable<IndexItem>): Promise<void> {
    this.#checkAlive();
    const list = Array.from(items);
    const rows = new Float32Array(list.length * this.dimensions);
    const ids = list.map((item, i) => {
      if (typeof item?.id !== "string") throw invalid(`items[${i}].id must be a string, not ${shown(item?.id)}`);
      rows.set(this.#vector(`items[${i}].vector`, item.vector), i * this.dimensions);
      return item.id;
    });
    if (list.length === 0) return;
    await this.#write(async () => {
      const call = { kind: "index-add", index: this.#index, rows } as const;
      const { firstRow } = await this.#client.call<"index-add">(() => ({ call, transfer: [rows.buffer] }), "interactive");
      ids.forEach((id, i) => {
        const before = this.#rowOfId.get(id);
        if (before !== undefined) {
          this.#idOfRow[before] = undefined;
          this.#replaced++;
        }
        this.#rowOfId.set(id, firstRow + i);
        this.#idOfRow[firstRow + i] = id;
      });
    });
  }

  /** The `k` best vectors, best first; equal scores in order of adding. Fewer when the index holds fewer. */
  async search(query: Embedding | Float32Array, options: SearchOptions): Promise<Hit[]> {
    this.#checkAlive();
    checkOptions("options", options);
    checkSignal(options.signal);
    const k = checkInteger("k", options.k, 1, 2 ** 31 - 1);
    const vector = new Float32Array(this.#vector("query", query));
    const enough = Math.min(k + this.#replaced, 2 ** 31 - 1);
    const idOfRow = this.#idOfRow; // clear() begins another list
    const call = { kind: "index-search", index: this.#index, query: vector, k: enough } as const;
    const { rows, scores } = await this.#client.call<"index-search">(() => ({ call }), "interactive", options.signal);
    const hits: Hit[] = [];
    rows.forEach((row, i) => {
      const id = idOfRow[row];
      if (id !== undefined && hits.length < k) hits.push({ id, score: scores[i] ?? 0 });
    });
    return hits;
  }

  /** Removes all vectors. */
  async clear(): Promise<void> {
    this.#checkAlive();
    await this.#write(async () => {
      await this.#client.call(() => ({ call: { kind: "index-clear", index: this.#index } }), "interactive");
      this.#rowOfId = new Map();
      this.#idOfRow = [];
      this.#replaced = 0;
    });
  }

  /** Gives the memory back to the engine. May be called twice, and after the embedder's end. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#client
      .call(() => ({ call: { kind: "index-dispose", index: this.#index } }), "interactive")
      .then(() => {}, () => {}); // without its engine it is gone anyway
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #write(action: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(action);
    this.#writing = done.catch(() => {});
    return done;
  }

  #checkAlive(): void {
    if (this.#disposed) throw new EmbedError("disposed", "the index was disposed");
  }

  #vector(name: string, given: Embedding | Float32Array): Float32Array {
    const isEmbedding = typeof given === "object" && given !== null && "vector" in given;
    if (isEmbedding && given.modelId !== this.#modelId)
      throw new EmbedError("model-mismatch", `${name} comes from model "${given.modelId}", the index is for "${this.#modelId}"`);
    const vector: unknown = isEmbedding ? given.vector : given;
    if (!(vector instanceof Float32Array)) throw invalid(`${name} must be a Float32Array or an Embedding, not ${shown(vector)}`);
    if (vector.length !== this.dimensions) throw invalid(`${name} has ${vector.length} dimensions, the index has ${this.dimensions}`);
    return vector;
  }
}
