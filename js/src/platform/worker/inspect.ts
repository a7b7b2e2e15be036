// Looks why a script of ours did not come. The platform says little about a module or a worker that failed ("Failed to fetch
// dynamically imported module", an event without a message), so the file is asked for again and its answer read. In pages and workers.
import { reasonOf } from "../../shared/reason.js";
import { Watch } from "./watch.js";

export interface Inspection {
  /** What is wrong with the answer; nothing when it looks right. */
  readonly fault: string | undefined;
  /** There was no answer, or it stopped. */
  readonly silent: boolean;
  /** A worker with this script cannot run in an isolated page. */
  readonly headerMissing: boolean;
}

const late = new Error("no byte for too long");
const javascript = /^(text|application)\/(x-)?(javascript|ecmascript)\b/i;

/**
 * `use`: whether the script shall be imported, or be a worker's. `silence`: milliseconds without a byte after which it ends.
 * `heard` is called when bytes come.
 */
export async function inspectScript(
  url: string,
  use: "import" | "worker",
  silence: number,
  heard: () => void = () => {},
): Promise<Inspection> {
  const abort = new AbortController();
  const watch = new Watch(silence, () => late);
  const found = (fault: string | undefined, silent = false, headerMissing = false): Inspection => ({
    fault,
    silent,
    headerMissing,
  });
  let answered = false;
  try {
    watch.heard();
    const response = await watch.over(
      fetch(url, { signal: abort.signal, credentials: "same-origin" }),
    );
    answered = true;
    const fault = faultOf(response);
    if (fault) return found(`${url}: ${fault}`);
    const reader = response.body?.getReader();
    for (;;) {
      watch.heard();
      heard();
      const part = await watch.over(reader ? reader.read() : Promise.resolve({ done: true }));
      if (part.done) break;
    }
    const foreign = originOf(response.url || url) !== ownOrigin();
    const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
    const headerMissing =
      use === "worker" &&
      isolated &&
      !foreign &&
      !response.headers.has("cross-origin-embedder-policy");
    return found(
      headerMissing
        ? `${url}: the page is cross-origin isolated, so this file must carry the header Cross-Origin-Embedder-Policy: require-corp, too`
        : undefined,
      false,
      headerMissing,
    );
  } catch (error) {
    if (error === late)
      return found(
        `${url}: ${answered ? "its transfer stopped" : "no answer"} for ${silence / 1000} s`,
        true,
      );
    if (answered) return found(`${url}: its transfer broke off: ${reasonOf(error)}`);
    const foreign = originOf(url) !== ownOrigin();
    const hint = foreign
      ? "it is on another origin, which must send Access-Control-Allow-Origin"
      : "no connection, or a Content-Security-Policy (connect-src) forbids it";
    return found(`${url}: cannot be fetched: ${reasonOf(error)} (${hint})`);
  } finally {
    watch.end();
    abort.abort();
  }
}

/** What is wrong with the status or the type of a script's answer. */
function faultOf(response: Response): string | undefined {
  const status = statusFault(response);
  if (status) return status;
  const type = response.headers.get("content-type") ?? "";
  if (/^text\/html\b/i.test(type)) return pageFault;
  return javascript.test(type)
    ? undefined
    : `its Content-Type is "${type}"; scripts of modules need text/javascript`;
}

export function statusFault({ ok, status, statusText }: Response): string | undefined {
  if (ok) return undefined;
  const missing =
    status === 404 || status === 410
      ? "; the file is not where the package expects it: bundlers must copy it (Vite, webpack and Rspack do), or `assetBase` must name its folder"
      : "";
  return `the server answers ${status}${statusText ? ` ${statusText}` : ""}${missing}`;
}

export const pageFault =
  "the server gives an HTML page in the place of the file, as servers of single-page applications do for unknown addresses; the file is not there, and `assetBase` or the bundler must bring it";

export function originOf(url: string): string {
  try {
    return new URL(url).origin;
  } catch {
    return "null";
  }
}

/** Of the page or worker that this runs in; a worker from a blob has its page's. */
export function ownOrigin(): string {
  return globalThis.origin ?? originOf(globalThis.location.href);
}
