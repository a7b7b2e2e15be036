// Where the engine's files lie beside this one. Each address is written out, the form that bundlers recognise and rewrite.
import type { Variant } from "../shared/engine-types.js";

export function assetUrls(variant: Variant): { readonly moduleUrl: string; readonly wasmUrl: string } {
  const [moduleUrl, wasmUrl] = addresses[variant]();
  return { moduleUrl: moduleUrl.href, wasmUrl: wasmUrl.href };
}

const addresses: { readonly [V in Variant]: () => readonly [URL, URL] } = {
  simd: () => [
    new URL("../../wasm/clipglot-simd.mjs", import.meta.url),
    new URL("../../wasm/clipglot-simd.wasm", import.meta.url),
  ],
  "relaxed-simd": () => [
    new URL("../../wasm/clipglot-relaxed-simd.mjs", import.meta.url),
    new URL("../../wasm/clipglot-relaxed-simd.wasm", import.meta.url),
  ],
  "simd-threads": () => [
    new URL("../../wasm/clipglot-simd-threads.mjs", import.meta.url),
    new URL("../../wasm/clipglot-simd-threads.wasm", import.meta.url),
  ],
  "relaxed-simd-threads": () => [
    new URL("../../wasm/clipglot-relaxed-simd-threads.mjs", import.meta.url),
    new URL("../../wasm/clipglot-relaxed-simd-threads.wasm", import.meta.url),
  ],
};
