// How the engine's files come in Node, and how its threads start.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { reasonOf } from "../../shared/reason.js";
import { StartFailure } from "../../shared/start-failure.js";
import type { EngineFiles, Thread, ThreadEvents, ThreadWay } from "../../shared/platforms.js";
import { compileFailure } from "../worker/compile-failure.js";

export function nodeEngineFiles(): EngineFiles {
  return {
    async importModule(url) {
      try {
        return (await import(url)) as object;
      } catch (error) {
        throw new StartFailure("files", `${url}: cannot be imported: ${reasonOf(error)}`, {
          cause: error,
        });
      }
    },
    async compile(url) {
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = await readFile(fileURLToPath(url));
      } catch (error) {
        throw new StartFailure("files", `${url}: cannot be read: ${reasonOf(error)}`, {
          cause: error,
        });
      }
      try {
        return await WebAssembly.compile(bytes);
      } catch (error) {
        throw compileFailure(url, error, bytes.subarray(0, 4));
      }
    },
    threadWays: () => ({ ways: ["address"], noneBecause: "" }),
    startThread,
    explainThread: async (url) => url,
  };
}

function startThread(url: string, options: object, _way: ThreadWay, events: ThreadEvents): Thread {
  let worker: Worker;
  try {
    worker = new Worker(new URL(url), options as WorkerOptions);
  } catch (error) {
    throw new StartFailure("threads", `the worker of a thread cannot start: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  const failed = (error: unknown) => events.failed(reasonOf(error));
  worker.on("error", failed);
  worker.on("messageerror", failed);
  worker.on("exit", (code) => events.failed(`the worker of a thread ended with code ${code}`));
  worker.on("message", (message: { cmd?: string } | undefined) => {
    if (message?.cmd === "loaded") events.loaded();
  });
  // Emscripten would throw the error once more, with nobody to catch it.
  Object.defineProperty(worker, "onerror", { get: () => () => {}, set: () => {} });
  return {
    worker,
    async end() {
      await worker.terminate();
    },
  };
}
