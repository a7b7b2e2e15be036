// Ranges of files behind addresses. Adjacent ranges of a file are read from one response, so that a file that is read from
// end to end costs one request. A transfer that breaks off, stalls or is turned away for the moment is taken up again where
// it ended, after a pause. Servers that ignore Range work too: what comes before the range is passed over.
import { EmbedError } from "../errors.js";
import { reasonOf } from "../shared/reason.js";

export interface Patience {
  /** Milliseconds before each new attempt; as many attempts as there are numbers, counted anew when bytes have come. */
  readonly pauses: readonly number[];
  /** A transfer that brings nothing for so many milliseconds is given up. */
  readonly idle: number;
}
export const defaultPatience: Patience = { pauses: [500, 1000, 2000, 4000], idle: 30_000 };

/** A file behind an address, named in errors by that. */
export interface RemoteFile {
  readonly href: string;
  /** Nothing else can tell that a resumed transfer is of the same file. */
  readonly unverified?: boolean;
}

/** Rather read on than ask again, if so many bytes lie between. */
const passOverBytes = 256 << 10;
/** So many new bytes show that the transfer gets on. */
const progressBytes = 64 << 10;

interface OpenFile {
  readonly href: string;
  readonly body: Body;
  readonly stop: AbortController;
  readonly watch: Watch;
  at: number;
  /** Came with the last piece, but lies behind what was asked for. */
  rest: Uint8Array;
}

/** Longest piece that is read at once. */
const readBytes = 1 << 20;

/** Where streams read into a buffer of the reader's, one serves for all pieces of all responses. */
interface Room {
  buffer: ArrayBuffer;
}

// The bytes of a response. Where streams do not read into a buffer, each piece is an array of its own, and many of them wait to
// be collected.
class Body {
  readonly #byob: ReadableStreamBYOBReader | undefined;
  readonly #plain: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #room: Room;

  constructor(stream: ReadableStream<Uint8Array>, room: Room) {
    this.#room = room;
    try {
      this.#byob = stream.getReader({ mode: "byob" });
    } catch {
      this.#plain = stream.getReader();
    }
  }

  /** The next bytes, valid until the next call; nothing at the end. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#plain) return (await this.#plain.read()).value;
    // A read that failed kept the buffer.
    if (this.#room.buffer.byteLength === 0) this.#room.buffer = new ArrayBuffer(readBytes);
    const result = await this.#byob?.read(new Uint8Array(this.#room.buffer));
    if (result?.value) this.#room.buffer = result.value.buffer as ArrayBuffer;
    return result?.done ? undefined : result?.value;
  }

  /** Whether nothing more comes. */
  async ends(): Promise<boolean> {
    const last = this.#plain ? await this.#plain.read() : await this.#byob?.read(new Uint8Array(1));
    return last?.done ?? true;
  }

  async cancel(): Promise<void> {
    await (this.#byob ?? this.#plain)?.cancel().catch(() => {});
  }
}

// Ends a transfer in which a read takes too long. One timer for all reads of it: one for each would be thousands, and all the
// promises with them would wait to be collected.
class Watch {
  readonly #idle: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** When the read that is waited for began. */
  #since: number | undefined;
  late = false;

  constructor(idle: number, end: () => void) {
    this.#idle = idle;
    const look = () => {
      if (this.#since === undefined || performance.now() - this.#since < idle) return;
      this.late = true;
      end();
    };
    this.#timer = setInterval(look, Math.max(1, idle / 4));
  }

  begin(): void {
    this.#since = performance.now();
  }

  end(): void {
    this.#since = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get reason(): Error {
    return new Error(`nothing came for ${this.#idle / 1000} s`);
  }
}

/** Failed for the moment: another attempt may work. */
class Passing {
  constructor(readonly error: EmbedError, readonly pause = 0) {}
}

export class HttpReader {
  readonly #patience: Patience;
  /** ETag or date of each unverified file. */
  readonly #versions = new Map<string, string>();
  readonly #room: Room = { buffer: new ArrayBuffer(0) };
  #open: OpenFile | undefined;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** Gives exactly `length` bytes from `offset`. `cache`: what the browser's own cache of responses may do. Errors: "network". */
  async read(file: RemoteFile, offset: number, length: number, cache: RequestCache, take: (piece: Uint8Array) => void): Promise<void> {
    const end = offset + length;
    const { pauses } = this.#patience;
    let given = offset;
    let [failures, before] = [0, offset];
    while (given < end) {
      try {
        const open = await this.#openAt(file, given, cache);
        while (open.at < end) {
          const piece = await this.#next(open, end);
          const skip = Math.min(piece.length, Math.max(0, given - open.at));
          const used = Math.min(piece.length, end - open.at);
          open.rest = piece.subarray(used);
          open.at += used;
          if (used <= skip) continue;
          given = open.at;
          take(piece.subarray(skip, used));
        }
      } catch (problem) {
        if (!(problem instanceof Passing)) throw problem;
        if (given - before >= progressBytes) [failures, before] = [0, given];
        const pause = pauses[failures++];
        if (pause === undefined) throw problem.error;
        await sleep(Math.max(pause, problem.pause));
      }
    }
  }

  /** A response to a request for something small, `twice` if it fails. Errors: "network". */
  async ask(href: string, init: RequestInit, twice = true): Promise<Response> {
    try {
      // Who asks once has something else: then a network that says nothing is as good as none.
      return await this.#inTime(fetch(href, init), twice ? this.#patience.idle : this.#patience.idle / 3);
    } catch (error) {
      if (!twice) throw failed(href, "cannot be fetched", error);
      await sleep(this.#patience.pauses[0] ?? 0);
    }
    try {
      return await fetch(href, init);
    } catch (error) {
      throw failed(href, "cannot be fetched", error);
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await end(open);
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

  async #next(open: OpenFile, end: number): Promise<Uint8Array> {
    if (open.rest.length > 0) return open.rest;
    let piece: Uint8Array | undefined;
    open.watch.begin();
    try {
      piece = await open.body.read();
      open.watch.end();
    } catch (error) {
      await this.close();
      throw new Passing(failed(open.href, `broke off after ${open.at} bytes`, open.watch.late ? open.watch.reason : error));
    }
    if (!piece) {
      await this.close();
      throw new Passing(ended(open.href, open.at, end));
    }
    return piece;
  }

  async #openAt(file: RemoteFile, offset: number, cache: RequestCache): Promise<OpenFile> {
    const open = this.#open;
    if (open?.href === file.href && offset >= open.at && offset - open.at <= passOverBytes) return open;
    await this.close();
    const stop = new AbortController();
    const response = await this.#get(file, offset, cache, stop);
    let at = 0;
    if (response.status === 206) {
      at = Number(/^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? offset);
      if (at !== offset) {
        stop.abort();
        throw new EmbedError("network", `${file.href}: asked for bytes from ${offset}, got bytes from ${at}`);
      }
    }
    if (file.unverified) this.#checkVersion(file.href, response, stop);
    const body = new Body(response.body as ReadableStream<Uint8Array>, this.#room);
    this.#open = { href: file.href, body, stop, watch: new Watch(this.#patience.idle, () => stop.abort()), at, rest: new Uint8Array(0) };
    return this.#open;
  }

  async #get({ href }: RemoteFile, offset: number, cache: RequestCache, stop: AbortController): Promise<Response> {
    const init: RequestInit = { signal: stop.signal, cache, ...(offset > 0 ? { headers: { Range: `bytes=${offset}-` } } : {}) };
    let response: Response;
    try {
      response = await this.#inTime(fetch(href, init));
      // A range of a compressed response is none of the file.
      if (response.status === 206 && (response.headers.get("Content-Encoding") ?? "identity") !== "identity") {
        await response.body?.cancel();
        response = await this.#inTime(fetch(href, { signal: stop.signal, cache: "no-store" }));
      }
    } catch (error) {
      stop.abort();
      throw new Passing(failed(href, "cannot be fetched", error));
    }
    if (response.ok && response.body) return response;
    stop.abort();
    if (response.status === 416) throw ended(href, offset, undefined);
    const error = new EmbedError("network", `${href}: ${describe(response)}`);
    if (![408, 425, 429, 500, 502, 503, 504].includes(response.status)) throw error;
    throw new Passing(error, Math.min(10_000, 1000 * (Number(response.headers.get("Retry-After")) || 0)));
  }

  // Two halves of two versions would make a model that nobody has seen.
  #checkVersion(href: string, response: Response, stop: AbortController): void {
    const version = response.headers.get("ETag") ?? response.headers.get("Last-Modified");
    if (version === null) return;
    if ((this.#versions.get(href) ?? version) !== version) {
      stop.abort();
      throw new EmbedError("network", `${href}: changed during the download`);
    }
    this.#versions.set(href, version);
  }

  async #inTime<T>(promise: Promise<T>, idle = this.#patience.idle): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came for ${idle / 1000} s`)), idle);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function end(open: OpenFile | undefined): Promise<void> {
  open?.watch.stop();
  open?.stop.abort();
  await open?.body.cancel();
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

const ended = (href: string, at: number, end: number | undefined) =>
  new EmbedError("network", `${href}: ended after ${at} bytes${end === undefined ? "" : `, ${end} were wanted`}`);

export const describe = (response: Response) => `${response.status} ${response.statusText}`.trim();

export function failed(url: string, what: string, cause: unknown): EmbedError {
  return new EmbedError("network", `${url}: ${what}: ${reasonOf(cause)}`, { cause });
}
