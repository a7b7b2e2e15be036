// What the worker's side needs from the place it runs in; see main.browser.ts and main.node.ts.
import type { OpenSource } from "../loading/source.js";
import type { FromWorker, ToWorker } from "../shared/protocol.js";

export interface Pixels {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface WorkerPlatform {
  /** `transfer`: buffers that move instead of being copied. */
  post(message: FromWorker, transfer: ArrayBuffer[]): void;
  /** Calls `handle` for each message, in their order. */
  listen(handle: (message: ToWorker) => void): void;
  /** A model in a folder on disk, where there are such. */
  openPath?(path: string): Promise<OpenSource>;
  /** The platform's own image decoder. Fails when it does not know the format either. */
  decode?(file: Uint8Array, ignoreOrientation: boolean): Promise<Pixels>;
  /** The pixels of an ImageBitmap. */
  readBitmap?(bitmap: unknown): Pixels;
  /** See startModule. */
  readonly namedThreadScript: boolean;
}
