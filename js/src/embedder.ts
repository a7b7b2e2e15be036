// A loaded model: texts and images in, vectors out. All work happens in the worker; calls may overlap and are done one at
// a time, interactive ones first.
import { EmbedError } from "./errors.js";
import { checkFunction, checkInteger, checkOptions, checkText, imageSettings, invalid, lane, shown, textSettings } from "./page/arguments.js";
import type { EngineClient } from "./page/client.js";
import { checkImage, packImage } from "./page/image-input.js";
import type { StartedEngine } from "./page/start.js";
import type { Diagnostics, EmbeddingAnswer, EmbeddingsAnswer, ImageSettings, ProfileEntry, TextSettings } from "./shared/protocol.js";
import type { EngineInfo } from "./shared/engine-types.js";
import type {
  Embedding, EmbeddingBatch, EmbedOptions, ImageInput, ImageOptions, IndexOptions, ManyOptions, TextOptions,
} from "./types.js";
import { VectorIndex } from "./vector-index.js";

// What goes to the engine at once, of the texts that are left: it computes some of them together (kGroupTexts and kGroupTokens
// in src/engine/engine.h) and gives the others back, which are then sent again.
const textsAtOnce = 64;
const charactersAtOnce = 2048;

type LayerProgress = (done: number, total: number) => void;

export class Embedder implements AsyncDisposable {
  readonly #client: EngineClient;
  readonly #profiled: boolean;
  /** What was loaded, and how it runs. */
  readonly info: EngineInfo;

  /** @internal Embedders come from load(). */
  constructor({ client, info, profiled }: StartedEngine) {
    this.#client = client;
    this.info = info;
    this.#profiled = profiled;
  }

  /** The vector of a text. The empty text is valid. */
  async embedText(text: string, options: TextOptions = {}): Promise<Embedding> {
    const settings = textSettings(options, this.info);
    checkFunction("onProgress", options.onProgress);
    return this.#embedding(await this.#text(checkText("text", text), settings, lane(options, "interactive"), options.signal, options.onProgress));
  }

  /** The vectors of many texts, in their order. One that fails rejects the call; `detail` begins with its position. */
  async embedTexts(texts: readonly string[], options: TextOptions & ManyOptions = {}): Promise<EmbeddingBatch> {
    const settings = textSettings(options, this.info);
    checkMany("texts", texts);
    texts.forEach((text, i) => checkText(`texts[${i}]`, text));
    return this.#many(texts, "texts", options, (work, first, priority) =>
      this.#client.call(() => ({ call: { kind: "embed-texts", texts: someOf(work, first), settings } }), priority, options.signal));
  }

  /**
   * The vector of a picture: a Blob or the bytes of a file, pixels, or an ImageBitmap. The input is not changed and not
   * detached; leave it unchanged until the promise settles.
   */
  async embedImage(image: ImageInput, options: ImageOptions = {}): Promise<Embedding> {
    const settings = imageSettings(options, this.info);
    checkImage("image", image);
    checkFunction("onProgress", options.onProgress);
    return this.#embedding(await this.#image(image, settings, lane(options, "interactive"), options.signal, options.onProgress));
  }

  /** The vectors of many pictures, in their order. One that fails rejects the call; `detail` begins with its position. */
  async embedImages(images: readonly ImageInput[], options: ImageOptions & ManyOptions = {}): Promise<EmbeddingBatch> {
    const settings = imageSettings(options, this.info);
    checkMany("images", images);
    images.forEach((image, i) => checkImage(`images[${i}]`, image));
    return this.#many(images, "images", options, async (work, first, priority) => {
      const { vector, truncated, warnings } = await this.#image(work[first]!, settings, priority, options.signal);
      return { vectors: vector, truncated: [truncated], unknownTokens: [0], warnings: [warnings] };
    });
  }

  /** How many tokens a text has (with `task`: the instruction included), and how many would be read at most. */
  async countTokens(text: string, options: TextOptions = {}): Promise<{ tokens: number; maxTokens: number }> {
    const settings = textSettings(options, this.info);
    checkText("text", text);
    return this.#client.call(() => ({ call: { kind: "count-tokens", text, settings } }), lane(options, "interactive"), options.signal);
  }

  /** An empty index for vectors of this model. It lives in the engine's worker and ends with the embedder. */
  async createIndex(options: IndexOptions = {}): Promise<VectorIndex> {
    checkOptions("options", options);
    const dimensions = checkInteger("dimensions", options.dimensions ?? this.info.fullDimensions, 1, this.info.fullDimensions);
    const { index } = await this.#client.call(() => ({ call: { kind: "index-create", dimensions } }), "interactive");
    return new VectorIndex(this.#client, index, dimensions, this.info.modelId);
  }

  /**
   * Where the engine's time went since this was asked last, by kind of work. Only with `load({ profile: true })`, which costs
   * embeddings some microseconds.
   */
  async profile(): Promise<readonly ProfileEntry[]> {
    if (!this.#profiled) throw invalid("profile() needs load({ profile: true })");
    return this.#client.call(() => ({ call: { kind: "profile" } }), "interactive");
  }

  /** Ends the worker, which gives all memory back. What still waits rejects with "disposed". May be called twice. */
  dispose(): Promise<void> {
    return this.#client.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** @internal For tests. */
  diagnostics(): Promise<Diagnostics> {
    return this.#client.call(() => ({ call: { kind: "diagnostics" } }), "interactive");
  }

  #text(text: string, settings: TextSettings, priority: "interactive" | "background", signal: AbortSignal | undefined, onLayer?: LayerProgress): Promise<EmbeddingAnswer> {
    return this.#client.call(() => ({ call: { kind: "embed-text", text, settings, report: onLayer !== undefined } }), priority, signal, onLayer);
  }

  #image(input: ImageInput, settings: ImageSettings, priority: "interactive" | "background", signal: AbortSignal | undefined, onLayer?: LayerProgress): Promise<EmbeddingAnswer> {
    return this.#client.call(() => {
      const { image, transfer } = packImage(input);
      return { call: { kind: "embed-image", image, settings, report: onLayer !== undefined }, transfer };
    }, priority, signal, onLayer);
  }

  #embedding({ vector, decoder, ...about }: EmbeddingAnswer): Embedding {
    const embedding = { vector, dimensions: vector.length, ...about, modelId: this.info.modelId };
    return decoder === undefined ? embedding : { ...embedding, decoder };
  }

  // Few items at a time, so that a query can go between, and only they are copied. `embed` does one or more of the items from
  // `first` on; what it rejects with is the fault of the first.
  async #many<T>(
    items: readonly T[], name: string, options: EmbedOptions & ManyOptions,
    embed: (items: readonly T[], first: number, priority: "interactive" | "background") => Promise<EmbeddingsAnswer>,
  ): Promise<EmbeddingBatch> {
    checkFunction("onProgress", options.onProgress);
    const priority = lane(options, "background");
    options.signal?.throwIfAborted();
    const work = items.slice(); // the list as it was when the call was made
    const dimensions = options.dimensions ?? this.info.fullDimensions;
    const data = new Float32Array(work.length * dimensions);
    const truncated: number[] = [];
    const unknownTokens: number[] = [];
    const warnings: (readonly string[])[] = [];
    for (let done = 0; done < work.length; ) {
      let answer: EmbeddingsAnswer;
      try {
        answer = await embed(work, done, priority);
      } catch (error) {
        if (options.signal?.aborted || !(error instanceof EmbedError) || error.code === "disposed" || error.code === "engine-lost") throw error;
        throw new EmbedError(error.code, `${name}[${done}]: ${error.detail}`, { cause: error });
      }
      data.set(answer.vectors, done * dimensions);
      for (const [i, cut] of answer.truncated.entries()) {
        options.signal?.throwIfAborted(); // by the callback
        if (cut) truncated.push(done);
        unknownTokens.push(answer.unknownTokens[i] ?? 0);
        warnings.push(answer.warnings?.[i] ?? []);
        done++;
        options.onProgress?.(done, work.length);
      }
    }
    return makeBatch({ data, count: work.length, dimensions, truncated, unknownTokens, warnings, modelId: this.info.modelId });
  }
}

/** For the package's entries. */
export function makeEmbedder(started: StartedEngine): Embedder {
  return new Embedder(started);
}

function checkMany(name: string, items: unknown): void {
  if (!Array.isArray(items)) throw invalid(`${name} must be an array, not ${shown(items)}`);
}

/** Texts from `first` on. */
function someOf(texts: readonly string[], first: number): string[] {
  let end = first + 1;
  for (let characters = texts[first]!.length; end < texts.length && end - first < textsAtOnce; end++) {
    characters += texts[end]!.length;
    if (characters > charactersAtOnce) break;
  }
  return texts.slice(first, end);
}

function makeBatch(batch: Omit<EmbeddingBatch, "row">): EmbeddingBatch {
  const { data, count, dimensions } = batch;
  return {
    ...batch,
    row(i: number): Float32Array {
      checkInteger("i", i, 0, count - 1);
      return data.slice(i * dimensions, (i + 1) * dimensions);
    },
  };
}
