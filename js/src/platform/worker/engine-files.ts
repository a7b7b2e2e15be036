// How the engine's files come in a browser, and how its threads start. Everything is watched, and what goes wrong is named.
import { nameOf, reasonOf } from "../../shared/reason.js";
import { StartFailure } from "../../shared/start-failure.js";
import type { EngineFiles, Thread, ThreadEvents, ThreadWay } from "../../shared/platforms.js";
import { compileFailure } from "./compile-failure.js";
import { inspectScript, originOf, ownOrigin, pageFault, statusFault } from "./inspect.js";
import { blobAddress, trustedAddress } from "./script-address.js";
import { Watch } from "./watch.js";

/** `silence`: milliseconds without a byte until a file is given up. */
export function browserEngineFiles(silence: number): EngineFiles {
  return {
    importModule: (url) => importModule(url, silence),
    compile: (url) => compile(url, silence),
    threadWays: (url) => threadWays(url),
    startThread,
    explainThread: async (url) =>
      (await inspectScript(url, "worker", silence)).fault ??
      `${url}: the file itself comes, so perhaps a Content-Security-Policy (worker-src) forbids the worker`,
  };
}

// The platform fetches a module and tells nothing before the end; so after half of the time the file is asked for once more,
// which ends in an error that can be named, or shows that bytes come.
async function importModule(url: string, silence: number): Promise<object> {
  const load = (address: string) =>
    import(/* @vite-ignore */ /* webpackIgnore: true */ address) as Promise<object>;
  const watched = async (importing: Promise<object>) => {
    const watch = new Watch(
      silence,
      () => new StartFailure("files", `${url}: no end of it for ${silence / 1000} s`),
    );
    const slow = setTimeout(async () => {
      const { fault, silent } = await inspectScript(url, "import", silence / 2, () =>
        watch.heard(),
      );
      if (fault && !silent) watch.fail(new StartFailure("files", fault));
    }, silence / 2);
    try {
      watch.heard();
      return await watch.over(importing);
    } finally {
      clearTimeout(slow);
      watch.end();
    }
  };
  try {
    return await watched(load(url));
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    const { fault } = await inspectScript(url, "import", silence);
    if (fault) throw new StartFailure("files", fault, { cause: error });
    if (nameOf(error) === "SyntaxError")
      throw new StartFailure("files", `${url}: not the engine's module: ${reasonOf(error)}`, {
        cause: error,
      });
    // It comes now: the first try met a moment without an answer. Browsers remember that it failed, under this very address.
    try {
      return await watched(load(`${url}#again`));
    } catch (again) {
      if (again instanceof StartFailure) throw again;
      throw new StartFailure(
        "files",
        `${url}: cannot be imported: ${reasonOf(again)} (perhaps a Content-Security-Policy, script-src, forbids it)`,
        { cause: again },
      );
    }
  }
}

const retriedStatus = new Set([408, 425, 429, 500, 502, 503, 504]);
const pause = 500; // ms before the second try

async function compile(url: string, silence: number): Promise<object> {
  try {
    return await compileOnce(url, silence, true);
  } catch (error) {
    if (!(error instanceof Momentary)) throw error;
    await new Promise((resolve) => setTimeout(resolve, pause));
    return compileOnce(url, silence, false);
  }
}

/** Another try may go well. */
class Momentary extends Error {}

async function compileOnce(url: string, silence: number, retries: boolean): Promise<object> {
  const files = (detail: string, cause?: unknown) =>
    new StartFailure("files", `${url}: ${detail}`, { cause });
  const passing = (failure: StartFailure) => (retries ? new Momentary(failure.detail) : failure);
  const abort = new AbortController();
  let answered = false;
  const watch = new Watch(silence, () =>
    files(`${answered ? "its transfer stopped" : "no answer"} for ${silence / 1000} s`),
  );
  try {
    watch.heard();
    let response: Response;
    try {
      response = await watch.over(fetch(url, { signal: abort.signal, credentials: "same-origin" }));
    } catch (error) {
      if (error instanceof StartFailure) throw error;
      const hint =
        originOf(url) === ownOrigin()
          ? "no connection, or a Content-Security-Policy (connect-src) forbids it"
          : "it is on another origin, which must send Access-Control-Allow-Origin";
      throw passing(files(`cannot be fetched: ${reasonOf(error)} (${hint})`, error));
    }
    answered = true;
    const status = statusFault(response);
    if (status) throw retriedStatus.has(response.status) ? passing(files(status)) : files(status);
    const type = response.headers.get("content-type") ?? "";
    if (/^text\/html\b/i.test(type)) throw files(pageFault);
    // The browser compiles while bytes come, and keeps the code of the answer that it fetched itself; a copy is read beside it,
    // to see that bytes come.
    const copy = response.clone();
    const streams =
      /^application\/wasm\b/i.test(type) && typeof WebAssembly.compileStreaming === "function";
    const compiling = streams
      ? WebAssembly.compileStreaming(response)
      : response.arrayBuffer().then((bytes) => WebAssembly.compile(bytes));
    compiling.catch(() => {});
    let first: Uint8Array;
    try {
      first = await readBeside(copy, watch);
    } catch (error) {
      if (error instanceof StartFailure) throw error;
      throw passing(files(`its transfer broke off: ${reasonOf(error)}`, error));
    }
    watch.end(); // what follows is the processor's work
    try {
      return await compiling;
    } catch (error) {
      throw compileFailure(url, error, first);
    }
  } catch (error) {
    abort.abort();
    throw error;
  } finally {
    watch.end();
  }
}

/** Reads to the end; gives the first bytes. */
async function readBeside(response: Response, watch: Watch): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  let first = new Uint8Array(0);
  for (;;) {
    watch.heard();
    const part = await watch.over(
      reader ? reader.read() : Promise.resolve({ done: true as const, value: undefined }),
    );
    if (part.done) return first;
    if (first.length < 4) first = new Uint8Array([...first, ...part.value.subarray(0, 4)]);
  }
}

function threadWays(url: string): { ways: readonly ThreadWay[]; noneBecause: string } {
  const scope = globalThis as { crossOriginIsolated?: boolean; Worker?: unknown };
  if (scope.crossOriginIsolated === false)
    return {
      ways: [],
      noneBecause:
        "the engine's worker is not cross-origin isolated, so that it cannot share memory",
    };
  if (typeof scope.Worker !== "function")
    return { ways: [], noneBecause: "workers cannot start workers here" };
  return { ways: originOf(url) === ownOrigin() ? ["address", "blob"] : ["blob"], noneBecause: "" };
}

// A Chromium worker that is terminated while a worker of its own still fails to start is never gone, with all its memory.
// No event says when the inner one is gone.
const endingMs = 100;

function startThread(url: string, options: object, way: ThreadWay, events: ThreadEvents): Thread {
  const address = way === "blob" ? blobAddress(url, "module") : url;
  const release = () => {
    if (way === "blob") URL.revokeObjectURL(address);
  };
  let worker: Worker;
  let loaded = false;
  try {
    worker = new Worker(trustedAddress(address), options);
  } catch (error) {
    release();
    const said = reasonOf(error);
    const hint = /TrustedScriptURL/i.test(said)
      ? "; the page's Content-Security-Policy demands Trusted Types: allow the policy name in it (trusted-types clipglot)"
      : "";
    throw new StartFailure("threads", `the worker of a thread cannot start: ${said}${hint}`, {
      cause: error,
    });
  }
  // These listeners are the first, and end what Emscripten would make of an error: an uncaught event.
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    release();
    events.failed(event.message ? reasonOf(event) : "");
  });
  worker.addEventListener("messageerror", () => events.failed("a message of it could not be read"));
  worker.addEventListener("message", ({ data }: MessageEvent<{ cmd?: string } | undefined>) => {
    if (data?.cmd !== "loaded") return;
    release();
    loaded = true;
    events.loaded();
  });
  return {
    worker,
    async end() {
      release();
      worker.terminate();
      if (!loaded) await new Promise((done) => setTimeout(done, endingMs));
    },
  };
}
