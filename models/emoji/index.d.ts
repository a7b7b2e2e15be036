import type { Embedder, LoadOptions } from "clipglot";

/** Where each file of the model lies: a value for `model` of clipglot's `load`. */
export declare const model: { readonly files: { readonly [path: string]: URL } };
export default model;

/** clipglot's `load` with this model. The model brings its own arithmetic, so there is no `dtype`. */
export declare function load(options?: Omit<LoadOptions, "model" | "dtype">): Promise<Embedder>;
