// Starts one module: a build of the engine, or the converter.
import type { BaseModule, EngineModule, ModuleFactory, ModuleSettings } from "./engine-module.js";
import { EmbedError } from "../errors.js";
import { Watch } from "../platform/worker/watch.js";
import type { EngineFiles, Thread, ThreadWay } from "../shared/platforms.js";
import { reasonOf } from "../shared/reason.js";
import { StartFailure } from "../shared/start-failure.js";

export interface ModuleRequest {
  readonly moduleUrl: string;
  readonly wasmUrl: string;
  readonly threads: number;
  /** For builds with threads; left out, the module makes its own. */
  readonly memory?: WebAssembly.Memory;
  /** How files come and threads start, watched. Left out, Emscripten does it, which is enough for tools. */
  readonly watched?: WatchedStart;
  /** Called before the first layer of a running call (`done` 0) and after each of its `total` layers. */
  readonly onLayer?: (done: number, total: number) => void;
  /** Stops the running call while its first number is not 0; the module never writes it. */
  readonly cancelFlag?: Int32Array | undefined;
}

export interface WatchedStart {
  readonly files: EngineFiles;
  readonly threadWay: ThreadWay;
  /** Milliseconds in which no thread has begun to wait for work, until threads are given up. */
  readonly silence: number;
  /** A thread broke after the start. */
  readonly onLost: (reason: string) => void;
}

/** The engine is dead: it trapped, aborted, or a thread of it broke. Nothing may be called any more. */
export class EngineLost extends Error {
  override readonly name = "EngineLost";
}

export interface StartedModule<Module extends BaseModule = EngineModule> {
  readonly module: Module;
  /** What the module would have printed, the last lines of it. */
  readonly log: readonly string[];
}

/** `Module`: what `request.moduleUrl` is of. Errors: StartFailure. Nothing is left running then. */
export async function startModule<Module extends BaseModule = EngineModule>(
  request: ModuleRequest,
): Promise<StartedModule<Module>> {
  const log: string[] = [];
  const write = (line: string) => {
    if (log.push(line) > 50) log.shift();
  };
  const settings: ModuleSettings = {
    locateFile: (name) =>
      name.endsWith(".wasm") ? request.wasmUrl : new URL(name, request.moduleUrl).href,
    print: write,
    printErr: write,
    onAbort: (reason) => write(`abort: ${reasonOf(reason)}`),
    clipglotThreads: request.threads,
    ...(request.onLayer ? { clipglotLayer: request.onLayer } : {}),
    ...(request.cancelFlag ? { clipglotCancelFlag: request.cancelFlag } : {}),
    ...(request.memory ? { wasmMemory: request.memory } : {}),
  };
  try {
    const module = request.watched
      ? await startWatched<Module>(request, request.watched, settings)
      : await factoryOf<Module>(await importPlain(request.moduleUrl), request)(settings);
    return { module, log };
  } catch (error) {
    if (error instanceof EmbedError) throw error;
    if (error instanceof RangeError)
      throw new StartFailure("memory", `the engine's heap was refused: ${error.message}`, {
        cause: error,
      });
    throw new StartFailure(
      "files",
      `cannot start the engine from ${request.moduleUrl} and ${request.wasmUrl}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

const importPlain = (url: string) =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ url) as Promise<object>;

function factoryOf<Module extends BaseModule>(
  module: object,
  { moduleUrl }: ModuleRequest,
): ModuleFactory<Module> {
  const { default: factory } = module as { default?: unknown };
  if (typeof factory !== "function")
    throw new StartFailure(
      "files",
      `${moduleUrl}: not the engine's module: it exports no function`,
    );
  return factory as ModuleFactory<Module>;
}

// Emscripten waits without limit for a .wasm or a thread's worker that does not come; so both are fetched here, and the
// start fails with the first of them that fails.
async function startWatched<Module extends BaseModule>(
  request: ModuleRequest,
  watched: WatchedStart,
  settings: ModuleSettings,
): Promise<Module> {
  const { files } = watched;
  const threads = new ThreadSet(request.moduleUrl, watched);
  const compiling = files.compile(request.wasmUrl);
  compiling.catch(() => {}); // it is heard when the module asks for it
  try {
    const factory = factoryOf<Module>(await files.importModule(request.moduleUrl), request);
    const instantiateWasm: ModuleSettings["instantiateWasm"] = (imports, done) => {
      const instantiating = async () => {
        const compiled = (await compiling) as WebAssembly.Module;
        const instance = await WebAssembly.instantiate(compiled, imports);
        if (threads.ended) return;
        threads.expect();
        done(instance, compiled);
      };
      instantiating().catch((error) => threads.fail(error));
      return {};
    };
    const module = await threads.over(
      factory({
        ...settings,
        instantiateWasm,
        clipglotWorker: (url, options) => threads.start(url, options),
      }),
    );
    threads.started();
    return module;
  } catch (error) {
    await threads.end();
    throw error;
  }
}

/** The workers of one start. */
class ThreadSet {
  readonly #url: string;
  readonly #request: WatchedStart;
  readonly #threads: Thread[] = [];
  readonly #watch: Watch;
  #loaded = 0;
  #state: "starting" | "failing" | "started" | "ended" = "starting";

  constructor(url: string, request: WatchedStart) {
    this.#url = url;
    this.#request = request;
    const { silence } = request;
    this.#watch = new Watch(silence, () =>
      this.#missing(
        `${this.#threads.length - this.#loaded} of ${this.#threads.length} workers said nothing for ${silence / 1000} s`,
      ),
    );
  }

  get ended(): boolean {
    return this.#state === "ended";
  }

  /** The worker of one more thread. */
  start(url: URL, options: object): object {
    let waits = false;
    const thread = this.#request.files.startThread(url.href, options, this.#request.threadWay, {
      loaded: () => {
        if (waits) return;
        waits = true;
        if (++this.#loaded === this.#threads.length) this.#watch.end();
        else if (this.#state === "starting") this.#watch.heard();
      },
      failed: (said) => this.#failed(said),
    });
    this.#threads.push(thread);
    return thread.worker;
  }

  /** From now on the workers have what they need. */
  expect(): void {
    if (this.#loaded < this.#threads.length) this.#watch.heard();
  }

  over<T>(promise: Promise<T>): Promise<T> {
    return this.#watch.over(promise);
  }

  fail(error: unknown): void {
    this.#watch.fail(error);
  }

  started(): void {
    this.#watch.end();
    this.#state = "started";
  }

  async end(): Promise<void> {
    this.#watch.end();
    this.#state = "ended";
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  async #failed(said: string): Promise<void> {
    if (this.#state === "started")
      this.#request.onLost(`a thread of the engine broke: ${said || "its worker gave no reason"}`);
    if (this.#state !== "starting") return;
    this.#state = "failing";
    this.#watch.end();
    this.#watch.fail(
      this.#missing(
        said ||
          `its script could not be loaded: ${await this.#request.files.explainThread(this.#url)}`,
      ),
    );
  }

  #missing(what: string): StartFailure {
    return new StartFailure(
      "threads",
      `the worker of a thread (${this.#url}) did not start: ${what}`,
    );
  }
}
