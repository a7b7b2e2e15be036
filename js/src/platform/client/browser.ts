// The caller's side in a browser: a page, or a worker of the user's own.
import { EmbedError } from "../../errors.js";
import { probeSimd } from "../../shared/variants.js";
import type { PagePlatform } from "../../shared/platforms.js";
import { reasonOf } from "../../shared/reason.js";
import { browserWorkerWays } from "./worker-ways.js";
import { browserStore } from "../worker/store.js";
import { folderAddress, withoutSecrets } from "./addresses.js";

export const browserPlatform: PagePlatform = {
  capabilities() {
    const noThreadsBecause = whyNoThreads();
    return {
      ...(typeof WebAssembly === "object"
        ? probeSimd((module) => WebAssembly.validate(module))
        : { simd: false, relaxedSimd: false }),
      noSimdBecause:
        typeof WebAssembly === "object"
          ? "this browser has none"
          : "this browser has no WebAssembly at all (Lockdown Mode of Apple's devices switches it off)",
      threads: noThreadsBecause === "",
      noThreadsBecause,
      noRelaxedSimdBecause: "this browser has no relaxed SIMD",
      processors: globalThis.navigator?.hardwareConcurrency || 1,
    };
  },
  workerWays: browserWorkerWays,
  decodesPictures: true,
  describeFolder: (model) => ({ kind: "url", href: folderAddress(resolve(model)) }),
  describeFiles: (files) => ({
    kind: "addresses",
    addresses: Object.fromEntries(
      files.map(([path, address]) => [path, withoutSecrets(resolve(address)).href]),
    ),
  }),
  describeCache(cache = true) {
    if (typeof cache !== "boolean")
      throw new EmbedError("invalid-argument", "cache must be true or false in a browser");
    return cache;
  },
  openStore: () => browserStore(),
  resolveFolder,
};

function resolveFolder(address: string): string {
  const url = resolve(address);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  url.search = url.hash = "";
  return url.href;
}

function resolve(address: string): URL {
  try {
    return new URL(address, typeof document === "undefined" ? location.href : document.baseURI);
  } catch (cause) {
    throw new EmbedError(
      "invalid-argument",
      `not an address that this place can resolve: ${JSON.stringify(address.slice(0, 200))} (${reasonOf(cause)})`,
      { cause },
    );
  }
}

function whyNoThreads(): string {
  if (globalThis.crossOriginIsolated !== true)
    return "the page is not cross-origin isolated; serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
  if (typeof SharedArrayBuffer !== "function")
    return "the page is cross-origin isolated, but this browser has no SharedArrayBuffer (it is switched off)";
  return "";
}
