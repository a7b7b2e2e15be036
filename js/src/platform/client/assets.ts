// Where the engine's files lie beside this one. Each address is written out, in the form that bundlers recognise and rewrite and that
// tracers of files (for servers) see: they miss it where a function gives an array.
import { EmbedError } from "../../errors.js";
import type { Variant } from "../../shared/engine-types.js";
import { reasonOf } from "../../shared/reason.js";

export function assetUrls(variant: Variant): {
  readonly moduleUrl: string;
  readonly wasmUrl: string;
} {
  try {
    const { module, wasm } = addresses[variant]();
    return { moduleUrl: module.href, wasmUrl: wasm.href };
  } catch (cause) {
    throw new EmbedError(
      "invalid-argument",
      `assetBase: the addresses of the engine's files are not known here, so it must be given (${reasonOf(cause)})`,
      { cause },
    );
  }
}

const addresses: { readonly [V in Variant]: () => { readonly module: URL; readonly wasm: URL } } = {
  simd: () => ({
    module: new URL("../../../wasm/clipglot-simd.mjs", import.meta.url),
    wasm: new URL("../../../wasm/clipglot-simd.wasm", import.meta.url),
  }),
  "relaxed-simd": () => ({
    module: new URL("../../../wasm/clipglot-relaxed-simd.mjs", import.meta.url),
    wasm: new URL("../../../wasm/clipglot-relaxed-simd.wasm", import.meta.url),
  }),
  "simd-threads": () => ({
    module: new URL("../../../wasm/clipglot-simd-threads.mjs", import.meta.url),
    wasm: new URL("../../../wasm/clipglot-simd-threads.wasm", import.meta.url),
  }),
  "relaxed-simd-threads": () => ({
    module: new URL("../../../wasm/clipglot-relaxed-simd-threads.mjs", import.meta.url),
    wasm: new URL("../../../wasm/clipglot-relaxed-simd-threads.wasm", import.meta.url),
  }),
};

/**
 * The converter's files, which are fetched where a checkpoint is converted and nowhere else. `base`: the address of another folder that
 * holds them, with a slash at its end.
 */
export function converterUrls(base?: string): {
  readonly moduleUrl: string;
  readonly wasmUrl: string;
} {
  if (base !== undefined)
    return {
      moduleUrl: new URL("clipglot-convert.mjs", base).href,
      wasmUrl: new URL("clipglot-convert.wasm", base).href,
    };
  return {
    moduleUrl: new URL("../../../wasm/clipglot-convert.mjs", import.meta.url).href,
    wasmUrl: new URL("../../../wasm/clipglot-convert.wasm", import.meta.url).href,
  };
}
