// What an answer of a server means for a load. The one place that tells the classes of answers apart.
import { EmbedError } from "../errors.js";
import { reasonOf } from "../shared/reason.js";

/**
 * - "ok": the wanted bytes follow
 * - "transient": a server or a network that is in trouble for the moment; `pause` milliseconds were asked for
 * - "absent": the file is not there
 * - "refused": another attempt of the same kind gets the same answer
 */
export type Verdict =
  | { readonly kind: "ok" }
  | { readonly kind: "transient"; readonly why: string; readonly pause: number }
  | { readonly kind: "absent" | "refused"; readonly why: string };

/** A place of a file: an answer must begin there. `wholeBytes`: length of the whole file, where it is known. */
export interface Wanted {
  readonly offset: number;
  readonly wholeBytes?: number;
  /** Only the headers were asked for. */
  readonly head?: boolean;
}

export function judge(response: Response, wanted: Wanted): Verdict {
  const { status } = response;
  const passing = (why: string): Verdict => ({
    kind: "transient",
    why,
    pause: 1000 * Math.max(0, Number(response.headers.get("Retry-After")) || 0),
  });
  if (status === 200 || status === 203 || status === 206) {
    if (wanted.head)
      return status === 206
        ? passing(`${describe(response)} to a question for the whole`)
        : { kind: "ok" };
    if (!response.body) return passing(`${describe(response)} without bytes`);
    if (status !== 206)
      return isPage(response) && !isWholeFile(response, wanted)
        ? passing("is a web page")
        : { kind: "ok" };
    // Compressed: a range of the compressed bytes, which are not the file's.
    if (isEncoded(response)) return passing("a range of a compressed answer");
    const from = firstByte(response) ?? wanted.offset;
    return from === wanted.offset
      ? { kind: "ok" }
      : passing(`asked for bytes from ${wanted.offset}, got bytes from ${from}`);
  }
  if (status === 404 || status === 410) return { kind: "absent", why: describe(response) };
  if (status >= 200 && status < 300) return passing(`${describe(response)}: no bytes`);
  if (status === 304 || status === 408 || status === 425 || status === 429 || status >= 500)
    return passing(describe(response));
  if (status === 416)
    return {
      kind: "refused",
      why: wanted.offset > 0 ? `ended after ${wanted.offset} bytes` : describe(response),
    };
  return { kind: "refused", why: `${describe(response)}${advice[status] ?? ""}` };
}

const advice: { readonly [status: number]: string } = {
  401: " (the server wants to know who asks: give `headers` or `fetch` to load, or a signed address)",
  403: " (the server does not allow it: is the address right, has a signature or a token expired?)",
  407: " (a proxy on the way wants to know who asks)",
  451: " (withheld for legal reasons)",
};

/**
 * Whether 401 or 403 is about a signature in the address that `href` led to: it comes from another server. Where the address of the
 * answer is not known (the caller fetched it), a hub's own refusal is told by its header.
 */
export function isSignature(href: string, response: Response): boolean {
  if (response.status !== 401 && response.status !== 403) return false;
  if (!response.url) return !response.headers.get("X-Error-Code");
  return new URL(response.url).origin !== new URL(href).origin;
}

/** Servers of single-page applications answer any address with their start page, and networks with a page to sign in. */
export const isPage = (response: Response): boolean =>
  /^(text\/html|application\/xhtml\+xml)\b/i.test(response.headers.get("Content-Type") ?? "");

// Some servers call every file a page; one of the right length is the file.
const isWholeFile = (response: Response, { wholeBytes }: Wanted) =>
  wholeBytes !== undefined && !isEncoded(response) && contentLength(response) === wholeBytes;

export const isEncoded = (response: Response): boolean =>
  (response.headers.get("Content-Encoding") || "identity").toLowerCase() !== "identity";

export function contentLength(response: Response): number | undefined {
  const text = response.headers.get("Content-Length") ?? "";
  const length = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(length) ? length : undefined;
}

function firstByte(response: Response): number | undefined {
  const first = /^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1];
  return first === undefined ? undefined : Number(first);
}

/** Length of the whole file, from the answer to a range. */
export function totalBytes(response: Response): number | undefined {
  const total = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? NaN);
  return Number.isSafeInteger(total) ? total : undefined;
}

/** What tells one version of a file from another: a date, or a tag without what compression adds to it. */
export function versionOf(response: Response): string {
  const tag = response.headers
    .get("ETag")
    ?.replace(/^W\//, "")
    .replace(/-{1,2}(gzip|br|zstd|deflate)"$/, '"');
  return response.headers.get("Last-Modified") ?? tag ?? "";
}

const describe = ({ status, statusText }: Response): string => `${status} ${statusText}`.trim();

/** How an address stands in messages: a query may hold a secret. */
export function shownAddress(href: string): string {
  if (/^(data|blob):/i.test(href)) return href.slice(0, 40);
  return href.replace(/[?#].*$/s, "").replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, "$1");
}

export const networkError = (href: string, why: string, cause?: unknown): EmbedError =>
  new EmbedError("network", `${shownAddress(href)}: ${why}`, cause === undefined ? {} : { cause });

/** `cause`: what a fetch or a stream failed with. */
export function failed(href: string, what: string, cause: unknown): EmbedError {
  return networkError(href, `${what}: ${reasonOf(cause)}`, cause);
}
