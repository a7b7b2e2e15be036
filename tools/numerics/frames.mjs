// The file of clipglot_trace_runner, read stage by stage: what lies between the layers of a large model does not fit into memory.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { typedArray } from "../lib/safetensors.mjs";

export class FrameFile {
  #file;
  #places = new Map();

  /** `path`: what the runner wrote. */
  constructor(path) {
    this.#file = openSync(path, "r");
    const size = fstatSync(this.#file).size;
    const line = Buffer.alloc(4096);
    for (let at = 0; at < size; ) {
      const length = readSync(this.#file, line, 0, line.length, at);
      const end = line.subarray(0, length).indexOf(10);
      if (end < 0) throw new Error(`${path}: no frame at byte ${at}`);
      const { id, stage, dtype, shape, bytes } = JSON.parse(line.toString("utf8", 0, end));
      if (!this.#places.has(id)) this.#places.set(id, new Map());
      this.#places.get(id).set(stage, { dtype, shape, bytes, offset: at + end + 1 });
      at += end + 1 + bytes;
    }
  }

  /** Stages of request `id`, in their order. */
  stages(id) {
    return [...(this.#places.get(id)?.keys() ?? [])];
  }

  /** The numbers of a stage; undefined when there is none. */
  get(id, stage) {
    const place = this.#places.get(id)?.get(stage);
    if (!place) return undefined;
    const bytes = new Uint8Array(place.bytes);
    for (let done = 0; done < bytes.length; )
      done += readSync(this.#file, bytes, done, bytes.length - done, place.offset + done);
    return typedArray(place.dtype, bytes);
  }

  close() {
    closeSync(this.#file);
  }
}
