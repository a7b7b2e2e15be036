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
export type { BlobLike, ProfileCategory, ProfileEntry } from "./shared/protocol.js";

/** A `File`, from a file input or a drop. */
export interface FileLike extends BlobLike {
  /** The file's name, without a path. */
  readonly name: string;
  /** Set by `<input webkitdirectory>`: the path below the chosen folder's parent. */
  readonly webkitRelativePath?: string;
}

/** A model whose bytes you supply yourself, on demand. What its functions reject with is the `cause` of an "unreadable". */
export interface ModelSource {
  /** All files of the model's folder: paths with "/" between names. */
  list(): Promise<readonly { readonly path: string; readonly byteLength: number }[]>;
  /**
   * Exactly `length` bytes of the file `path` from `offset`, at most 4 MiB. They are copied before the next call. `signal`: aborted
   * when the load ends early.
   */
  read(path: string, offset: number, length: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** An address for each file of a model, for files that are not in one folder: bundlers rename and move them. */
export interface ModelAddresses {
  /** From the path inside the folder, as the manifest has it, to the address. Files that are never needed may be left out. */
  readonly files: { readonly [path: string]: URL | string };
}

/** A model on a hub: Hugging Face, or a mirror of it. Its checkpoint is converted while it is downloaded; see `LoadOptions.model`. */
export interface HubModel {
  /** Which model. */
  readonly hub: HubOptions;
}

/** Which model on which hub. */
export interface HubOptions {
  /** "OWNER/NAME". */
  readonly repo: string;
  /** A branch, a tag or a commit. Default "main". */
  readonly revision?: string;
  /** Address of the hub. Default "https://huggingface.co". */
  readonly endpoint?: URL | string;
  /** For models that are not public. Sent to `endpoint` and to no other server; appears in no error, event or file name. */
  readonly token?: string;
  /** Fetches the model's files, instead of `fetch` of `load`. */
  readonly fetch?: FetchLike;
}

/** What `fetch` of `load` resolves to: a `Response`, described by the members that are used. */
export interface ResponseLike {
  /** HTTP status. */
  readonly status: number;
  /** For messages. */
  readonly statusText?: string;
  /** HTTP headers. */
  readonly headers: { forEach(each: (value: string, name: string) => void): void };
  /** The bytes as a stream that nobody has read from. */
  readonly body: {
    readonly locked: boolean;
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  } | null;
}

/** A function like the platform's `fetch`. `cache`: what an HTTP cache may do; `signal`: ends the transfer. */
export type FetchLike = (
  url: string,
  init: {
    method: "GET" | "HEAD";
    headers: Record<string, string>;
    cache: "default" | "no-cache" | "no-store" | "reload";
    signal: AbortSignal;
  },
) => Promise<ResponseLike>;

/** Options of `load`. Unknown names are refused with "invalid-argument"; null means "not given". */
export interface LoadOptions {
  /**
   * A model's folder (a pack, or an upstream checkpoint): its URL, in Node also its path, or its files. Or the name of a checkpoint on
   * Hugging Face: "hf:OWNER/NAME", "hf:OWNER/NAME@REVISION". That is converted to a pack while it is downloaded, and the pack is
   * cached: later loads need no network.
   */
  model: URL | string | HubModel | ModelAddresses | ArrayLike<FileLike> | ModelSource;
  /** The towers to load: "text", "vision" or both. Each takes memory of its own. Default: both. */
  towers?: readonly Tower[];
  /** The engine's build. "auto" takes the fastest that runs here; any other value, that build or an error. Default "auto". */
  variant?: "auto" | Variant;
  /**
   * Threads inside the engine, 1 … 64; with "auto", 1 where memory cannot be shared (a page that is not cross-origin
   * isolated). Default: half the processors, at most 4; 2 if there are 2.
   */
  threads?: number;
  /** Tokens of the longest text for which memory is reserved: 2 … 8192. Default 512. */
  maxTokens?: number;
  /** Pixels of the largest picture that is decoded: 1 … 2147483648. Default 64 million. */
  maxPixels?: number;
  /** Format of the weights that a checkpoint is quantised to; a pack has its own. Default "q8". */
  dtype?: DType;
  /** Folder of the engine's files (clipglot-<variant>.mjs and .wasm), if they were moved. */
  assetBase?: URL | string;
  /**
   * Makes the engine's worker: for pages whose Trusted Types require an address from their own policy, and for bundlers that do not
   * emit the worker themselves. `url` is the address of the package's own script (also exported as "clipglot/worker"), `options`
   * belong to the platform's Worker. What it throws is the cause of an "invalid-argument".
   */
  createWorker?: CreateWorker;
  /**
   * Milliseconds of silence after which a file of the engine, its worker or one of its threads counts as failed and something
   * else is tried: 100 … 3 600 000. Default 10 000. Requests for the model have limits of their own.
   */
  startTimeout?: number;
  /**
   * Caches the files of a pack that comes from a URL, for the next load; see `listCached`. In browsers true or false, by
   * default true; in Node a folder, by default none.
   */
  cache?: boolean | URL | string;
  /**
   * HTTP headers of each request for a file of the model, not of those for the engine's own files. The platform decides which
   * follow a redirect. They appear in no error, warning or file name. Other origins must allow them (CORS).
   */
  headers?: { readonly [name: string]: string } | Iterable<readonly [name: string, value: string]>;
  /**
   * Fetches the model's files instead of the platform's `fetch`, on this thread: to renew tokens, use a proxy or keep a log.
   * `headers` and ranges are filled in.
   */
  fetch?: FetchLike;
  /** Whether to compare the pack's own examples with the engine's vectors before `load` resolves. Default true. */
  selfTest?: boolean;
  /** Whether to measure where the time of embeddings goes, for `Embedder.profile()`. Default false. */
  profile?: boolean;
  /**
   * Your own decoder, for image files that the engine cannot decode. It is tried before the browser's. Default: none; for Node
   * there is one in `clipglot/sharp`.
   */
  decode?: DecodeHook;
  /** Ends the load; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called as bytes of the model come. */
  onProgress?: (progress: LoadProgress) => void;
  /** Called for each feature that `load` continues without. */
  onWarning?: (warning: LoadWarning) => void;
}

/** What a `DecodeHook` is asked for. */
export interface DecodeRequest {
  /** "exif": upright, by the EXIF orientation; "ignore": as stored. */
  readonly orientation: "exif" | "ignore";
  /** More pixels than this are refused. */
  readonly maxPixels: number;
}

/**
 * Decodes an image file. Gives its pixels, or undefined or null for a format that it does not know. `bytes`: a copy, for it to keep;
 * `mime`: by the first bytes, else as the Blob says, else "application/octet-stream". What it throws becomes the `cause` of an
 * "invalid-image".
 */
export type DecodeHook = (
  bytes: Uint8Array,
  mime: string,
  request: DecodeRequest,
) => RgbaImage | null | undefined | Promise<RgbaImage | null | undefined>;

/** Options of `listCached` and `deleteCached`. */
export interface CacheOptions {
  /** In Node, the folder that was given to `load`. In browsers there is one. */
  cache?: URL | string;
}

/** Options of all embeddings. */
export interface EmbedOptions {
  /** The first n dimensions of the vector, normalised to unit length: 1 … `info.fullDimensions`. Default: all. */
  dimensions?: number;
  /** Whether the vector has unit length. Default true; false gives the raw pooled vector, of full length only. */
  normalized?: boolean;
  /** "interactive" calls run before "background" ones. Default: "interactive" for one input, "background" for many. */
  priority?: "interactive" | "background";
  /**
   * Aborting it rejects the promise with its reason, at once. Where memory can be shared (Node, cross-origin isolated pages) the
   * engine stops after the current layer; elsewhere it finishes the call before it starts the next.
   */
  signal?: AbortSignal;
  /** Called as layers (one input) or items (many inputs) are done, with their total number. */
  onProgress?: (done: number, total: number) => void;
}

/** Options of text embeddings. */
export interface TextOptions extends EmbedOptions {
  /** "retrieval.query" prepends the model's instruction to the text. Default: no instruction. */
  task?: "retrieval.query";
  /** Max tokens that are read: 2 … the `maxTokens` of `load`. Default: that. */
  maxTokens?: number;
  /** What to do with a longer text: "truncate" it, and report that in the result, or reject with "too-long". Default "truncate". */
  tooLong?: "truncate" | "error";
  /** Unicode normalisation before tokenising, e.g. for macOS file names, which are decomposed. Default: none. */
  normalizeText?: "NFC";
}

/** Options of image embeddings. */
export interface ImageOptions extends EmbedOptions {
  /** "exif": upright, by the EXIF orientation; "ignore": as stored, which is what upstream does. Default "exif". */
  orientation?: "exif" | "ignore";
  /**
   * Patches per side that the model reads of the picture: 1 … `info.imageGrid`, which is the default. Fewer are faster and less
   * exact. Vectors of one index should have the same grid; docs/NUMERICS.md has figures.
   */
  grid?: number;
  /**
   * Conversion of 16-bit gray PNG. "clip": values above 255 become white, as in PIL and so in the model's own pipeline. "scale":
   * the high byte, as in viewers. Default "clip".
   */
  gray16?: "clip" | "scale";
}

/** Further options of `embedTexts` and `embedImages`. */
export interface ManyOptions {
  /** Called as items are done, with their total number. */
  onProgress?: (done: number, total: number) => void;
}

/** The vector of one text or image. */
export interface Embedding {
  /** [dimensions]; of unit length unless `normalized: false` was given. */
  readonly vector: Float32Array;
  /** Length of the vector. */
  readonly dimensions: number;
  /** Tokens that were read; 0 for images. */
  readonly tokens: number;
  /** Tokens of the whole text; 0 for images. */
  readonly totalTokens: number;
  /** Whether the text was longer than `maxTokens` and was truncated. */
  readonly truncated: boolean;
  /**
   * Unknown tokens among those that were read: text that the model's vocabulary does not have. The vector of a text with no other
   * tokens has no meaning. 0 for images.
   */
  readonly unknownTokens: number;
  /** Defects of the image file that were tolerated, a sentence each, e.g. data that ends early. */
  readonly warnings: readonly string[];
  /** Time in the engine, in milliseconds. */
  readonly milliseconds: number;
  /** The model, as in `info.modelId`. */
  readonly modelId: string;
  /**
   * What decoded the image file. "core": the engine, with the same pixels everywhere; "browser": the browser, for formats and
   * damaged files that the engine cannot decode; "custom": the `decode` of `load`.
   */
  readonly decoder?: "core" | "browser" | "custom";
}

/** The vectors of many texts or images. */
export interface EmbeddingBatch {
  /** [count, dimensions], row-major, in the order of the input. */
  readonly data: Float32Array;
  /** Number of rows. */
  readonly count: number;
  /** Length of a row. */
  readonly dimensions: number;
  /** Rows whose text was truncated, ascending. */
  readonly truncated: readonly number[];
  /** Of each row, the number of unknown tokens; see `Embedding`. */
  readonly unknownTokens: readonly number[];
  /** Of each row, the defects of the image file that were tolerated; see `Embedding`. */
  readonly warnings: readonly (readonly string[])[];
  /** The model, as in `info.modelId`. */
  readonly modelId: string;
  /** A copy of row `i`: 0 … count − 1. Throws "invalid-argument". */
  row(i: number): Float32Array;
}

/** An image file: JPEG, PNG, BMP, GIF (first frame); in browsers also what they decode (WebP, AVIF …). At most 512 MiB. */
export interface EncodedImage {
  /** The file's bytes. They are copied. */
  readonly bytes: Uint8Array;
}
/** Pixels, e.g. an `ImageData`. */
export interface RgbaImage {
  /** [height, width, 4]: red, green, blue, alpha; alpha is ignored. Copied. */
  readonly data: Uint8ClampedArray | Uint8Array;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
}
/** An `ImageBitmap`. Browsers only. */
export interface BitmapLike {
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
  /** Never called: the bitmap stays yours. */
  close(): void;
}
/** What `embedImage` takes: a `Blob` or `File`, bytes of an image file, pixels, or an `ImageBitmap`. */
export type ImageInput =
  | BlobLike
  | ArrayBuffer
  | ArrayBufferView
  | EncodedImage
  | RgbaImage
  | BitmapLike;

/** Options of `createIndex`. */
export interface IndexOptions {
  /** Length of the vectors. Default: `info.fullDimensions`. */
  dimensions?: number;
}

/** A vector for an index. */
export interface IndexItem {
  /** Yours; an id that is in the index already is replaced. */
  readonly id: string;
  /** Of the index's dimensions. */
  readonly vector: Float32Array | Embedding;
}

/** Options of `search`. */
export interface SearchOptions {
  /** Max hits. Default 10. */
  k?: number;
  /** Aborting it rejects the promise with its reason. */
  signal?: AbortSignal;
}

/** A vector that a search found. */
export interface Hit {
  /** As it was added. */
  readonly id: string;
  /** Dot product with the query: the cosine, if both vectors have unit length. */
  readonly score: number;
}
