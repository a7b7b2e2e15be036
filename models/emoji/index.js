// The files of the emoji model, and clipglot's load() with them. Each address is written out, so that a bundler finds the
// file, copies it and may rename it.
import { load as loadModel } from "clipglot";

export const model = {
  files: {
    "manifest.json": new URL("./manifest.json", import.meta.url),
    "tokenizer.json": new URL("./tokenizer.json", import.meta.url),
    "text-embeddings-00.safetensors": new URL("./text-embeddings-00.safetensors", import.meta.url),
    "text-layers-00.safetensors": new URL("./text-layers-00.safetensors", import.meta.url),
    "vision-00.safetensors": new URL("./vision-00.safetensors", import.meta.url),
  },
};

export default model;

export function load(options = {}) {
  return loadModel({ ...options, model });
}
