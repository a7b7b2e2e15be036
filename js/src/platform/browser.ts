// The caller's side in a browser: a page, or a worker of the user's own.
import { EmbedError } from "../errors.js";
import { probeSimd } from "../shared/variants.js";
import type { FromWorker } from "../shared/protocol.js";
import type { PagePlatform } from "../shared/platforms.js";
import type { WorkerPort } from "../shared/worker-port.js";

export const browserPlatform: PagePlatform = {
  capabilities() {
    const isolated = globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === "function";
    return {
      ...probeSimd((module) => WebAssembly.validate(module)),
      threads: isolated,
      noThreadsBecause:
        "the page is not cross-origin isolated; serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
      noRelaxedSimdBecause: "this browser has no relaxed SIMD",
      processors: navigator.hardwareConcurrency || 1,
    };
  },
  createWorker,
  decodesPictures: true,
  sendsBlob: (blob) => blob instanceof Blob,
  describeFolder: (model) => ({ kind: "url", href: resolveFolder(model) }),
  describeFiles: (files) => ({ kind: "addresses", addresses: Object.fromEntries(files.map(([path, address]) => [path, resolve(address).href])) }),
  describeCache(cache = true) {
    if (typeof cache !== "boolean") throw new EmbedError("invalid-argument", "cache must be true or false in a browser");
    return cache;
  },
  resolveFolder,
};

function resolveFolder(address: string): string {
  const url = resolve(address);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  url.search = url.hash = "";
  return url.href;
}

function resolve(address: string): URL {
  return new URL(address, typeof document === "undefined" ? location.href : document.baseURI);
}

function createWorker(): WorkerPort {
  const worker = new Worker(new URL("../worker/main.browser.js", import.meta.url), { type: "module", name: "clipglot" });
  const port: WorkerPort = {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: () => {},
    onFailure: () => {},
    setBusy: () => {},
    terminate: async () => worker.terminate(),
  };
  worker.onmessage = (event: MessageEvent<FromWorker>) => port.onMessage(event.data);
  worker.onerror = (event) => {
    event.preventDefault(); // it is reported through the promises
    port.onFailure(event.message || "its script could not be loaded");
  };
  worker.onmessageerror = () => port.onFailure("a message could not be read");
  return port;
}
