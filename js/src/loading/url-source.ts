// A model behind a URL, or behind one URL for each file. With a store, the files of a pack are kept in it as they come and
// read from it the next time; what is there of a broken-off download is not fetched again. Bytes go from the response or the
// stored file to whoever takes them, piece by piece.
import { EmbedError } from "../errors.js";
import type { OpenSource, SourceFile, Take } from "../shared/source.js";
import type { ModelStore, StoredFile } from "../shared/store.js";
import { defaultPatience, describe, failed, HttpReader, type Patience, type RemoteFile } from "./http-reader.js";
import { checkpointBinaries, checkpointTexts, filesOfManifest, manifestName, type ManifestFile } from "./model-files.js";
import { isWhole, sameBytes, StoredModel, usable } from "./stored-model.js";

/** Stored files are read in such pieces. */
const storedPieceBytes = 1 << 20;

/** A folder's address, with "/" at its end, or an address for each path. */
export type ModelAddress = string | { readonly [path: string]: string };

export interface UrlSourceOptions {
  /** Keeps the files of packs. Left out: nothing is kept. */
  readonly store?: ModelStore | undefined;
  readonly patience?: Patience;
}

export async function openUrlSource(address: ModelAddress, options: UrlSourceOptions = {}): Promise<OpenSource> {
  const source = new UrlSource(address, options);
  try {
    await source.list();
  } catch (error) {
    await source.close();
    throw error;
  }
  return source;
}

/** The name under which a model is kept. */
export function cacheAddress(address: ModelAddress): string {
  return typeof address === "string" ? address : (address[manifestName] ?? "");
}

/** A listed file, with what only this source knows of it. */
interface UrlFile extends SourceFile {
  readonly remote: RemoteFile;
  /** Files of a pack. */
  readonly entry?: ManifestFile;
  /** Files that had to be brought whole to list them. */
  readonly whole?: Uint8Array;
}

class UrlSource implements OpenSource {
  readonly files: UrlFile[] = [];
  readonly #address: ModelAddress;
  readonly #http: HttpReader;
  readonly #store: ModelStore | undefined;
  #kept: StoredModel | undefined;
  /** The file whose stored copy is open; without `stored` when there is none to be had. */
  #open: { readonly file: SourceFile; stored: StoredFile | undefined } | undefined;
  /** Files that were asked for again, and why. */
  readonly #renewed = new Map<SourceFile, Set<"stored" | "sent">>();
  /** From which place on the bytes of a file came over the network. */
  readonly #sentFrom = new Map<SourceFile, number>();

  constructor(address: ModelAddress, options: UrlSourceOptions) {
    this.#address = address;
    this.#http = new HttpReader(options.patience ?? defaultPatience);
    this.#store = options.store;
  }

  async list(): Promise<void> {
    const address = cacheAddress(this.#address);
    this.#kept = this.#store && address ? await StoredModel.of(this.#store, address) : undefined;
    const manifest = await this.#bringManifest();
    if (manifest.bytes) return this.#listPack(manifest.bytes, manifest.fromCache ?? false);
    for (const path of checkpointTexts) {
      const href = this.#href(path);
      const { bytes, why } = href === undefined ? { bytes: undefined, why: "has no address" } : await this.#bringText(href, "twice");
      if (bytes) this.files.push({ path, byteLength: bytes.length, whole: bytes, remote: { href: "" } });
      else if (path === checkpointTexts[0])
        throw new EmbedError("network", `no model at ${address || "the given addresses"}: ${manifestName}: ${manifest.why}; ${path}: ${why}`);
    }
    for (const path of checkpointBinaries) await this.#findSize(path);
  }

  async read(listed: SourceFile, offset: number, length: number, take: Take): Promise<void> {
    const file = listed as UrlFile;
    if (file.whole) return take(file.whole.subarray(offset, offset + length), file.fromCache ?? false);
    const end = offset + length;
    let at = offset;
    const open = await this.#openStored(file, file.byteLength); // as much as there is
    while (open.stored && at < Math.min(end, usable(file, open.stored.size))) {
      const bytes = Math.min(storedPieceBytes, end - at, usable(file, open.stored.size) - at);
      const piece = await open.stored.read(at, bytes).catch(() => undefined); // evicted, or a broken disk
      if (piece?.length !== bytes) {
        await this.#closeStored();
        break;
      }
      take(piece, true);
      at += bytes;
    }
    if (at < end) {
      if (!this.#sentFrom.has(file)) this.#sentFrom.set(file, at); // and so does all behind it
      // With a store, the browser's own cache would only hold everything once more.
      const cache: RequestCache = this.#renewed.has(file) || this.#kept ? "no-store" : "default";
      await this.#http.read(file.remote, at, end - at, cache, (piece) => {
        this.#keep(at, piece);
        at += piece.length;
        take(piece, false);
      });
    }
    if (end !== file.byteLength) return;
    this.#http.finish();
    await this.#closeStored();
    this.#open = undefined;
  }

  async renew(listed: SourceFile, offset: number): Promise<boolean> {
    const file = listed as UrlFile;
    if (file.whole) return false;
    // Damage in a stored copy says nothing of the origin, so each has one more attempt.
    const why = (this.#sentFrom.get(file) ?? Infinity) <= offset ? "sent" : "stored";
    this.#sentFrom.delete(file);
    const reasons = this.#renewed.get(file) ?? new Set();
    await this.close();
    const stored = (await this.#openStored(file, offset)).stored; // what lay before was good
    if (reasons.has(why)) {
      await stored?.close();
      return false;
    }
    this.#renewed.set(file, reasons.add(why));
    return true;
  }

  async close(): Promise<void> {
    await this.#http.close();
    await this.#closeStored();
    this.#open = undefined;
  }

  async #openStored(file: UrlFile, keep: number): Promise<{ stored: StoredFile | undefined }> {
    if (this.#open?.file === file) return this.#open;
    await this.#closeStored();
    this.#open = { file, stored: file.entry && (await this.#kept?.open(file.entry, keep)) };
    return this.#open;
  }

  async #closeStored(): Promise<void> {
    const { stored } = this.#open ?? {};
    if (this.#open) this.#open.stored = undefined;
    await stored?.close().catch(() => {});
  }

  // A full disk ends the keeping, not the load.
  #keep(at: number, piece: Uint8Array): void {
    const open = this.#open;
    if (open?.stored?.size !== at) return;
    try {
      open.stored.append(piece);
    } catch {
      void this.#closeStored();
      this.#kept = undefined;
    }
  }

  async #listPack(bytes: Uint8Array, fromCache: boolean): Promise<void> {
    const entries = filesOfManifest(new TextDecoder().decode(bytes), this.#href(manifestName) ?? manifestName);
    try {
      await this.#kept?.describe(bytes, entries);
    } catch {
      this.#kept = undefined; // no room
    }
    const there = await this.#kept?.sizes(entries).catch(() => undefined);
    for (const entry of entries) {
      const { path, byteLength } = entry;
      const href = this.#href(path);
      // A file without an address is left out; the engine says so if it needs it.
      if (href !== undefined) this.files.push({ path, byteLength, entry, remote: { href }, fromCache: (there?.get(entry) ?? 0) > 0 });
    }
    this.files.push({ path: manifestName, byteLength: bytes.length, whole: bytes, remote: { href: "" }, fromCache });
  }

  // The manifest is asked for each time, so that a changed pack is noticed. Without an answer, the stored one has to do.
  async #bringManifest(): Promise<{ bytes?: Uint8Array; why: string; fromCache?: boolean }> {
    const href = this.#href(manifestName);
    if (href === undefined) return { why: "has no address" };
    const about = await this.#kept?.about();
    const stored = about && { bytes: about.manifest, why: "", fromCache: true };
    let came: { bytes?: Uint8Array; why: string; gone?: boolean };
    try {
      came = await this.#bringText(href, about ? "once" : "twice");
      // Damaged on its way, or an old response in the browser's cache.
      if (came.bytes && canHash() && !(await isWhole(came.bytes))) came = await this.#bringText(href, "fresh");
    } catch (error) {
      if (!stored) throw error;
      return stored;
    }
    if (!came.bytes) return stored && !came.gone ? stored : came;
    // The engine has the last word on a manifest that is not whole; it is not kept.
    if (!canHash() || !(await isWhole(came.bytes))) this.#kept = undefined;
    return { ...came, fromCache: about !== undefined && sameBytes(about.manifest, came.bytes) };
  }

  // A small text file, whole: a server may send it compressed, and then no header tells its size.
  async #bringText(href: string, how: "once" | "twice" | "fresh"): Promise<{ bytes?: Uint8Array; why: string; gone?: boolean }> {
    const response = await this.#http.ask(href, { cache: how === "fresh" ? "no-store" : "default" }, how !== "once");
    if (!response.ok || isPage(response)) {
      await response.body?.cancel();
      if (response.status >= 500) throw new EmbedError("network", `${href}: ${describe(response)}`);
      return { why: response.ok ? "is a web page" : describe(response), gone: !response.ok };
    }
    try {
      return { bytes: new Uint8Array(await response.arrayBuffer()), why: "" };
    } catch (error) {
      throw failed(href, "broke off", error);
    }
  }

  // Lists a file that may be missing. Its size is in the header of HEAD, unless the answer is compressed; or in that of a
  // small range; or the file has to be brought.
  async #findSize(path: string): Promise<void> {
    const href = this.#href(path);
    if (href === undefined) return;
    const remote = { href, unverified: true };
    const head = await this.#http.ask(href, { method: "HEAD" });
    const length = head.headers.get("Content-Length");
    if (head.ok && !isPage(head) && length !== null && !head.headers.get("Content-Encoding")) {
      this.files.push({ path, byteLength: Number(length), remote });
      return;
    }
    if (head.status === 404 || head.status === 410 || (head.ok && isPage(head))) return;
    const response = await this.#http.ask(href, { headers: { Range: "bytes=0-0" } });
    const total = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1];
    if (response.status === 206 && total !== undefined) {
      await response.body?.cancel();
      this.files.push({ path, byteLength: Number(total), remote });
    } else if (response.status === 200 && !isPage(response)) {
      try {
        const whole = new Uint8Array(await response.arrayBuffer());
        this.files.push({ path, byteLength: whole.length, whole, remote });
      } catch (error) {
        throw failed(href, "broke off", error);
      }
    } else {
      await response.body?.cancel();
    }
  }

  #href(path: string): string | undefined {
    if (typeof this.#address !== "string") return this.#address[path];
    return this.#address + path.split("/").map(encodeURIComponent).join("/");
  }
}

const canHash = () => typeof crypto === "object" && crypto.subtle !== undefined; // not on pages without https

// Servers of single-page applications answer any address with their start page.
const isPage = (response: Response) => /^text\/html\b/i.test(response.headers.get("Content-Type") ?? "");
