// The only file that calls the engine's module. Takes and gives plain JavaScript values; errors become EmbedErrors, and a trap
// becomes EngineLost. Synchronous, one call at a time; knows neither messages nor workers, so that tools and tests can use
// it in their own thread.
import { EmbedError } from "../errors.js";
import type {
  Embedding,
  Engine,
  EngineModule,
  EngineOptions,
  Handle,
  Index,
} from "../generated/engine-module.js";
import type { Demand } from "../shared/demand.js";
import type { ImageSettings, ProfileEntry, TextSettings } from "../shared/protocol.js";
import type { Heap } from "./heap.js";
import type { StartedModule } from "./module.js";
import { check, ModuleCalls, parseShape } from "./module-calls.js";

export interface VectorResult {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly tokens: number;
  readonly totalTokens: number;
  readonly truncated: boolean;
  readonly unknownTokens: number;
  readonly warnings: readonly string[];
}

/** The vectors of some texts, one behind the other, whether each text was cut, and how many of its tokens are unknown. */
export interface VectorsResult {
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly truncated: readonly boolean[];
  readonly unknownTokens: readonly number[];
}

/** The numbers between two steps of a call; see src/base/trace.h for the names. */
export interface TracedStage {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();

export class EngineAdapter {
  readonly heap: Heap;
  readonly #calls: ModuleCalls<EngineModule>;
  #engine: Engine | undefined;
  readonly #indexes = new Map<number, Index>();
  #nextIndex = 1;

  constructor(started: StartedModule) {
    this.#calls = new ModuleCalls(started);
    this.heap = this.#calls.heap;
  }

  /** Makes the engine, before anything else; again after a load that failed. `selfTest`: true unless told otherwise. */
  create(options: Omit<EngineOptions, "selfTest"> & { readonly selfTest?: boolean }): void {
    this.#enter(() => {
      this.#engine?.delete();
      this.#engine = new this.#calls.module.Engine();
      check(this.#engine.create({ selfTest: true, ...options }));
    });
  }

  /** Begins to load from `files`, which are all that the source can give. */
  beginLoad(files: readonly { readonly path: string; readonly byteLength: number }[]): Demand {
    const engine = this.#loaded();
    this.#enter(() => {
      for (const { path, byteLength } of files) engine.addFile(path, byteLength);
      check(engine.beginLoad());
    });
    return this.#calls.demand(engine, (sha256) => engine.commit(sha256));
  }

  get ready(): boolean {
    return this.#enter(() => this.#loaded().ready());
  }

  /** The engine's own account of itself; see InfoJson in src/engine/engine.h. */
  info(): unknown {
    return JSON.parse(this.#enter(() => this.#loaded().infoJson()));
  }

  embedText(text: string, settings: TextSettings): VectorResult {
    const utf8 = encoder.encode(text);
    return this.#vector(() =>
      this.heap.with(utf8, (pointer) => this.#loaded().embedText(pointer, utf8.length, settings)),
    );
  }

  /** As many of the first of `texts` as the engine computes at once, at least one; the rest is for the next call. */
  embedTexts(texts: readonly string[], settings: TextSettings): VectorsResult {
    const packed = packTexts(texts);
    return this.#enter(() => {
      const {
        code,
        detail,
        pointer,
        count,
        texts: taken,
        truncated,
        unknownTokens,
      } = this.heap.with(packed, (address) =>
        this.#loaded().embedTexts(address, texts.length, settings),
      );
      check({ code, detail });
      return {
        vectors: this.heap.copyFloats(pointer, taken * count),
        truncated: Array.from(this.heap.copyBytes(truncated, taken), (cut) => cut !== 0),
        unknownTokens: Array.from(this.heap.copyIntegers(unknownTokens, taken)),
      };
    });
  }

  /** `file`: the bytes of a JPEG, PNG, BMP or GIF. */
  embedEncodedImage(file: Uint8Array, settings: ImageSettings): VectorResult {
    return this.#vector(() =>
      this.heap.with(file, (pointer) =>
        this.#loaded().embedEncodedImage(pointer, file.length, settings),
      ),
    );
  }

  embedPixels(
    rgba: Uint8Array,
    width: number,
    height: number,
    settings: ImageSettings,
  ): VectorResult {
    return this.#vector(() =>
      this.heap.with(rgba, (pointer) =>
        this.#loaded().embedPixels(pointer, rgba.length, width, height, settings),
      ),
    );
  }

  /** The first `dimensions` numbers of a full vector, of unit length again. */
  truncate(vector: Float32Array, dimensions: number): Float32Array<ArrayBuffer> {
    return this.#vector(() =>
      this.heap.with(bytesOf(vector), (pointer) =>
        this.#loaded().truncate(pointer, vector.length, dimensions),
      ),
    ).vector;
  }

  countTokens(text: string, settings: TextSettings): { tokens: number; maxTokens: number } {
    const utf8 = encoder.encode(text);
    return this.#enter(() => {
      const { code, detail, tokens, maxTokens } = this.heap.with(utf8, (pointer) =>
        this.#loaded().countTokens(pointer, utf8.length, settings),
      );
      check({ code, detail });
      return { tokens, maxTokens };
    });
  }

  createIndex(dimensions: number): number {
    return this.#enter(() => {
      const index = new this.#calls.module.Index();
      try {
        check(index.create(dimensions));
      } catch (error) {
        index.delete();
        throw error;
      }
      this.#indexes.set(this.#nextIndex, index);
      return this.#nextIndex++;
    });
  }

  /** Gives the row of the first vector. */
  addToIndex(id: number, rows: Float32Array): number {
    return this.#enter(() => {
      const index = this.#index(id);
      const firstRow = index.size();
      check(this.heap.with(bytesOf(rows), (pointer) => index.add(pointer, rows.length)));
      return firstRow;
    });
  }

  searchIndex(
    id: number,
    query: Float32Array,
    k: number,
  ): { rows: Uint32Array<ArrayBuffer>; scores: Float32Array<ArrayBuffer> } {
    return this.#enter(() => {
      const hits = this.heap.with(bytesOf(query), (pointer) =>
        this.#index(id).search(pointer, query.length, k),
      );
      check(hits);
      return {
        rows: this.heap.copyIntegers(hits.rows, hits.count),
        scores: this.heap.copyFloats(hits.scores, hits.count),
      };
    });
  }

  clearIndex(id: number): void {
    this.#enter(() => this.#index(id).clear());
  }

  deleteIndex(id: number): void {
    const index = this.#index(id);
    this.#indexes.delete(id);
    this.#enter(() => index.delete());
  }

  get indexes(): number {
    return this.#indexes.size;
  }

  threadsSeen(): number {
    return this.#enter(() => this.#loaded().threadsSeen());
  }

  /** From now on the engine counts where the time of embeddings goes. */
  startProfile(): void {
    this.#enter(() => this.#loaded().startProfile());
  }

  /** What was counted since the last time this was asked. */
  profile(): ProfileEntry[] {
    const entries = JSON.parse(this.#enter(() => this.#loaded().profileJson())) as {
      kind: ProfileEntry["kind"];
      calls: number;
      nanoseconds: number;
    }[];
    return entries.map(({ kind, calls, nanoseconds }) => ({
      kind,
      calls,
      milliseconds: nanoseconds / 1e6,
    }));
  }

  /** Bytes of the heap that are in use. */
  allocatedBytes(): number {
    return this.#enter(() => this.#calls.module.allocatedBytes());
  }

  setTracing(on: boolean): void {
    this.#enter(() => this.#loaded().setTracing(on));
  }

  /** The stages of the last call, when tracing was on. */
  stages(): TracedStage[] {
    return this.#enter(() => {
      const engine = this.#loaded();
      return Array.from({ length: engine.stageCount() }, (_, i) => {
        const { name, dtype, shape, pointer, bytes } = engine.stage(i);
        return {
          name,
          dtype,
          shape: parseShape(shape),
          bytes: this.heap.copyBytes(pointer, bytes),
        };
      });
    });
  }

  /** Deletes all that lives in the module. */
  dispose(): void {
    if (this.#calls.lost) return;
    const handles: (Handle | undefined)[] = [...this.#indexes.values(), this.#engine];
    this.#indexes.clear();
    this.#engine = undefined;
    for (const handle of handles) this.#enter(() => handle?.delete());
  }

  #enter<T>(call: () => T): T {
    return this.#calls.enter(call);
  }

  #loaded(): Engine {
    if (!this.#engine) throw new EmbedError("internal", "the engine was not created");
    return this.#engine;
  }

  #index(id: number): Index {
    const index = this.#indexes.get(id);
    if (!index) throw new EmbedError("disposed", "the index was disposed");
    return index;
  }

  #vector(call: () => Embedding): VectorResult {
    return this.#enter(() => {
      const {
        code,
        detail,
        pointer,
        count,
        tokens,
        totalTokens,
        truncated,
        unknownTokens,
        warnings,
      } = call();
      check({ code, detail });
      const sentences = warnings.split("\n").filter((line) => line !== "");
      return {
        vector: this.heap.copyFloats(pointer, count),
        tokens,
        totalTokens,
        truncated,
        unknownTokens,
        warnings: sentences,
      };
    });
  }
}

// The lengths in bytes, then the texts in UTF-8, as the module's embedTexts takes them.
function packTexts(texts: readonly string[]): Uint8Array {
  const encoded = texts.map((text) => encoder.encode(text));
  const lengths = Uint32Array.from(encoded, ({ length }) => length);
  const packed = new Uint8Array(
    lengths.byteLength + lengths.reduce((sum, length) => sum + length, 0),
  );
  packed.set(new Uint8Array(lengths.buffer));
  let at = lengths.byteLength;
  for (const bytes of encoded) {
    packed.set(bytes, at);
    at += bytes.length;
  }
  return packed;
}

const bytesOf = (floats: Float32Array) =>
  new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
