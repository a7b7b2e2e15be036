// The worker's side in a browser.
import { browserEngineFiles } from "./engine-files.js";
import { browserStore } from "./store.js";
import { decodePicture, readPixels } from "./pictures.js";
import type { WorkerPlatform } from "../../shared/platforms.js";
import type { ToWorker } from "../../shared/protocol.js";
import { reasonOf } from "../../shared/reason.js";

declare const self: DedicatedWorkerGlobalScope;

export const browserWorkerPlatform: WorkerPlatform = {
  post: (message, transfer) => self.postMessage(message, transfer),
  listen(handle) {
    self.onmessage = (event: MessageEvent<ToWorker>) => handle(event.data);
    // A thread of the engine broke, or something of ours: the engine cannot be trusted any more.
    self.onunhandledrejection = (event) => {
      event.preventDefault();
      self.postMessage({ type: "lost", detail: reasonOf(event.reason) });
    };
  },
  engineFiles: browserEngineFiles,
  openStore: browserStore,
  decode: decodePicture,
  readBitmap: (bitmap) => readPixels(bitmap as ImageBitmap),
};
