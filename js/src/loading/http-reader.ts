// All HTTP requests of a load: ranges of large files, small files whole, and sizes. Adjacent ranges of a file are read from one
// response, so that a file that is read from end to end costs one request. A transfer that breaks off, stalls or is refused for
// the moment is resumed where it ended, after a pause. Servers that ignore Range work, too: bytes before the range are skipped.
import { EmbedError } from "../errors.js";
import {
  contentLength,
  failed,
  isEncoded,
  isPage,
  judge,
  networkError,
  shownAddress,
  totalBytes,
  isSignature,
  versionOf,
  type Verdict,
  type Wanted,
} from "./answers.js";
import { Body, type Room } from "./body.js";
import { Attempts, inTime, TransientError, Watch, type RetryPolicy } from "./retry.js";

/** The platform's fetch, or the user's. */
export type Fetch = (href: string, init: FetchInit) => Promise<Response>;
export interface FetchInit {
  readonly method: "GET" | "HEAD";
  readonly headers: Record<string, string>;
  readonly cache: CacheUse;
  readonly signal: AbortSignal;
}

/** What the browser's own cache of responses may do. */
export type CacheUse = "default" | "no-cache" | "no-store" | "reload";

export interface HttpOptions {
  readonly retry: RetryPolicy;
  /** Left out: the platform's. */
  readonly fetch?: Fetch | undefined;
  /** Sent with every request. Never part of a message. */
  readonly headers?: readonly (readonly [string, string])[] | undefined;
  /** The server answers with redirects to signed addresses, which expire; the next request gets a new one. */
  readonly signs?: boolean;
}

/** A file at an address, named in errors by that. */
export interface RemoteFile {
  readonly href: string;
  readonly byteLength?: number;
  /** Nothing else can tell that a resumed transfer is of the same file. */
  readonly unverified?: boolean;
}

/** A file that was fetched whole, or why there is none. */
export type Whole =
  | {
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly version: string;
      /** The header Link, where a page may read it. */
      readonly link: string;
    }
  | NoFile;
/** `status`: where a server said no. `errorCode`: the header X-Error-Code, which hubs send. */
export interface NoFile {
  readonly bytes?: undefined;
  readonly why: string;
  readonly status?: number;
  readonly errorCode?: string;
}
/** How long a file is; `bytes` when it had to be fetched to know that. */
export type Size =
  | { readonly byteLength: number; readonly bytes?: Uint8Array<ArrayBuffer> }
  | { readonly byteLength?: undefined; readonly why: string };

/** Skip gaps up to this size instead of opening a new request. */
const maxSkipBytes = 256 << 10;

interface OpenFile {
  readonly href: string;
  readonly body: Body;
  readonly stop: AbortController;
  readonly watch: Watch;
  at: number;
  /** No more was asked for. */
  readonly end: number;
  /** Came with the last piece, but lies after the wanted range. */
  rest: Uint8Array;
}

export class HttpReader {
  #retry: RetryPolicy;
  readonly #attempts: Attempts;
  readonly #fetch: Fetch;
  readonly #headers: readonly (readonly [string, string])[];
  readonly #signs: boolean;
  /** Version of each unverified file. */
  readonly #versions = new Map<string, string>();
  readonly #room: Room = { buffer: new ArrayBuffer(0) };
  #open: OpenFile | undefined;
  /** Counts the calls of close(): reads that began before one end. */
  #closings = 0;

  constructor({ retry, fetch: own, headers, signs = false }: HttpOptions) {
    this.#signs = signs;
    this.#retry = retry;
    this.#attempts = new Attempts(retry);
    this.#fetch = own ?? ((href, init) => fetch(href, init));
    this.#headers = headers ?? [];
  }

  set retry(retry: RetryPolicy) {
    this.#retry = this.#attempts.policy = retry;
  }

  /**
   * Gives exactly `length` bytes from `offset`. `until`: more than these are not asked for at once; Infinity for servers that may
   * send the rest of the file. Errors: "network".
   */
  async read(
    file: RemoteFile,
    offset: number,
    length: number,
    cache: CacheUse,
    until: number,
    take: (piece: Uint8Array) => void,
  ): Promise<void> {
    const end = offset + length;
    const closings = this.#closings;
    let given = offset;
    await this.#attempts.until(async () => {
      while (given < end) {
        if (this.#closings !== closings) throw networkError(file.href, "the load was ended");
        const open = await this.#openAt(file, given, cache, until);
        const last = Math.min(end, open.end);
        while (open.at < last) {
          const piece = await this.#next(open, last);
          const skip = Math.min(piece.length, Math.max(0, given - open.at));
          const used = Math.min(piece.length, last - open.at);
          open.rest = piece.subarray(used);
          open.at += used;
          if (used <= skip) continue;
          given = open.at;
          this.#attempts.add(used - skip);
          take(piece.subarray(skip, used));
        }
      }
      if (end !== file.byteLength) return;
      if (file.unverified) await this.#checkEnd();
      this.#attempts.reset();
    });
  }

  /**
   * A file of at most `limit` bytes, whole. `deadline`: one attempt, which may take so many milliseconds whatever comes.
   * Errors: "network", "corrupt-model" when it is longer.
   */
  whole(href: string, limit: number, cache: CacheUse, deadline?: number): Promise<Whole> {
    const attempt = () => this.#fetchWhole(href, limit, { method: "GET", cache });
    if (deadline === undefined) return this.#attempts.until(attempt);
    return this.#once(href, deadline, (stop) =>
      this.#fetchWhole(href, limit, { method: "GET", cache }, stop),
    );
  }

  /**
   * How long a file is that may be missing: from the headers of HEAD, unless the answer is compressed; or from those of a small
   * range; or it has to be fetched, up to `limit` bytes. Errors: as `whole`.
   */
  size(href: string, limit: number): Promise<Size> {
    return this.#attempts.until(async () => {
      const head = await this.#headOf(href);
      if ("size" in head) return { byteLength: head.size };
      if (head.absent) return { why: head.why };
      return this.#sizeByRange(href, limit);
    });
  }

  /** What tells the version of a file; empty when nothing does. Errors: "network". */
  async version(href: string): Promise<string> {
    return (await this.#attempts.until(() => this.#headOf(href))).version;
  }

  /** Whether the file has another version now than `version`. False when nobody knows. */
  async changed(href: string, version: string, deadline: number): Promise<boolean> {
    try {
      const now = await this.#once(href, deadline, (stop) => this.#headOf(href, stop));
      return version !== "" && now.version !== "" && now.version !== version;
    } catch {
      return false;
    }
  }

  /** Ends what is on its way. Other reads may follow. */
  close(): Promise<void> {
    this.#closings++;
    return this.#drop();
  }

  /**
   * The open file was read to its last byte. Chromium keeps megabytes of a response that is broken off until they are collected,
   * and nothing of one that was read to its end; so the end is read, which nobody has to wait for.
   */
  finish(): void {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    open.watch.begin();
    open.body.ends().then(
      (ended) => (ended ? open.watch.stop() : void end(open)),
      () => void end(open),
    );
  }

  async #drop(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await end(open);
  }

  async #next(open: OpenFile, end: number): Promise<Uint8Array> {
    if (open.rest.length > 0) return open.rest;
    let piece: Uint8Array | undefined;
    open.watch.begin();
    try {
      piece = await open.body.read();
      open.watch.end(piece?.length ?? 0);
    } catch (error) {
      await this.#drop();
      throw new TransientError(
        failed(
          open.href,
          `broke off after ${open.at} bytes`,
          open.watch.late ? open.watch.reason : error,
        ),
      );
    }
    if (!piece) {
      await this.#drop();
      throw new TransientError(
        networkError(open.href, `ended after ${open.at} bytes, ${end} were wanted`),
      );
    }
    return piece;
  }

  async #openAt(
    file: RemoteFile,
    offset: number,
    cache: CacheUse,
    until: number,
  ): Promise<OpenFile> {
    const open = this.#open;
    if (
      open?.href === file.href &&
      offset >= open.at &&
      offset < open.end &&
      offset - open.at <= maxSkipBytes
    )
      return open;
    if (open?.href === file.href && open.at === open.end) this.finish();
    await this.#drop();
    const { href } = file;
    const stop = new AbortController();
    const wanted: Wanted = {
      offset,
      ...(file.byteLength === undefined ? {} : { wholeBytes: file.byteLength }),
    };
    const isPart = until < (file.byteLength ?? Infinity);
    const range = isPart ? { headers: { Range: `bytes=${offset}-${until - 1}` } } : from(offset);
    let response = await this.#ask(href, { method: "GET", cache, ...range }, stop);
    // A range of a compressed response is none of the file.
    if (response.status === 206 && isEncoded(response)) {
      void response.body?.cancel().catch(() => {});
      response = await this.#ask(href, { method: "GET", cache: "no-store" }, stop);
    }
    this.#accept(href, this.#judge(href, response, wanted), stop);
    if (file.unverified) {
      this.#checkVersion(href, response, stop);
      const length =
        response.status === 206
          ? totalBytes(response)
          : isEncoded(response)
            ? undefined
            : contentLength(response);
      if (length !== undefined && length !== file.byteLength)
        this.#accept(
          href,
          { kind: "transient", why: `is ${length} bytes long, not ${file.byteLength}`, pause: 0 },
          stop,
        );
    }
    const at = response.status === 206 ? offset : 0;
    const body = new Body(response.body as ReadableStream<Uint8Array>, this.#room);
    this.#open = {
      href,
      body,
      stop,
      watch: new Watch(this.#retry, () => stop.abort()),
      at,
      end: isPart && response.status === 206 ? until : Infinity,
      rest: new Uint8Array(0),
    };
    return this.#open;
  }

  #judge(href: string, response: Response, wanted: Wanted): Verdict {
    const verdict = judge(response, wanted);
    return verdict.kind === "refused" && this.#signs && isSignature(href, response)
      ? { kind: "transient", why: verdict.why, pause: 0 }
      : verdict;
  }

  #accept(href: string, verdict: Verdict, stop: AbortController): void {
    if (verdict.kind === "ok") return;
    stop.abort();
    const error = networkError(href, verdict.why);
    throw verdict.kind === "transient" ? new TransientError(error, verdict.pause) : error;
  }

  // Fetches a file from its beginning to its end. A file that is absent or refused is no error: the caller knows what it means.
  async #fetchWhole(
    href: string,
    limit: number,
    request: Request,
    stop = new AbortController(),
  ): Promise<Whole> {
    const response = await this.#ask(href, request, stop);
    if (isPage(response) && response.ok)
      return this.#without(
        stop,
        "is a web page, of the server or of a network that wants a sign-in",
      );
    const verdict = this.#judge(href, response, { offset: 0 });
    if (verdict.kind === "absent" || verdict.kind === "refused")
      return this.#without(stop, verdict.why, response);
    this.#accept(href, verdict, stop);
    const bytes = await this.#collect(href, response, limit, stop);
    this.#attempts.reset();
    return { bytes, version: versionOf(response), link: response.headers.get("Link") ?? "" };
  }

  #without(stop: AbortController, why: string, response?: Response): NoFile {
    stop.abort();
    return response
      ? { why, status: response.status, errorCode: response.headers.get("X-Error-Code") ?? "" }
      : { why };
  }

  async #collect(
    href: string,
    response: Response,
    limit: number,
    stop: AbortController,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const body = new Body(response.body as ReadableStream<Uint8Array>, this.#room);
    const watch = new Watch(this.#retry, () => stop.abort());
    const pieces: Uint8Array[] = [];
    let length = 0;
    try {
      for (;;) {
        watch.begin();
        const piece = await body.read();
        watch.end(piece?.length ?? 0);
        if (!piece) break;
        length += piece.length;
        if (length > limit)
          throw new EmbedError("corrupt-model", `${shownAddress(href)}: more than ${limit} bytes`);
        pieces.push(piece.slice());
      }
    } catch (error) {
      stop.abort();
      if (error instanceof EmbedError) throw error;
      throw new TransientError(
        failed(href, `broke off after ${length} bytes`, watch.late ? watch.reason : error),
      );
    } finally {
      watch.stop();
    }
    const announced =
      response.status === 206
        ? totalBytes(response)
        : isEncoded(response)
          ? undefined
          : contentLength(response);
    if (announced !== undefined && announced !== length)
      throw new TransientError(networkError(href, `ended after ${length} of ${announced} bytes`));
    if (length === 0) throw new TransientError(networkError(href, "came without bytes"));
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  async #headOf(
    href: string,
    stop = new AbortController(),
  ): Promise<{ version: string } & ({ size: number } | { absent: boolean; why: string })> {
    const response = await this.#ask(href, { method: "HEAD", cache: "no-cache" }, stop);
    const version = versionOf(response);
    if (response.ok && isPage(response)) return { version: "", absent: true, why: "is a web page" };
    const verdict = judge(response, { offset: 0, head: true });
    if (verdict.kind === "transient" && response.status !== 501) this.#accept(href, verdict, stop);
    const size =
      verdict.kind === "ok" && !isEncoded(response) ? contentLength(response) : undefined;
    if (size) return { version, size }; // some say 0 for what they do not know
    return { version, absent: verdict.kind === "absent", why: "why" in verdict ? verdict.why : "" };
  }

  async #sizeByRange(href: string, limit: number): Promise<Size> {
    const stop = new AbortController();
    const response = await this.#ask(
      href,
      { method: "GET", cache: "no-cache", headers: { Range: "bytes=0-0" } },
      stop,
    );
    const total =
      response.status === 206 && !isEncoded(response) ? totalBytes(response) : undefined;
    stop.abort();
    if (total !== undefined) return { byteLength: total };
    const whole = await this.#fetchWhole(href, limit, { method: "GET", cache: "no-cache" });
    return whole.bytes
      ? { byteLength: whole.bytes.length, bytes: whole.bytes }
      : { why: whole.why };
  }

  async #ask(
    href: string,
    { headers, ...request }: Request,
    stop: AbortController,
  ): Promise<Response> {
    const all = Object.fromEntries(this.#headers);
    for (const name of Object.keys(all)) if (name.toLowerCase() === "range") delete all[name];
    try {
      return await inTime(
        this.#fetch(href, { ...request, headers: { ...all, ...headers }, signal: stop.signal }),
        this.#retry.idleTimeoutMs,
      );
    } catch (error) {
      stop.abort();
      if (error instanceof EmbedError) throw error;
      throw new TransientError(failed(href, "cannot be fetched", error));
    }
  }

  async #once<T>(
    href: string,
    deadline: number,
    action: (stop: AbortController) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController();
    try {
      return await inTime(action(stop), deadline);
    } catch (problem) {
      throw problem instanceof TransientError
        ? problem.error
        : problem instanceof EmbedError
          ? problem
          : failed(href, "cannot be fetched", problem);
    } finally {
      stop.abort();
    }
  }

  // Without hashes, a body that continues past the file's end is the only sign that it was of another file.
  async #checkEnd(): Promise<void> {
    const open = this.#open;
    if (!open) return;
    open.watch.begin();
    const ended = open.rest.length === 0 && (await open.body.ends().catch(() => true));
    open.watch.end(0);
    if (!ended) throw networkError(open.href, `is longer than ${open.at} bytes`);
  }

  // Two halves of two versions would make a model that nobody has seen.
  #checkVersion(href: string, response: Response, stop: AbortController): void {
    const version = versionOf(response);
    if (version === "") return;
    if ((this.#versions.get(href) ?? version) !== version) {
      stop.abort();
      throw networkError(href, "changed during the download");
    }
    this.#versions.set(href, version);
  }
}

type Request = Pick<FetchInit, "method" | "cache"> & { readonly headers?: Record<string, string> };

const from = (offset: number) => (offset > 0 ? { headers: { Range: `bytes=${offset}-` } } : {});

async function end(open: OpenFile | undefined): Promise<void> {
  open?.watch.stop();
  open?.stop.abort();
  await open?.body.cancel();
}
