/// <reference lib="esnext.disposable" preserve="true" />
// The public types. They name no type of the DOM, so that a project without it (Node) can use the package: what a page
// hands over (File, ImageData, ImageBitmap …) is described by the members that are used.
import type { BlobLike } from "./shared/protocol.js";
import type { CreateWorker } from "./shared/worker-port.js";
import type { DType, LoadProgress, LoadWarning, Tower, Variant } from "./shared/engine-types.js";

export type { CreateWorker, WorkerLike, WorkerStart } from "./shared/worker-port.js";
export type {
  CachedModel,
  DType,
  EngineInfo,
  FailedBuild,
  LoadProgress,
  LoadWarning,
  Tower,
  Variant,
} from "./shared/engine-types.js";
export type { BlobLike, ProfileEntry } from "./shared/protocol.js";

/** A `File`, from a file input or a drop. */
export interface FileLike extends BlobLike {
  readonly name: string;
  /** Set by `<input webkitdirectory>`: the path below the chosen folder's parent. */
  readonly webkitRelativePath?: string;
}

/** Bytes on demand; lets tests and unusual hosts supply the model. */
export interface ModelSource {
  /** All files of the model's folder: paths with "/" between names. */
  list(): Promise<readonly { readonly path: string; readonly byteLength: number }[]>;
  /** Exactly `length` bytes of the file, at most a few MiB at a time. The bytes are read before the next call. */
  read(path: string, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** An address for each file of a model's folder, for files that do not lie in one: bundlers rename them and move them. */
export interface ModelAddresses {
  /** From the path inside the folder, as the manifest has it, to the address. Files that are never needed may be left out. */
  readonly files: { readonly [path: string]: URL | string };
}

/** What `fetch` of `load` gives: a `Response`, described by the members that are used. */
export interface ResponseLike {
  readonly status: number;
  readonly statusText?: string;
  readonly headers: { forEach(each: (value: string, name: string) => void): void };
  /** Its bytes as they come. Nobody may have read from it. */
  readonly body: {
    readonly locked: boolean;
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  } | null;
}

/** Like the platform's `fetch`, which is one. `cache` is what an HTTP cache may do; `signal` ends the transfer. */
export type FetchLike = (
  url: string,
  init: {
    method: "GET" | "HEAD";
    headers: Record<string, string>;
    cache: "default" | "no-cache" | "no-store" | "reload";
    signal: AbortSignal;
  },
) => Promise<ResponseLike>;

export interface LoadOptions {
  /** A model's folder (a pack, or an upstream checkpoint): its URL, in Node also its path, or its files. */
  model: URL | string | ModelAddresses | ArrayLike<FileLike> | ModelSource;
  /** Load only what you need. Default: both. */
  towers?: readonly Tower[];
  /** "auto" takes the best that the platform can run. Another value: that one, or an error. Default "auto". */
  variant?: "auto" | Variant;
  /**
   * Threads inside the engine, 1 … 64; with "auto", 1 where memory cannot be shared (a page that is not cross-origin
   * isolated). Default: half the processors, at most 4; 2 if there are 2.
   */
  threads?: number;
  /** Longest text, in tokens, for which memory is set aside: 2 … 8192. Default 512. */
  maxTokens?: number;
  /** Largest picture that is decoded, in pixels. Default 64 million. */
  maxPixels?: number;
  /** Arithmetic for an unquantised checkpoint; a pack has its own. Default "q8". */
  dtype?: DType;
  /** Folder of the engine's files (clipglot-<variant>.mjs and .wasm), if they were moved. */
  assetBase?: URL | string;
  /**
   * Makes the engine's worker: for pages whose Trusted Types ask for an address of a policy of theirs, and for bundlers that do not
   * bring the worker themselves. `url` is the address of the package's own script (also exported as "clipglot/worker"), `options`
   * belong to the platform's Worker. What it throws is the cause of an "invalid-argument".
   */
  createWorker?: CreateWorker;
  /**
   * Milliseconds without a byte or a word of it until a file of the engine, its worker or one of its threads is given up and something
   * else is tried: 100 … 3 600 000. Default 10 000. Bytes of the model have their own patience.
   */
  startTimeout?: number;
  /**
   * Keep the files of a pack that comes from a URL, and read them from there the next time; see `listCached`. In browsers
   * true or false, by default true; in Node a folder, by default none.
   */
  cache?: boolean | URL | string;
  /**
   * Sent with each request for a file of a model behind URLs, not with those for the engine's own files. The platform decides what
   * goes along a redirect. They stand in no error, warning or name of a file. Other origins must allow them (CORS).
   */
  headers?: { readonly [name: string]: string } | Iterable<readonly [name: string, value: string]>;
  /**
   * Fetches the files of a model behind URLs, on this thread: for hosts that want a token renewed, a proxy, or a log. Called as the
   * platform's `fetch` is, with `headers` and ranges filled in.
   */
  fetch?: FetchLike;
  /** Compare the model's own examples, where a pack has some, before `load` resolves. Default true. */
  selfTest?: boolean;
  /** Count where the time of embeddings goes, for `Embedder.profile()`. Default false. */
  profile?: boolean;
  /**
   * Your own decoder, for files that the engine does not know or cannot read. It goes before the browser's. Default: none;
   * for Node there is one in `clipglot/sharp`.
   */
  decode?: DecodeHook;
  /** Ends the load; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
  /** Hears of what `load` does without, so that nothing is given up in silence. */
  onWarning?: (warning: LoadWarning) => void;
}

/** What a decoder of your own is asked for. */
export interface DecodeRequest {
  /** "exif": give the picture upright; "ignore": as stored. */
  readonly orientation: "exif" | "ignore";
  /** More pixels than this are refused. */
  readonly maxPixels: number;
}

/**
 * Gives the pixels of a file, or nothing (undefined, null) for a format that it does not know. `bytes` are its own; `mime` is
 * told by the first bytes, else what the Blob says, else "application/octet-stream". What it throws becomes the `cause` of an
 * "invalid-image".
 */
export type DecodeHook = (
  bytes: Uint8Array,
  mime: string,
  request: DecodeRequest,
) => RgbaImage | null | undefined | Promise<RgbaImage | null | undefined>;

/** Which cache. */
export interface CacheOptions {
  /** In Node, the folder that was given to `load`. In browsers there is one. */
  cache?: URL | string;
}

export interface EmbedOptions {
  /** The first n numbers of the vector, brought to unit length: 1 … `info.fullDimensions`. Default: all. */
  dimensions?: number;
  /** Unit length. Default true; false gives the raw pooled vector, and then only the full length. */
  normalized?: boolean;
  /** "interactive" goes before "background". Default: single calls interactive, many-calls background. */
  priority?: "interactive" | "background";
  /**
   * The promise rejects with the signal's reason, at once. Where memory can be shared (Node, pages that are cross-origin
   * isolated) the engine stops behind the layer it is in; elsewhere it finishes the call before it takes the next.
   */
  signal?: AbortSignal;
  /** Single calls: layers of the model that are done, of all. Many-calls: items. */
  onProgress?: (done: number, total: number) => void;
}

export interface TextOptions extends EmbedOptions {
  /** "retrieval.query" puts the model's instruction before the text; left out, nothing is put there. */
  task?: "retrieval.query";
  /** Read so many tokens at most: 2 … the maxTokens of `load`. Default: that. */
  maxTokens?: number;
  /** Beyond maxTokens: cut, and say so in the result, or fail with "too-long". Default "truncate". */
  tooLong?: "truncate" | "error";
  /** Unicode normalisation before anything else; for names of macOS files, which are decomposed. Default: none. */
  normalizeText?: "NFC";
}

export interface ImageOptions extends EmbedOptions {
  /** "exif": upright as the photographer meant; "ignore": as stored, which is the upstream behaviour. Default "exif". */
  orientation?: "exif" | "ignore";
  /**
   * Patches a side that the model reads of the picture: 1 … `info.imageGrid`, which is the default. Fewer are faster and less
   * exact, by the model's own interpolation of positions. Vectors of one index should have the same grid; docs/NUMERICS.md
   * tells what it costs.
   */
  grid?: number;
  /**
   * 16-bit gray PNG. "clip": values above 255 become white, which is what PIL and so the model's own pipeline does. "scale": the
   * high byte, which is what viewers show. Default "clip".
   */
  gray16?: "clip" | "scale";
}

export interface ManyOptions {
  onProgress?: (done: number, total: number) => void;
}

export interface Embedding {
  readonly vector: Float32Array;
  readonly dimensions: number;
  /** Tokens that were read; 0 for images. */
  readonly tokens: number;
  /** Tokens before cutting; 0 for images. */
  readonly totalTokens: number;
  /** The text was longer than maxTokens and was cut. */
  readonly truncated: boolean;
  /**
   * Tokens, of those that were read, that stand for what the model's vocabulary does not have. A text of only such tokens has a
   * vector without a meaning. 0 for images.
   */
  readonly unknownTokens: number;
  /** What was wrong with the picture's file and was passed over, a sentence each: data that ends early, for instance. */
  readonly warnings: readonly string[];
  /** Time in the engine. */
  readonly milliseconds: number;
  readonly modelId: string;
  /**
   * Images: who decoded the file. "core" gives the same pixels everywhere; "browser" takes formats that it does not know and
   * damaged files that it cannot read; "custom" is the `decode` of `load`.
   */
  readonly decoder?: "core" | "browser" | "custom";
}

export interface EmbeddingBatch {
  /** [count, dimensions], row-major, in the order of the input. */
  readonly data: Float32Array;
  readonly count: number;
  readonly dimensions: number;
  /** Rows whose text was cut. */
  readonly truncated: readonly number[];
  /** Of each row, the tokens that the vocabulary does not have; see Embedding. */
  readonly unknownTokens: readonly number[];
  /** Of each row, what was passed over in the picture's file; see Embedding. */
  readonly warnings: readonly (readonly string[])[];
  readonly modelId: string;
  /** A copy of row i. */
  row(i: number): Float32Array;
}

/** Bytes of a file: JPEG, PNG, BMP, GIF (first frame); in browsers also what they decode (WebP, AVIF …). At most 512 MiB. */
export interface EncodedImage {
  readonly bytes: Uint8Array;
}
/** Pixels, 4 bytes each (red, green, blue, alpha; alpha is dropped), e.g. an `ImageData`. */
export interface RgbaImage {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}
/** An `ImageBitmap`. Browsers only. */
export interface BitmapLike {
  readonly width: number;
  readonly height: number;
  close(): void;
}
export type ImageInput =
  | BlobLike
  | ArrayBuffer
  | ArrayBufferView
  | EncodedImage
  | RgbaImage
  | BitmapLike;

export interface IndexOptions {
  /** Length of the vectors. Default: `info.fullDimensions`. */
  dimensions?: number;
}

export interface IndexItem {
  readonly id: string;
  readonly vector: Float32Array | Embedding;
}

export interface SearchOptions {
  /** How many hits at most. Default 10. */
  k?: number;
  signal?: AbortSignal;
}

export interface Hit {
  readonly id: string;
  /** Dot product: the cosine, when the vectors have unit length. */
  readonly score: number;
}
