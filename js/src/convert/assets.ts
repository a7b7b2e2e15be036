// Where the converter's files lie beside this one. Apart from the engine's (platform/assets.ts), so that bundlers copy them only for
// what converts. Each address is written out, in the form that bundlers recognise.

export interface ConverterUrls {
  readonly moduleUrl: string;
  readonly wasmUrl: string;
}

/**
 * `base`: the address of another folder that holds the files, with a slash at its end.
 */
export function converterUrls(threads: number, base?: string): ConverterUrls {
  const name = threads > 1 ? "clipglot-convert-threads" : "clipglot-convert";
  if (base !== undefined)
    return {
      moduleUrl: new URL(`${name}.mjs`, base).href,
      wasmUrl: new URL(`${name}.wasm`, base).href,
    };
  return threads > 1
    ? {
        moduleUrl: new URL("../../wasm/clipglot-convert-threads.mjs", import.meta.url).href,
        wasmUrl: new URL("../../wasm/clipglot-convert-threads.wasm", import.meta.url).href,
      }
    : {
        moduleUrl: new URL("../../wasm/clipglot-convert.mjs", import.meta.url).href,
        wasmUrl: new URL("../../wasm/clipglot-convert.wasm", import.meta.url).href,
      };
}
