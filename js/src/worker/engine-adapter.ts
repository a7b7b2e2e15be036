// The engine's module as plain JavaScript values, with index-adapter.ts and tracing-adapter.ts: nothing else calls the module.
// Errors become EmbedErrors, and a trap becomes EngineLost. Synchronous, one call at a time; knows neither messages nor
// workers, so that tools and tests can use it in their own thread.
import { EmbedError } from "../errors.js";
import type { Demand } from "../shared/demand.js";
import type { EngineInfo } from "../shared/engine-types.js";
import type { ImageSettings, ProfileEntry, TextSettings } from "../shared/protocol.js";
import type { Embedding, Engine, EngineModule, EngineOptions } from "./engine-module.js";
import { bytesOf, type Heap } from "./heap.js";
import { IndexAdapter } from "./index-adapter.js";
import type { StartedModule } from "./module.js";
import { check, ModuleCalls } from "./module-calls.js";
import { TracingAdapter } from "./tracing-adapter.js";

/** What the engine knows of EngineInfo. */
export type LoadedModel = Omit<EngineInfo, "variant" | "numerics" | "fallbacks">;

export interface VectorResult {
  readonly vector: Float32Array<ArrayBuffer>;
  readonly tokens: number;
  readonly totalTokens: number;
  readonly truncated: boolean;
  readonly unknownTokens: number;
  readonly warnings: readonly string[];
}

/** The vectors of some texts, concatenated; whether each text was cut, and how many of its tokens are unknown. */
export interface VectorsResult {
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly truncated: readonly boolean[];
  readonly unknownTokens: readonly number[];
}

type CreateOptions = Omit<EngineOptions, "selfTest" | "unfinishedPack"> &
  Partial<Pick<EngineOptions, "selfTest" | "unfinishedPack">>;

const encoder = new TextEncoder();

export class EngineAdapter {
  readonly heap: Heap;
  readonly indexes: IndexAdapter;
  readonly tracing: TracingAdapter;
  readonly #calls: ModuleCalls<EngineModule>;
  #engine: Engine | undefined;

  constructor(started: StartedModule) {
    this.#calls = new ModuleCalls(started);
    this.heap = this.#calls.heap;
    this.indexes = new IndexAdapter(this.#calls);
    this.tracing = new TracingAdapter(this.#calls, () => this.#loaded());
  }

  /** Makes the engine, before anything else; again after a load that failed. */
  create({ selfTest = true, unfinishedPack = false, ...options }: CreateOptions): void {
    this.#enter(() => {
      this.#engine?.delete();
      this.#engine = new this.#calls.module.Engine();
      check(this.#engine.create({ ...options, selfTest, unfinishedPack }));
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

  /** After the load of a pack that was unfinished: the manifest's member `selfTest`. Errors: "corrupt-model". */
  testSelf(selfTest: unknown): void {
    this.#enter(() => check(this.#loaded().testSelf(JSON.stringify(selfTest))));
  }

  get ready(): boolean {
    return this.#enter(() => this.#loaded().ready());
  }

  /** What was loaded; once it is ready. */
  info(): LoadedModel {
    const { text, vision, ...info } = this.#enter(() => this.#loaded().info());
    return {
      ...info,
      towers: [...(text ? ["text" as const] : []), ...(vision ? ["vision" as const] : [])],
    };
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

  threadsSeen(): number {
    return this.#enter(() => this.#loaded().threadsSeen());
  }

  /** From now on the engine counts where the time of embeddings goes. */
  startProfile(): void {
    this.#enter(() => this.#loaded().startProfile());
  }

  /** What was counted since the last time this was asked. */
  profile(): ProfileEntry[] {
    const entries = this.#enter(() => this.#loaded().takeProfile());
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

  /** Deletes all that lives in the module. */
  dispose(): void {
    if (this.#calls.lost) return;
    this.indexes.dispose();
    const engine = this.#engine;
    this.#engine = undefined;
    this.#enter(() => engine?.delete());
  }

  #enter<T>(call: () => T): T {
    return this.#calls.enter(call);
  }

  #loaded(): Engine {
    if (!this.#engine) throw new EmbedError("internal", "the engine was not created");
    return this.#engine;
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
      return {
        vector: this.heap.copyFloats(pointer, count),
        tokens,
        totalTokens,
        truncated,
        unknownTokens,
        warnings,
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
