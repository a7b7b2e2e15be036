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
