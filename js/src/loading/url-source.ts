// A model behind a URL. Adjacent ranges of a file are read from one response, so that a file that is read from end to end
// costs one request. Servers that ignore Range work too: what comes before the range is passed over.
import { EmbedError } from "../errors.js";
import { checkpointBinaries, checkpointTexts, filesOfManifest, manifestName } from "./model-files.js";
import type { OpenSource, SourceFile } from "../shared/source.js";

/** Rather read on than ask again, if so many bytes lie between. */
const passOverBytes = 256 << 10;

export async function openUrlSource(folder: string): Promise<OpenSource> {
  const source = new UrlSource(folder);
  try {
    await source.list();
  } catch (error) {
    await source.close();
    throw error;
  }
  return source;
}

interface OpenFile {
  readonly path: string;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  at: number;
  /** Came with the last piece, but lies behind what was asked for. */
  rest: Uint8Array;
}

class UrlSource implements OpenSource {
  readonly files: SourceFile[] = [];
  readonly #folder: string;
  /** Files that had to be brought whole to know their size. */
  readonly #whole = new Map<string, Uint8Array>();
  #open: OpenFile | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async list(): Promise<void> {
    const manifest = await this.#bringText(manifestName);
    if (manifest.bytes) {
      const text = new TextDecoder().decode(manifest.bytes);
      this.files.push(...filesOfManifest(text, this.#url(manifestName)));
      this.#keep(manifestName, manifest.bytes);
      return;
    }
    for (const path of checkpointTexts) {
      const { bytes, why } = await this.#bringText(path);
      if (bytes) this.#keep(path, bytes);
      else if (path === checkpointTexts[0])
        throw new EmbedError("network", `no model at ${this.#folder}: ${manifestName}: ${manifest.why}; ${path}: ${why}`);
    }
    for (const path of checkpointBinaries) await this.#findSize(path);
  }

  async read(file: SourceFile, offset: number, length: number, take: (piece: Uint8Array) => void): Promise<void> {
    const whole = this.#whole.get(file.path);
    if (whole) return take(whole.subarray(offset, offset + length));
    const open = await this.#openAt(file.path, offset);
    const end = offset + length;
    while (open.at < end) {
      const piece = await this.#next(open, end);
      const skip = Math.min(piece.length, Math.max(0, offset - open.at));
      const used = Math.min(piece.length, end - open.at);
      open.rest = piece.subarray(used);
      open.at += used;
      if (used > skip) take(piece.subarray(skip, used));
    }
    if (end === file.byteLength) await this.close();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.reader.cancel().catch(() => {});
  }

  async #next(open: OpenFile, end: number): Promise<Uint8Array> {
    if (open.rest.length > 0) return open.rest;
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await open.reader.read();
    } catch (error) {
      this.#open = undefined;
      throw failed(this.#url(open.path), `broke off after ${open.at} bytes`, error);
    }
    if (result.done) {
      this.#open = undefined;
      throw new EmbedError("network", `${this.#url(open.path)}: ended after ${open.at} bytes, ${end} were wanted`);
    }
    return result.value;
  }

  async #openAt(path: string, offset: number): Promise<OpenFile> {
    const open = this.#open;
    if (open?.path === path && offset >= open.at && offset - open.at <= passOverBytes) return open;
    await this.close();
    const response = await this.#fetch(path, offset > 0 ? { headers: { Range: `bytes=${offset}-` } } : {});
    if (!response.ok || !response.body) throw new EmbedError("network", `${this.#url(path)}: ${describe(response)}`);
    let at = 0;
    if (response.status === 206) {
      at = Number(/^bytes (\d+)-/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? offset);
      if (at !== offset) {
        await response.body.cancel();
        throw new EmbedError("network", `${this.#url(path)}: asked for bytes from ${offset}, got bytes from ${at}`);
      }
    }
    this.#open = { path, reader: response.body.getReader(), at, rest: new Uint8Array(0) };
    return this.#open;
  }

  // A small text file, whole: a server may send it compressed, and then no header tells its size.
  async #bringText(path: string): Promise<{ bytes?: Uint8Array; why: string }> {
    const response = await this.#fetch(path, {});
    if (!response.ok || isPage(response)) {
      await response.body?.cancel();
      if (response.status >= 500) throw new EmbedError("network", `${this.#url(path)}: ${describe(response)}`);
      return { why: response.ok ? "is a web page" : describe(response) };
    }
    try {
      return { bytes: new Uint8Array(await response.arrayBuffer()), why: "" };
    } catch (error) {
      throw failed(this.#url(path), "broke off", error);
    }
  }

  // Lists a file that may be missing. Its size is in the header of HEAD, unless the answer is compressed; or in that of a
  // small range; or the file has to be brought.
  async #findSize(path: string): Promise<void> {
    const head = await this.#fetch(path, { method: "HEAD" });
    const length = head.headers.get("Content-Length");
    if (head.ok && !isPage(head) && length !== null && !head.headers.get("Content-Encoding")) {
      this.files.push({ path, byteLength: Number(length) });
      return;
    }
    if (head.status === 404 || head.status === 410 || (head.ok && isPage(head))) return;
    const response = await this.#fetch(path, { headers: { Range: "bytes=0-0" } });
    const total = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1];
    if (response.status === 206 && total !== undefined) {
      await response.body?.cancel();
      this.files.push({ path, byteLength: Number(total) });
    } else if (response.status === 200 && !isPage(response)) {
      try {
        this.#keep(path, new Uint8Array(await response.arrayBuffer()));
      } catch (error) {
        throw failed(this.#url(path), "broke off", error);
      }
    } else {
      await response.body?.cancel();
    }
  }

  #keep(path: string, bytes: Uint8Array): void {
    this.#whole.set(path, bytes);
    this.files.push({ path, byteLength: bytes.length });
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(this.#url(path), init);
    } catch (error) {
      throw failed(this.#url(path), "cannot be fetched", error);
    }
  }

  #url(path: string): string {
    return this.#folder + path.split("/").map(encodeURIComponent).join("/");
  }
}

const describe = (response: Response) => `${response.status} ${response.statusText}`.trim();

// Servers of single-page applications answer any address with their start page.
const isPage = (response: Response) => /^text\/html\b/i.test(response.headers.get("Content-Type") ?? "");

function failed(url: string, what: string, cause: unknown): EmbedError {
  return new EmbedError("network", `${url}: ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
