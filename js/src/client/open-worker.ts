// Starts the engine's worker: tries one way after the other, until a worker says hello.
import { EmbedError } from "../errors.js";
import type { WorkerFault, WorkerWay } from "../shared/platforms.js";
import { nameOf, reasonOf } from "../shared/reason.js";
import type { WorkerPort } from "../shared/worker-port.js";

/**
 * `silence`: milliseconds after which a worker without a message is examined. Errors: EmbedError "start-failed" or
 * "invalid-argument", or the reason of the signal; no worker is left running then.
 */
export async function openWorker(
  ways: readonly WorkerWay[],
  silence: number,
  signal: AbortSignal | undefined,
): Promise<WorkerPort> {
  const errors: EmbedError[] = [];
  for (const way of ways) {
    signal?.throwIfAborted();
    let port: WorkerPort;
    try {
      port = way.open();
    } catch (error) {
      errors.push(error instanceof EmbedError ? error : refused(way, error));
      continue;
    }
    let fault: WorkerFault | undefined;
    try {
      fault = await greeting(port, way, silence, signal);
    } catch (reason) {
      await close(port);
      throw reason; // the signal's
    }
    if (!fault) return port;
    await close(port);
    errors.push(
      new EmbedError("start-failed", `the engine's worker could not start: ${fault.reason}`),
    );
    if (!way.another(fault)) break;
  }
  const [first, second] = errors;
  if (first && second)
    throw new EmbedError(first.code, `${first.detail}; nor by a blob: ${second.detail}`, {
      cause: first.cause,
    });
  throw first ?? new EmbedError("internal", "no way to start a worker was tried");
}

const close = (port: WorkerPort) => port.terminate().catch(() => {});

// What the platform, or the caller's `createWorker`, throws when it makes no worker.
function refused({ url, madeByCaller }: WorkerWay, cause: unknown): EmbedError {
  const said = `${nameOf(cause)}: ${reasonOf(cause)}`;
  const hint = /TrustedScriptURL/i.test(said)
    ? "; the page's Content-Security-Policy demands Trusted Types: allow the policy name in it (trusted-types clipglot), or give `createWorker`"
    : nameOf(cause) === "SecurityError"
      ? "; the script must be of the page's own origin, or a Content-Security-Policy must allow workers from blobs (worker-src blob:)"
      : "";
  return new EmbedError(
    madeByCaller ? "invalid-argument" : "start-failed",
    `the engine's worker ${url} cannot be made: ${said}${hint}`,
    { cause },
  );
}

/** Waits for the worker's first word; gives what is wrong when it does not come. Rejects with the signal's reason. */
async function greeting(
  port: WorkerPort,
  way: WorkerWay,
  silence: number,
  signal: AbortSignal | undefined,
): Promise<WorkerFault | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort = () => {};
  const late = (milliseconds: number) =>
    new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), milliseconds)));
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  aborted.catch(() => {});
  const word = new Promise<"hello" | { readonly broken: string }>((resolve) => {
    port.onMessage = (message) => {
      if (message.type === "hello") resolve("hello");
    };
    port.onFailure = (broken) => resolve({ broken });
  });
  port.setBusy(true);
  try {
    let heard = await Promise.race([word, late(silence), aborted]);
    if (heard === "late") {
      // Nothing yet. If its script comes, it gets as much time once more.
      const fault = await Promise.race([word, way.explain(silence), aborted]);
      if (typeof fault === "object" && "reason" in fault) {
        if (!fault.none) return fault;
        heard = await Promise.race([word, late(silence), aborted]);
      } else heard = fault;
    }
    if (heard === "hello") return undefined;
    if (heard === "late")
      return {
        none: false,
        headerMissing: false,
        reason: `${way.url}: no word of it for ${(2 * silence) / 1000} s, although the file comes; perhaps a file that it imports does not`,
      };
    const fault = await Promise.race([way.explain(silence), aborted]);
    if (heard.broken === "") return fault;
    return { ...fault, reason: `${heard.broken} (${fault.none ? way.url : fault.reason})` };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    port.setBusy(false);
    port.onMessage = () => {};
    port.onFailure = () => {};
  }
}
