// The engine's worker in a browser: its address, and the ways to start it.
import { EmbedError } from "../../errors.js";
import { drop, tagOf } from "../../shared/values.js";
import type { WorkerFault, WorkerWay } from "../../shared/platforms.js";
import type { FromWorker } from "../../shared/protocol.js";
import { reasonOf } from "../../shared/reason.js";
import type {
  CreateWorker,
  WorkerLike,
  WorkerPort,
  WorkerStart,
} from "../../shared/worker-port.js";
import { inspectScript } from "../worker/inspect.js";
import { blobAddress, trustedAddress } from "../worker/script-address.js";

const noWorker =
  "this place has no Worker (service workers and background scripts of extensions, shared workers of some browsers, jsdom): load in a page, in a dedicated worker or in an offscreen document; in tests, in the environment of Node";

/** Throws "start-failed" where there is no Worker. */
export function browserWorkerWays(createWorker: CreateWorker | undefined): readonly WorkerWay[] {
  if (!createWorker && typeof globalThis.Worker !== "function")
    throw new EmbedError("start-failed", noWorker);
  const { url, options } = scriptOfWorker();
  const explain = (silence: number) => explainScript(url, silence);
  if (createWorker)
    return [
      {
        url,
        madeByCaller: true,
        open: () => portOf(checkWorker(createWorker(url, options), url)),
        another: () => false,
        explain,
      },
    ];
  return [
    // Where the script is on another origin, the first way throws; where a header is missing, the worker dies.
    {
      url,
      madeByCaller: false,
      open: () => portOf(new Worker(trustedAddress(url), options)),
      another: ({ none, headerMissing }) => none || headerMissing,
      explain,
    },
    {
      url,
      madeByCaller: false,
      open: () => blobPort(url, options),
      another: () => false,
      explain,
    },
  ];
}

interface Script {
  readonly url: string;
  readonly options: WorkerStart;
}

/**
 * Bundlers know a worker by exactly the expression below, put the address of their own bundle into it, and some change the
 * options. So the address is what this expression gives to `Worker`: one that starts nothing, for as long as it takes.
 */
function scriptOfWorker(): Script {
  const scope = globalThis as { Worker?: unknown };
  const own = Object.getOwnPropertyDescriptor(scope, "Worker");
  let script: Script | undefined;
  class AddressOnly {
    constructor(
      url: unknown,
      { type, name = "clipglot" }: { type?: "module" | "classic"; name?: string } = {},
    ) {
      script = { url: String(url), options: type === undefined ? { name } : { type, name } };
    }
  }
  try {
    Object.defineProperty(scope, "Worker", {
      value: AddressOnly,
      configurable: true,
      writable: true,
    });
    new Worker(new URL("../../worker/main.js", import.meta.url), {
      type: "module",
      name: "clipglot",
    });
  } catch (cause) {
    throw new EmbedError(
      "internal",
      `the address of the engine's worker is not known: ${reasonOf(cause)}`,
      { cause },
    );
  } finally {
    if (own) Object.defineProperty(scope, "Worker", own);
    else delete scope.Worker;
  }
  if (!script) throw new EmbedError("internal", "the address of the engine's worker is not known");
  return script;
}

function checkWorker(given: WorkerLike, url: string): Worker {
  const worker = given as Partial<Worker> | null | undefined;
  const fits =
    typeof worker === "object" &&
    worker !== null &&
    [worker.postMessage, worker.terminate, worker.addEventListener].every(
      (member) => typeof member === "function",
    );
  if (!fits) {
    drop(given); // an async function would give a promise
    throw new EmbedError(
      "invalid-argument",
      `createWorker must give a Worker of ${url}, not ${tagOf(given)}`,
    );
  }
  return worker as Worker;
}

function blobPort(url: string, options: WorkerStart): WorkerPort {
  const address = blobAddress(url, options.type ?? "classic");
  const release = () => URL.revokeObjectURL(address);
  try {
    return portOf(new Worker(trustedAddress(address), options), release);
  } catch (error) {
    release();
    throw error;
  }
}

/** `release` is called when the script was read, or never will be. */
function portOf(worker: Worker, release: () => void = () => {}): WorkerPort {
  const port: WorkerPort = {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: () => {},
    onFailure: () => {},
    setBusy: () => {},
    async terminate() {
      release();
      worker.terminate();
    },
  };
  worker.addEventListener("message", (event: MessageEvent<FromWorker>) => {
    if (event.data?.type === "hello") release();
    port.onMessage(event.data);
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault(); // it is reported through the promises
    port.onFailure(event.message ? reasonOf(event) : "");
  });
  worker.addEventListener("messageerror", () => port.onFailure("a message could not be read"));
  return port;
}

async function explainScript(url: string, silence: number): Promise<WorkerFault> {
  const { fault, headerMissing } = await inspectScript(url, "worker", silence);
  if (fault) return { none: false, headerMissing, reason: `${fault}${bundlerHint(url)}` };
  return {
    none: true,
    headerMissing,
    reason: `${url}: the file itself comes; perhaps a Content-Security-Policy (worker-src, script-src) forbids the worker, or a file that it imports does not come${bundlerHint(url)}`,
  };
}

function bundlerHint(url: string): string {
  if (/\/(\.vite|deps|node_modules\/\.vite)\//.test(url))
    return '; Vite\'s development server moved the package away from its files: add optimizeDeps: { exclude: ["clipglot"] }';
  return "; a bundler that does not know `new Worker(new URL(…))` leaves the worker out: see API.md, Starting, and `createWorker`";
}
