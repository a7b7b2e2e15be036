// Calls into a started module, the engine's or the converter's: a trap ends it for good, and errors become EmbedErrors.
import { EmbedError, engineCode } from "../errors.js";
import type { BaseModule, Memory, Range, Status } from "./engine-module.js";
import type { Demand } from "../shared/demand.js";
import { reasonOf } from "../shared/reason.js";
import { Heap } from "./heap.js";
import { EngineLost, type StartedModule } from "./module.js";

/** The engine saw the flag that stops a call (ModuleRequest.cancelFlag). */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** What of a module reads a model: an engine or a pack writer. */
export interface ModelReader {
  want(): Range;
  reserve(): Memory;
  totalBytes(): number;
  readBytes(): number;
}

export class ModuleCalls<Module extends BaseModule> {
  readonly module: Module;
  readonly heap: Heap;
  readonly #log: readonly string[];
  #lost: EngineLost | undefined;

  constructor({ module, log }: StartedModule<Module>) {
    this.module = module;
    this.heap = new Heap(module);
    this.#log = log;
  }

  /** The module trapped: nothing in it may be called any more. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Every call into the module passes here. What is thrown in it and is not ours came from the module: a trap, an abort, a
   * stack overflow. The instance is in an unknown state then. Errors: those of `call`; EngineLost, then and ever after.
   */
  enter<T>(call: () => T): T {
    if (this.#lost) throw this.#lost;
    try {
      return call();
    } catch (error) {
      if (error instanceof EmbedError || error instanceof Cancelled || error instanceof EngineLost)
        throw error;
      const log = this.#log.length ? ` (${this.#log.slice(-3).join("; ")})` : "";
      this.#lost = new EngineLost(`${reasonOf(error)}${log}`, { cause: error });
      throw this.#lost;
    }
  }

  /** The conversation with `reader`. */
  demand(reader: ModelReader, commit: (sha256: string) => Status): Demand {
    return {
      want: () =>
        this.enter(() => {
          const { wanted, file, offset, length, hashed } = reader.want();
          return wanted ? { file, offset, length, hashed } : undefined;
        }),
      reserve: () =>
        this.enter(() => {
          const { code, detail, pointer, bytes } = reader.reserve();
          check({ code, detail });
          return { pointer, bytes };
        }),
      commit: (sha256 = "") => this.enter(() => check(commit(sha256))),
      totalBytes: () => this.enter(() => reader.totalBytes()),
      readBytes: () => this.enter(() => reader.readBytes()),
    };
  }
}

/** Throws the error that a module's answer names. */
export function check({ code, detail }: Status): void {
  const name = engineCode(code);
  if (name === "ok") return;
  if (name === "cancelled") throw new Cancelled(detail);
  throw new EmbedError(name, detail);
}
