// The memory of the wasm module. No other file touches it, and no view of it leaves this one.
//
// The heap may grow in any call into the module, and views taken before are worthless then; so each use takes a new one.
// Pointers above 2 GiB may arrive as negative numbers; they are made unsigned here. The memory may be shared between
// threads, and many functions of the platform refuse shared views; so whatever leaves is a copy.
import type { BaseModule } from "./engine-module.js";
import { EmbedError } from "../errors.js";

export type StageArray = Float32Array | Int32Array | Uint8Array | Int8Array;

export class Heap {
  readonly #module: BaseModule;

  constructor(module: BaseModule) {
    this.#module = module;
  }

  get bytes(): number {
    return this.#module.wasmMemory.buffer.byteLength;
  }

  /** Copies `bytes` to `pointer`. */
  copyIn(pointer: number, bytes: Uint8Array): void {
    new Uint8Array(this.#module.wasmMemory.buffer, pointer >>> 0, bytes.length).set(bytes);
  }

  copyBytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(new Uint8Array(this.#module.wasmMemory.buffer, pointer >>> 0, length));
  }

  /** Copies bytes from `pointer` on into all of `target`. */
  copyOut(pointer: number, target: Uint8Array): void {
    target.set(new Uint8Array(this.#module.wasmMemory.buffer, pointer >>> 0, target.length));
  }

  /** `count` floats from `pointer`. */
  copyFloats(pointer: number, count: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.copyBytes(pointer, count * 4).buffer);
  }

  copyIntegers(pointer: number, count: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.copyBytes(pointer, count * 4).buffer);
  }

  /** Puts `bytes` into the heap for the time of `use`. Throws "out-of-memory" when there is no room. */
  with<T>(bytes: Uint8Array, use: (pointer: number) => T): T {
    const pointer = this.#module.allocate(Math.max(1, bytes.length)) >>> 0;
    if (pointer === 0)
      throw new EmbedError(
        "out-of-memory",
        `no room in the heap for an input of ${bytes.length} bytes`,
      );
    try {
      this.copyIn(pointer, bytes);
      return use(pointer);
    } finally {
      this.#module.release(pointer);
    }
  }
}

/** The bytes of `floats`, not copied. */
export const bytesOf = (floats: Float32Array): Uint8Array =>
  new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
