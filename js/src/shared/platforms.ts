// What the two sides need from the platform; ../platform/ has one of each for browsers and for Node.
import type { CreateWorker } from "./worker-port.js";
import type { FromWorker, SourceDescription, ToWorker } from "./protocol.js";
import type { OpenSource } from "./source.js";
import type { ModelStore } from "./store.js";
import type { Capabilities } from "./variants.js";
import type { WorkerPort } from "./worker-port.js";

/** The caller's side. */
export interface PagePlatform {
  capabilities(): Capabilities;
  /**
   * Ways to start the engine's worker, the first to be tried first. A way gives a port or throws what the platform throws.
   * Throws "start-failed" where there are no workers.
   */
  workerWays(createWorker: CreateWorker | undefined): readonly WorkerWay[];
  /** The worker has `decode` and `readBitmap`. */
  readonly decodesPictures: boolean;
  /** A model given as URL (or path, in Node). Throws "invalid-argument" for what this place cannot read. */
  describeFolder(model: string): SourceDescription;
  /** A model given as an address for each path. */
  describeFiles(files: readonly (readonly [path: string, address: string])[]): SourceDescription;
  /** The option `cache`, as the worker's `openStore` takes it; false: nothing is kept. */
  describeCache(cache: boolean | string | undefined): boolean | string;
  /**
   * The store of `listCached` and `deleteCached`; undefined where there is none. `readFolder` reads the option `cache`, which
   * only Node uses. Throws "invalid-argument" when Node is given no folder.
   */
  openStore(readFolder: () => string | undefined): Promise<ModelStore | undefined>;
  /** An address given by the user, e.g. assetBase, made absolute; with a "/" at its end. */
  resolveFolder(address: string): string;
}

export interface WorkerWay {
  /** Address of the worker's script. */
  readonly url: string;
  /** `createWorker` makes the worker: what it throws is the caller's. */
  readonly madeByCaller: boolean;
  open(): WorkerPort;
  /** Whether the next way may help when the worker did not start, or did not even say why within the time. */
  readonly another: (fault: WorkerFault) => boolean;
  /** Looks for what is wrong when the worker did not start. Ends by itself, after `silence` milliseconds without an answer. */
  explain(silence: number): Promise<WorkerFault>;
}

export interface WorkerFault {
  /** Nothing wrong was found with the script itself. */
  readonly none: boolean;
  /** For people. */
  readonly reason: string;
  /** The script lacks a header that workers of isolated pages need. */
  readonly headerMissing: boolean;
}

export interface Pixels {
  /** RGBA, 4 bytes each. */
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A worker of one of the engine's threads. */
export interface Thread {
  /** What the engine's module takes for a Worker. */
  readonly worker: object;
  /** Ends it. Resolves when the worker that started it may be ended as well. */
  end(): Promise<void>;
}

export interface ThreadEvents {
  /** It waits for work. */
  loaded(): void;
  /** Its script did not come, or it broke, now or later. */
  failed(reason: string): void;
}

/** How the engine's own files come, and how its threads start. Errors: StartFailure. */
export interface EngineFiles {
  importModule(url: string): Promise<object>;
  /** Gives a WebAssembly.Module. */
  compile(url: string): Promise<object>;
  /** Ways to start threads whose script is `url`, the best first; none: with the reason. */
  threadWays(url: string): { readonly ways: readonly ThreadWay[]; readonly noneBecause: string };
  /** `options`: as the module would give them to the platform's Worker. */
  startThread(url: string, options: object, way: ThreadWay, events: ThreadEvents): Thread;
  /** What may be wrong with the script of a thread that did not start. */
  explainThread(url: string): Promise<string>;
}

/** A thread's worker starts from the address of the module, or from a line of its own (a blob) that imports it. */
export type ThreadWay = "address" | "blob";

/** The worker's side. */
export interface WorkerPlatform {
  /** `transfer`: buffers that move instead of being copied. */
  post(message: FromWorker, transfer: ArrayBuffer[]): void;
  /** Calls `handle` for each message, in their order. */
  listen(handle: (message: ToWorker) => void): void;
  /** `silence`: milliseconds without a byte or a word until something is given up. */
  engineFiles(silence: number): EngineFiles;
  /** A model in a folder on disk, where there are such. */
  openPath?(path: string, hint?: string): Promise<OpenSource>;
  openPaths?(paths: { readonly [path: string]: string }): Promise<OpenSource>;
  /** Where the files of URLs are kept; nothing when that is not possible here. */
  openStore(cache: true | string): Promise<ModelStore | undefined>;
  /**
   * The platform's own image decoder, of a file whose size in pixels was looked at. Colours below full transparency are kept.
   * Fails when it does not know the format either.
   */
  decode?(file: Uint8Array, ignoreOrientation: boolean): Promise<Pixels>;
  /** The pixels of an ImageBitmap. */
  readBitmap?(bitmap: unknown): Promise<Pixels>;
}
