// The worker's side in a browser.
import { browserStore } from "./browser-store.js";
import type { Pixels, WorkerPlatform } from "../shared/platforms.js";
import type { ToWorker } from "../shared/protocol.js";
import { messageOf } from "../shared/values.js";

declare const self: DedicatedWorkerGlobalScope;

export const browserWorkerPlatform: WorkerPlatform = {
  post: (message, transfer) => self.postMessage(message, transfer),
  listen(handle) {
    self.onmessage = (event: MessageEvent<ToWorker>) => handle(event.data);
    // A thread of the engine broke, or something of ours: the engine cannot be trusted any more.
    self.onunhandledrejection = (event) => {
      event.preventDefault();
      self.postMessage({ type: "lost", detail: messageOf(event.reason) });
    };
  },
  openStore: browserStore,
  async decode(file, ignoreOrientation) {
    const bitmap = await createImageBitmap(new Blob([file as Uint8Array<ArrayBuffer>]), {
      imageOrientation: ignoreOrientation ? "none" : "from-image",
      premultiplyAlpha: "none",
      colorSpaceConversion: "none",
    });
    try {
      return readPixels(bitmap);
    } finally {
      bitmap.close();
    }
  },
  readBitmap: (bitmap) => readPixels(bitmap as ImageBitmap),
};

function readPixels(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  if (width === 0 || height === 0) return { bytes: new Uint8Array(0), width, height };
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return { bytes: new Uint8Array(data.buffer), width, height };
}
