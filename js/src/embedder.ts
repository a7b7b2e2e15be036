// A loaded model: texts and images in, vectors out. All work happens in the worker; calls may overlap and are done one at
// a time, interactive ones first.
import { EmbedError } from "./errors.js";
import {
  checkInteger,
  checkText,
  imageSettings,
  invalid,
  lane,
  shown,
  textSettings,
} from "./client/arguments.js";
import type { EngineClient } from "./client/client.js";
import { fencedMethod, fencedNow, fencedPlain, reading } from "./client/fence.js";
import {
  packImage,
  packRefused,
  type PackedImage,
  type PictureRules,
} from "./client/image-input.js";
import { checkImage } from "./client/image-kind.js";
import { imageNames, indexNames, textNames } from "./client/option-names.js";
import type { StartedEngine } from "./client/start.js";
import type {
  Diagnostics,
  EmbeddingAnswer,
  EmbeddingsAnswer,
  ImageSettings,
  ProfileEntry,
  TextSettings,
} from "./shared/protocol.js";
import type { EngineInfo } from "./shared/engine-types.js";
import { isPromise } from "./shared/values.js";
import type {
  Embedding,
  EmbeddingBatch,
  EmbedOptions,
  ImageInput,
  ImageOptions,
  IndexOptions,
  ManyOptions,
  TextOptions,
} from "./types.js";
import { VectorIndex } from "./vector-index.js";

// What goes to the engine at once, of the texts that are left: it computes some of them together (kGroupTexts and kGroupTokens
// in src/engine/engine.h) and gives the others back, which are then sent again.
const textsAtOnce = 64;
const charactersAtOnce = 2048;

type LayerProgress = (done: number, total: number) => void;

/** A loaded model, from `load`. Its methods reject with an `EmbedError`, or with the reason of `signal`. */
export class Embedder implements AsyncDisposable {
  readonly #client: EngineClient;
  readonly #profiled: boolean;
  readonly #info: EngineInfo;
  readonly #pictures: PictureRules;

  /** @internal Embedders come from load(). */
  constructor({ client, info, profiled, pictures }: StartedEngine) {
    this.#client = client;
    for (const list of [info.towers, info.dimensions]) Object.freeze(list);
    this.#info = Object.freeze(info);
    this.#profiled = profiled;
    this.#pictures = pictures;
  }

  /** What was loaded, and how it runs. Remains readable after `dispose()`. */
  get info(): EngineInfo {
    return fencedNow(() => Embedder.#of(this, "info").#info);
  }

  /** The vector of a text, of at most 16 MiB in UTF-8. The empty text is valid. Errors: "invalid-text", "too-long", "not-loaded". */
  embedText(text: string, options: TextOptions = {}): Promise<Embedding> {
    return fencedMethod(
      () => Embedder.#of(this, "embedText"),
      textNames,
      options,
      async (self, given) => {
        const settings = textSettings(given, self.#info);
        return self.#embedding(
          await self.#text(
            checkText("text", text),
            settings,
            lane(given, "interactive"),
            given.signal,
            given.onProgress,
          ),
        );
      },
    );
  }

  /** The vectors of many texts, in their order. One that fails rejects the call; `detail` begins with its position, "texts[3]: …". */
  embedTexts(
    texts: readonly string[],
    options: TextOptions & ManyOptions = {},
  ): Promise<EmbeddingBatch> {
    return fencedMethod(
      () => Embedder.#of(this, "embedTexts"),
      textNames,
      options,
      async (self, given) => {
        const settings = textSettings(given, self.#info);
        const work = readMany("texts", texts, checkText);
        return self.#many(work, "texts", given, (first, priority) =>
          self.#client.call(
            () => ({ call: { kind: "embed-texts", texts: takeBatch(work, first), settings } }),
            priority,
            given.signal,
          ),
        );
      },
    );
  }

  /**
   * The vector of a picture: a Blob or the bytes of a file, pixels, or an ImageBitmap. The input is not changed and not
   * detached; leave it unchanged until the promise settles.
   */
  embedImage(image: ImageInput, options: ImageOptions = {}): Promise<Embedding> {
    return fencedMethod(
      () => Embedder.#of(this, "embedImage"),
      imageNames,
      options,
      async (self, given) => {
        const settings = imageSettings(given, self.#info);
        reading("image", () => checkImage("image", image));
        return self.#embedding(
          await self.#image(
            image,
            settings,
            lane(given, "interactive"),
            given.signal,
            given.onProgress,
          ),
        );
      },
    );
  }

  /** The vectors of many pictures, in their order. One that fails rejects the call; `detail` begins with its position. */
  embedImages(
    images: readonly ImageInput[],
    options: ImageOptions & ManyOptions = {},
  ): Promise<EmbeddingBatch> {
    return fencedMethod(
      () => Embedder.#of(this, "embedImages"),
      imageNames,
      options,
      async (self, given) => {
        const settings = imageSettings(given, self.#info);
        const work = readMany("images", images, (name, image) => {
          checkImage(name, image);
          return image;
        });
        return self.#many(work, "images", given, async (first, priority) => {
          const { vector, truncated, warnings } = await self.#image(
            work[first]!,
            settings,
            priority,
            given.signal,
          );
          return {
            vectors: vector,
            truncated: [truncated],
            unknownTokens: [0],
            warnings: [warnings],
          };
        });
      },
    );
  }

  /** How many tokens a text has (with `task`: the instruction included), and how many would be read at most. */
  countTokens(
    text: string,
    options: TextOptions = {},
  ): Promise<{ tokens: number; maxTokens: number }> {
    return fencedMethod(
      () => Embedder.#of(this, "countTokens"),
      textNames,
      options,
      async (self, given) => {
        const settings = textSettings(given, self.#info);
        checkText("text", text);
        return self.#client.call(
          () => ({ call: { kind: "count-tokens", text, settings } }),
          lane(given, "interactive"),
          given.signal,
        );
      },
    );
  }

  /** An empty index for vectors of this model. It lives in the engine's worker and ends with the embedder. */
  createIndex(options: IndexOptions = {}): Promise<VectorIndex> {
    return fencedMethod(
      () => Embedder.#of(this, "createIndex"),
      indexNames,
      options,
      async (self, given) => {
        const { fullDimensions, modelId } = self.#info;
        const dimensions = checkInteger(
          "dimensions",
          given.dimensions ?? fullDimensions,
          1,
          fullDimensions,
        );
        const { index } = await self.#client.call(
          () => ({ call: { kind: "index-create", dimensions } }),
          "interactive",
        );
        return new VectorIndex(self.#client, index, dimensions, modelId);
      },
    );
  }

  /**
   * Where the engine's time went since this was asked last, by kind of work. Only with `load({ profile: true })`, which costs
   * embeddings some microseconds.
   */
  profile(): Promise<readonly ProfileEntry[]> {
    return fencedPlain(async () => {
      const self = Embedder.#of(this, "profile");
      if (!self.#profiled) throw invalid("profile() needs load({ profile: true })");
      return self.#client.call(() => ({ call: { kind: "profile" } }), "interactive");
    });
  }

  /** Ends the worker, which gives all memory back. What still waits rejects with "disposed". May be called twice. */
  dispose(): Promise<void> {
    return fencedPlain(() => Embedder.#of(this, "dispose").#client.dispose());
  }

  /** `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** @internal For tests. */
  diagnostics(): Promise<Diagnostics> {
    return this.#client.call(() => ({ call: { kind: "diagnostics" } }), "interactive");
  }

  // A method may be called without its object, as in texts.map(embedder.embedText).
  static #of(self: unknown, method: string): Embedder {
    if (typeof self === "object" && self !== null && #client in self) return self;
    throw invalid(`${method} was called without its embedder: write embedder.${method}(…)`);
  }

  #text(
    text: string,
    settings: TextSettings,
    priority: "interactive" | "background",
    signal: AbortSignal | undefined,
    onLayer?: LayerProgress,
  ): Promise<EmbeddingAnswer> {
    return this.#client.call(
      () => ({ call: { kind: "embed-text", text, settings, report: onLayer !== undefined } }),
      priority,
      signal,
      onLayer,
    );
  }

  async #image(
    input: ImageInput,
    settings: ImageSettings,
    priority: "interactive" | "background",
    signal: AbortSignal | undefined,
    onLayer?: LayerProgress,
  ): Promise<EmbeddingAnswer> {
    const orientation = settings.ignoreOrientation ? "ignore" : "exif";
    const report = onLayer !== undefined;
    let sent = false; // the bytes of a file
    const request = ({ image, transfer }: PackedImage) => {
      sent = image.kind === "bytes";
      return { call: { kind: "embed-image" as const, image, settings, report }, transfer };
    };
    try {
      return await this.#client.call<"embed-image">(
        () => {
          const packed = reading("image", () => packImage(input, this.#pictures, orientation));
          return isPromise(packed) ? packed.then(request) : request(packed);
        },
        priority,
        signal,
        onLayer,
        true,
      );
    } catch (error) {
      if (
        !this.#pictures.decode ||
        !sent ||
        !(error instanceof EmbedError) ||
        error.code !== "invalid-image"
      )
        throw error;
      // A file of the engine's own formats that it cannot read: the user's decoder may.
      return this.#client.call<"embed-image">(
        () => this.#refused(input, orientation, error).then(request),
        priority,
        signal,
        onLayer,
        true,
      );
    }
  }

  async #refused(
    input: ImageInput,
    orientation: "exif" | "ignore",
    refusal: EmbedError,
  ): Promise<PackedImage> {
    let packed: PackedImage | undefined;
    try {
      packed = await packRefused(input, this.#pictures, orientation);
    } catch (error) {
      if (!(error instanceof EmbedError)) throw error;
      throw new EmbedError(error.code, `${refusal.detail}; ${error.detail}`, {
        cause: error.cause ?? error,
      });
    }
    if (!packed) throw refusal;
    return packed;
  }

  #embedding({ vector, decoder, ...about }: EmbeddingAnswer): Embedding {
    const embedding = { vector, dimensions: vector.length, ...about, modelId: this.#info.modelId };
    return decoder === undefined ? embedding : { ...embedding, decoder };
  }

  // Few items at a time, so that a query can go between, and only they are copied. `embed` does one or more of the items from
  // `first` on; what it rejects with is the fault of the first. A callback that throws aborts the signal (fence.ts).
  async #many<T>(
    work: readonly T[],
    name: string,
    options: EmbedOptions & ManyOptions,
    embed: (first: number, priority: "interactive" | "background") => Promise<EmbeddingsAnswer>,
  ): Promise<EmbeddingBatch> {
    const { signal, onProgress, dimensions = this.#info.fullDimensions } = options;
    const priority = lane(options, "background");
    signal?.throwIfAborted();
    const data = roomFor(work.length, dimensions);
    const truncated: number[] = [];
    const unknownTokens: number[] = [];
    const warnings: (readonly string[])[] = [];
    for (let done = 0; done < work.length; ) {
      let answer: EmbeddingsAnswer;
      try {
        answer = await embed(done, priority);
      } catch (error) {
        if (
          signal?.aborted ||
          !(error instanceof EmbedError) ||
          error.code === "disposed" ||
          error.code === "engine-lost"
        )
          throw error;
        throw new EmbedError(error.code, `${name}[${done}]: ${error.detail}`, { cause: error });
      }
      data.set(answer.vectors, done * dimensions);
      for (const [i, cut] of answer.truncated.entries()) {
        if (cut) truncated.push(done);
        unknownTokens.push(answer.unknownTokens[i] ?? 0);
        warnings.push(answer.warnings?.[i] ?? []);
        done++;
        onProgress?.(done, work.length);
        signal?.throwIfAborted(); // by the callback
      }
    }
    return makeBatch({
      data,
      count: work.length,
      dimensions,
      truncated,
      unknownTokens,
      warnings,
      modelId: this.#info.modelId,
    });
  }
}

/** The list as it is when the call is made, each item read by `read`. Lists with holes have items that are undefined. */
function readMany<T>(name: string, items: readonly T[], read: (name: string, item: T) => T): T[] {
  return reading(name, () => {
    if (!Array.isArray(items)) throw invalid(`${name} must be an array, not ${shown(items)}`);
    const list: T[] = [];
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as T;
      list.push(reading(`${name}[${i}]`, () => read(`${name}[${i}]`, item)));
    }
    return list;
  });
}

function roomFor(count: number, dimensions: number): Float32Array {
  try {
    return new Float32Array(count * dimensions);
  } catch (cause) {
    throw new EmbedError("out-of-memory", `no room for ${count} vectors of ${dimensions} numbers`, {
      cause,
    });
  }
}

/** Texts from `first` on. */
function takeBatch(texts: readonly string[], first: number): string[] {
  let end = first + 1;
  for (
    let characters = texts[first]!.length;
    end < texts.length && end - first < textsAtOnce;
    end++
  ) {
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
      if (count === 0) throw invalid(`there is no row ${shown(i)}: the batch is empty`);
      checkInteger("i", i, 0, count - 1);
      return reading("data", () => data.slice(i * dimensions, (i + 1) * dimensions)); // its buffer may have been transferred
    },
  };
}
