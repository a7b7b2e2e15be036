// The converter's module: a checkpoint in, the tensors of a pack out. It is apart from the engine's modules, so that only what
// converts loads it, and it starts as they do. This file knows neither files nor Node: a worker of a browser may use it as it is.
//
// Synchronous, one call at a time.
import type { Demand } from "../../shared/demand.js";
import { pieceBytes } from "../../shared/limits.js";
import type { HashBlocks } from "../../loading/incremental-sha256.js";
import type { EngineFiles } from "../../shared/platforms.js";
import type { Heap } from "../heap.js";
import { startModule } from "../module.js";
import { check, ModuleCalls } from "../module-calls.js";
import type { ConvertModule, PackOptions, PackTensor, PackWriter } from "./convert-module.js";

export type { PackOptions };

/** One tensor of a pack, without its values. */
export interface PackedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Shards hold tensors of one group. */
  readonly group: string;
  /** Tensors of one unit are finished at once. */
  readonly unit: number;
  readonly bytes: number;
}

export interface FinishedTensor extends PackedTensor {
  /** Its bytes in pieces, in order, each valid until the next one; to be read before the next commit. */
  pieces(): Iterable<Uint8Array>;
}

export interface PackConversation extends Demand {
  /** All tensors that will come, in their order; empty until the source's configuration was read. */
  plan(): PackedTensor[];
  /** What the last commit finished. */
  tensors(): FinishedTensor[];
  done(): boolean;
  /** What another conversation needs to go on after the tensors so far. */
  saveState(): Uint8Array<ArrayBuffer>;
  /** Name of the source's tokenizer; known when done. */
  tokenizerFile(): string;
  /** The manifest's member `selfTest`; when done. */
  selfTest(): unknown;
  dispose(): void;
}

export interface ConverterStart {
  /** Addresses of the converter's module and of its .wasm. */
  readonly moduleUrl: string;
  readonly wasmUrl: string;
  /** 1 … 64, for the vectors of the self-test. Above 1, the URLs are those of the module with threads. */
  readonly threads: number;
  /** How the module's files and threads come. */
  readonly files: EngineFiles;
  /** A thread broke after the start. */
  readonly onLost: (reason: string) => void;
}

/** Milliseconds in which no thread has begun to wait for work, until the start fails. */
const threadSilence = 10_000;

export class Converter {
  readonly #calls: ModuleCalls<ConvertModule>;
  /** One for all pieces: a browser is slow to collect what is as large. */
  readonly #room = new Uint8Array(pieceBytes);

  private constructor(calls: ModuleCalls<ConvertModule>) {
    this.#calls = calls;
  }

  /** Errors: StartFailure. */
  static async start({ files, onLost, ...request }: ConverterStart): Promise<Converter> {
    const started = await startModule<ConvertModule>({
      ...request,
      watched: { files, threadWay: "address", silence: threadSilence, onLost },
    });
    return new Converter(new ModuleCalls(started));
  }

  get heap(): Heap {
    return this.#calls.heap;
  }

  /** Adds blocks of 64 bytes to the state of a SHA-256; many times as fast as JavaScript does. */
  readonly hashBlocks: HashBlocks = (words, blocks) => {
    if (blocks.length === 0) return;
    const calls = this.#calls;
    const { heap, module } = calls;
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    calls.enter(() =>
      heap.with(bytes, (state) => {
        heap.with(blocks, (data) => module.hashBlocks(state, data, blocks.length));
        bytes.set(heap.copyBytes(state, bytes.length));
      }),
    );
  };

  /**
   * A conversion of `files`, which are all that the source can give, into the tensors of a pack. `state`: what an earlier one
   * saved. Errors: EmbedError.
   */
  begin(
    options: PackOptions,
    files: readonly { readonly path: string; readonly byteLength: number }[],
    state: Uint8Array = new Uint8Array(0),
  ): PackConversation {
    const calls = this.#calls;
    return calls.enter(() => {
      const writer = new calls.module.PackWriter();
      try {
        check(writer.create(options));
        for (const { path, byteLength } of files) writer.addFile(path, byteLength);
        calls.heap.with(state, (pointer) => check(writer.begin(pointer, state.length)));
      } catch (error) {
        writer.delete();
        throw error;
      }
      return {
        ...calls.demand(writer, () => writer.commit()),
        plan: () =>
          calls.enter(() =>
            Array.from({ length: writer.plannedCount() }, (_, i) =>
              packedTensor(writer.planned(i)),
            ),
          ),
        tensors: () => calls.enter(() => this.#tensors(writer)),
        done: () => calls.enter(() => writer.done()),
        saveState: () =>
          calls.enter(() => {
            const { pointer, bytes } = writer.saveState();
            return calls.heap.copyBytes(pointer, bytes);
          }),
        tokenizerFile: () => calls.enter(() => writer.tokenizerFile()),
        selfTest: () =>
          calls.enter(() => {
            const { code, detail, text } = writer.selfTestJson();
            check({ code, detail });
            return JSON.parse(text) as unknown;
          }),
        dispose: () => calls.enter(() => writer.delete()),
      };
    });
  }

  #tensors(writer: PackWriter): FinishedTensor[] {
    const { heap } = this.#calls;
    const room = this.#room;
    return Array.from({ length: writer.tensorCount() }, (_, i) => {
      const tensor = writer.tensor(i);
      return {
        ...packedTensor(tensor),
        *pieces() {
          for (let at = 0; at < tensor.bytes; at += pieceBytes) {
            const piece = room.subarray(0, Math.min(pieceBytes, tensor.bytes - at));
            heap.copyOut(tensor.pointer + at, piece);
            yield piece;
          }
        },
      };
    });
  }
}

function packedTensor({ name, dtype, shape, group, unit, bytes }: PackTensor): PackedTensor {
  return { name, dtype, shape, group, unit, bytes };
}
