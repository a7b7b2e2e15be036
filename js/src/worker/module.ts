// Starts one build of the engine.
import type { EngineModule, ModuleFactory, ModuleSettings } from "../generated/engine-module.js";
import { EmbedError } from "../errors.js";
import { messageOf } from "../shared/values.js";

export interface ModuleRequest {
  readonly moduleUrl: string;
  readonly wasmUrl: string;
  readonly threads: number;
  /** For builds with threads; left out, the module makes its own. */
  readonly memory?: WebAssembly.Memory;
  /** Hears of each layer of a running call; true stops the call. */
  readonly onLayer?: (done: number) => boolean;
  /** Asked every few milliseconds while a picture is decoded; true stops the call. */
  readonly onStopCheck?: () => boolean;
}

/** The engine is dead: it trapped, aborted, or a thread of it broke. Nothing may be called any more. */
export class EngineLost extends Error {
  override readonly name = "EngineLost";
}

export interface StartedModule {
  readonly module: EngineModule;
  /** What the module would have printed, the last lines of it. */
  readonly log: readonly string[];
}

/** Errors: "network" when the files do not come, "out-of-memory" when the first heap is refused. */
export async function startModule(request: ModuleRequest): Promise<StartedModule> {
  const log: string[] = [];
  const write = (line: string) => {
    if (log.push(line) > 50) log.shift();
  };
  const settings: ModuleSettings & { wasmMemory?: WebAssembly.Memory } = {
    locateFile: (name) => (name.endsWith(".wasm") ? request.wasmUrl : new URL(name, request.moduleUrl).href),
    print: write,
    printErr: write,
    onAbort: (reason) => write(`abort: ${messageOf(reason)}`),
    clipglotThreads: request.threads,
    clipglotLayer: request.onLayer ?? (() => false),
    clipglotStop: request.onStopCheck ?? (() => false),
    ...(request.memory ? { wasmMemory: request.memory } : {}),
  };
  try {
    const { default: factory } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ request.moduleUrl)) as { default: ModuleFactory };
    return { module: await factory(settings), log };
  } catch (error) {
    const message = messageOf(error);
    if (error instanceof RangeError) throw new EmbedError("out-of-memory", `the engine's heap was refused: ${message}`, { cause: error });
    throw new EmbedError("network", `cannot start the engine from ${request.moduleUrl} and ${request.wasmUrl}: ${message}`, { cause: error });
  }
}
