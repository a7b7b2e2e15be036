// What the two sides need from the place they run in; ../platform/ has one of each for browsers and for Node.
import type { FromWorker, SourceDescription, ToWorker } from "./protocol.js";
import type { OpenSource } from "./source.js";
import type { ModelStore } from "./store.js";
import type { Capabilities } from "./variants.js";
import type { WorkerPort } from "./worker-port.js";

/** The caller's side. */
export interface PagePlatform {
  capabilities(): Capabilities;
  createWorker(): WorkerPort;
  /** The worker has `decode` and `readBitmap`. */
  readonly decodesPictures: boolean;
  /** Whether the worker can read such a file itself when it is sent there. */
  sendsBlob(blob: object): boolean;
  /** A model given as URL (or path, in Node). Throws "invalid-argument" for what this place cannot read. */
  describeFolder(model: string): SourceDescription;
  /** A model given as an address for each path. */
  describeFiles(files: readonly (readonly [path: string, address: string])[]): SourceDescription;
  /** The option `cache`, as the worker's `openStore` takes it; false: nothing is kept. */
  describeCache(cache: boolean | string | undefined): boolean | string;
  /** An address given by the user, e.g. assetBase, made absolute; with a "/" at its end. */
  resolveFolder(address: string): string;
}

export interface Pixels {
  /** RGBA, 4 bytes each. */
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** The worker's side. */
export interface WorkerPlatform {
  /** `transfer`: buffers that move instead of being copied. */
  post(message: FromWorker, transfer: ArrayBuffer[]): void;
  /** Calls `handle` for each message, in their order. */
  listen(handle: (message: ToWorker) => void): void;
  /** A model in a folder on disk, where there are such. */
  openPath?(path: string): Promise<OpenSource>;
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
