// The messages between the caller's thread and the worker: the only thing that both sides know of each other.
//
// One load, then one call at a time: the page sends the next call when the answer to the last one is there. Everything is
// structured-cloneable. Vectors are transferred, so each has one owner.
import type { ErrorCode } from "../errors.js";
import type {
  DType,
  EngineInfo,
  LoadProgress,
  LoadWarning,
  Tower,
  Variant,
} from "./engine-types.js";
import type { HubAddress } from "./hub-address.js";

/** A file whose bytes come through `slice(…).arrayBuffer()`: a Blob, without naming the platform's type. */
export interface BlobLike {
  /** Bytes. */
  readonly size: number;
  /** The bytes from `start` up to `end`, as a Blob. */
  slice(start?: number, end?: number): BlobLike;
  /** Reads the bytes. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Where the worker finds the model. */
export type SourceDescription =
  | { readonly kind: "url"; readonly href: string } // a folder; its path ends with "/", a query goes with each file
  | { readonly kind: "addresses"; readonly addresses: { readonly [path: string]: string } } // a URL for each file
  | {
      readonly kind: "hub";
      readonly hub: HubAddress;
      readonly token: string | undefined;
      /** The converter's module and its .wasm. */
      readonly converter: { readonly moduleUrl: string; readonly wasmUrl: string };
    }
  | { readonly kind: "path"; readonly path: string; readonly hint?: string } // a folder on disk, in Node; a hint for when it is missing
  | { readonly kind: "paths"; readonly paths: { readonly [path: string]: string } } // a path for each file, in Node
  | {
      readonly kind: "custom";
      readonly files: readonly { readonly path: string; readonly byteLength: number }[];
    };

/** One build of the engine, and where it lies. */
export interface BuildRequest {
  readonly variant: Variant;
  readonly threads: number;
  /** Addresses of the engine's module and of its .wasm. */
  readonly moduleUrl: string;
  readonly wasmUrl: string;
}

export interface LoadRequest {
  readonly source: SourceDescription;
  readonly sourceName: string;
  /** The build to start, then those that may replace it if it does not start. */
  readonly builds: readonly [BuildRequest, ...BuildRequest[]];
  /** Milliseconds of silence after which a file or a thread counts as failed. */
  readonly startTimeout: number;
  /** Whether and where the files of a URL are cached. */
  readonly cache: boolean | string;
  /** Sent with each request for the model's files. */
  readonly headers: readonly (readonly [string, string])[];
  /** The caller fetches them. */
  readonly fetches: boolean;
  readonly selfTest: boolean;
  /** Count where the time of embeddings goes. */
  readonly profile: boolean;
  readonly towers: readonly Tower[];
  readonly dtype: DType;
  readonly maxTokens: number;
  readonly maxPixels: number;
}

export interface VectorSettings {
  readonly dimensions: number; // 0: full
  readonly normalized: boolean;
}
export interface TextSettings extends VectorSettings {
  readonly task: string; // "": none
  readonly maxTokens: number; // 0: the engine's own
  readonly errorWhenTooLong: boolean;
  readonly normalizeNfc: boolean;
}
export interface ImageSettings extends VectorSettings {
  readonly ignoreOrientation: boolean;
  readonly grid: number; // 0: the model's own
  readonly scaleGray16: boolean;
}

export type ImagePayload =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** `decoder`: "custom" where the user's decoder made the pixels of a file. */
  | {
      readonly kind: "rgba";
      readonly bytes: Uint8Array;
      readonly width: number;
      readonly height: number;
      readonly decoder: "custom" | undefined;
    }
  | { readonly kind: "bitmap"; readonly bitmap: unknown };

/** Each call with its answer. */
export interface Calls {
  "embed-text": {
    readonly call: {
      readonly text: string;
      readonly settings: TextSettings;
      readonly report: boolean;
    };
    readonly answer: EmbeddingAnswer;
  };
  /** The first of the texts, as many as the engine computes at once, at least one. */
  "embed-texts": {
    readonly call: { readonly texts: readonly string[]; readonly settings: TextSettings };
    readonly answer: EmbeddingsAnswer;
  };
  "embed-image": {
    readonly call: {
      readonly image: ImagePayload;
      readonly settings: ImageSettings;
      readonly report: boolean;
    };
    readonly answer: EmbeddingAnswer;
  };
  "count-tokens": {
    readonly call: { readonly text: string; readonly settings: TextSettings };
    readonly answer: { readonly tokens: number; readonly maxTokens: number };
  };
  "index-create": {
    readonly call: { readonly dimensions: number };
    readonly answer: { readonly index: number };
  };
  /** `rows`: [count, dimensions]; the answer says the row of the first. */
  "index-add": {
    readonly call: { readonly index: number; readonly rows: Float32Array };
    readonly answer: { readonly firstRow: number };
  };
  "index-search": {
    readonly call: { readonly index: number; readonly query: Float32Array; readonly k: number };
    readonly answer: { readonly rows: Uint32Array; readonly scores: Float32Array };
  };
  "index-clear": {
    readonly call: { readonly index: number };
    readonly answer: Record<never, never>;
  };
  "index-dispose": {
    readonly call: { readonly index: number };
    readonly answer: Record<never, never>;
  };
  profile: { readonly call: Record<never, never>; readonly answer: readonly ProfileEntry[] };
  /** For tests: what no user needs. */
  diagnostics: { readonly call: Record<never, never>; readonly answer: Diagnostics };
}
export type CallKind = keyof Calls;
export type Call = { [K in CallKind]: { readonly kind: K } & Calls[K]["call"] }[CallKind];
export type CallOf<K extends CallKind> = { readonly kind: K } & Calls[K]["call"];
export type AnswerOf<K extends CallKind> = Calls[K]["answer"];

export interface EmbeddingAnswer {
  readonly vector: Float32Array;
  readonly tokens: number;
  readonly totalTokens: number;
  readonly truncated: boolean;
  readonly unknownTokens: number;
  readonly warnings: readonly string[];
  readonly milliseconds: number;
  readonly decoder: "core" | "browser" | "custom" | undefined;
}

export interface EmbeddingsAnswer {
  /** [texts, dimensions], concatenated; as many texts as `truncated` has members. */
  readonly vectors: Float32Array;
  /** Whether each text was cut. */
  readonly truncated: readonly boolean[];
  /** Tokens of each text that the vocabulary does not have. */
  readonly unknownTokens: readonly number[];
  /** Of pictures: what was passed over in each. */
  readonly warnings?: readonly (readonly string[])[];
}

/** Kind of work that `Embedder.profile` tells apart. */
export type ProfileCategory =
  | "input"
  | "linear"
  | "quantization"
  | "attention"
  | "rotary"
  | "norm"
  | "activation"
  | "other";

/** One kind of work: how often it was done, and the time without the work inside it. */
export interface ProfileEntry {
  /** Kind of work. */
  readonly kind: ProfileCategory;
  /** How often it ran. */
  readonly calls: number;
  /** Time spent in it, in all. */
  readonly milliseconds: number;
}

export interface Diagnostics {
  readonly heapBytes: number;
  readonly allocatedBytes: number;
  readonly threadsSeen: number;
  readonly indexes: number;
}

export interface WireError {
  readonly code: ErrorCode | "cancelled";
  readonly detail: string;
  readonly cause?: { readonly name: string; readonly message: string };
}

/**
 * Lets the page stop a running call: 32 bits that both threads see, not 0 while the call shall stop. The worker makes it, the
 * page writes it (client.ts), the engine reads it (wasm/call_observer.h). It is not part of the heap: the page keeps it as long
 * as the embedder, and would keep the whole heap alive.
 */
export type CancelFlag = SharedArrayBuffer;

/** What a worker asks of a fetch on the caller's side; `id` names the response. */
export type FetchQuestion =
  | {
      readonly type: "fetch-open";
      readonly id: number;
      readonly href: string;
      readonly method: "GET" | "HEAD";
      readonly headers: Record<string, string>;
      readonly cache: "default" | "no-cache" | "no-store" | "reload";
    }
  | { readonly type: "fetch-read"; readonly id: number }
  | { readonly type: "fetch-cancel"; readonly id: number };

export type FetchAnswer =
  | {
      readonly type: "fetch-opened";
      readonly id: number;
      readonly status: number;
      readonly statusText: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly hasBody: boolean;
    }
  /** The next bytes; without `bytes`, the end. */
  | { readonly type: "fetch-bytes"; readonly id: number; readonly bytes?: Uint8Array<ArrayBuffer> }
  /** `final`: another attempt would fail, too. */
  | {
      readonly type: "fetch-failed";
      readonly id: number;
      readonly message: string;
      readonly final: boolean;
    };

export type ToWorker =
  | FetchAnswer
  | { readonly type: "load"; readonly request: LoadRequest }
  | { readonly type: "call"; readonly id: number; readonly call: Call }
  | { readonly type: "source-bytes"; readonly read: number; readonly bytes: Uint8Array }
  | { readonly type: "source-error"; readonly read: number; readonly message: string };

export type FromWorker =
  | FetchQuestion
  | { readonly type: "hello" }
  | { readonly type: "progress"; readonly progress: LoadProgress }
  | { readonly type: "warning"; readonly warning: LoadWarning }
  | {
      readonly type: "source-read";
      readonly read: number;
      readonly path: string;
      readonly offset: number;
      readonly length: number;
    }
  | {
      readonly type: "ready";
      readonly info: EngineInfo;
      readonly cancelFlag: CancelFlag | undefined;
    }
  | { readonly type: "load-failed"; readonly error: WireError }
  /** Layers of the running call, if it asked (`report`). */
  | { readonly type: "layer"; readonly id: number; readonly done: number; readonly total: number }
  | { readonly type: "answer"; readonly id: number; readonly answer: AnswerOf<CallKind> }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError }
  | { readonly type: "lost"; readonly detail: string };
