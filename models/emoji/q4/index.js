// The model in four bits, with the same exports as ../index.js. The tokenizer is that of the other pack, so that no file is
// there twice.
import { load as loadModel } from "clipglot";

export const model = {
  files: {
    "manifest.json": new URL("./manifest.json", import.meta.url),
    "tokenizer.json": new URL("../tokenizer.json", import.meta.url),
    "text-embeddings-00.safetensors": new URL("./text-embeddings-00.safetensors", import.meta.url),
    "text-layers-00.safetensors": new URL("./text-layers-00.safetensors", import.meta.url),
    "vision-00.safetensors": new URL("./vision-00.safetensors", import.meta.url),
  },
};

export default model;

export function load(options = {}) {
  return loadModel({ ...options, model });
}
