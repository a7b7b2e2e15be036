// How the client sees a worker, whatever the platform.
import type { FromWorker, ToWorker } from "./protocol.js";

export interface WorkerPort {
  /** `transfer`: buffers that move instead of being copied; only buffers that we made. */
  post(message: ToWorker, transfer: ArrayBuffer[]): void;
  /** Set once, before the first message can arrive. */
  onMessage: (message: FromWorker) => void;
  /** The worker broke: an uncaught error, a script that does not load, an unexpected end. */
  onFailure: (detail: string) => void;
  /** Keeps the process alive while true (Node). */
  setBusy(busy: boolean): void;
  terminate(): Promise<void>;
}

/** What the library needs of a Worker; the platform's own fit (of browsers, and of node:worker_threads). */
export interface WorkerLike {
  /** Sends a message; what `transfer` lists is moved. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Ends the worker at once. */
  terminate(): unknown;
}

/** The options for the platform's Worker. */
export interface WorkerStart {
  /** Left out where a bundler made a classic script of the worker, and in Node. */
  readonly type?: "module" | "classic";
  /** Name of the worker, as tools for developers show it. */
  readonly name: string;
}

/** Makes the engine's worker from the address of its script. */
export type CreateWorker = (url: string, options: WorkerStart) => WorkerLike;
