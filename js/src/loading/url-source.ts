// A model at a URL, or at one URL for each file. With a store, the files of a pack are kept in it as they come and
// read from it the next time; what is there of a broken-off download is not fetched again. Bytes go from the response or the
// stored file to the engine, piece by piece. A load uses one set of files: that of the server's manifest, or that of a
// cached one. When the set turns out to be bad, `otherwise` looks for another, and the load starts again; sets never mix.
import { EmbedError } from "../errors.js";
import type { Tower } from "../shared/engine-types.js";
import type { OpenSource, SourceFile, Take } from "../shared/source.js";
import type { ModelStore, StoredFile } from "../shared/store.js";
import { networkError } from "./answers.js";
import { findCheckpoint, type CheckpointFile } from "./checkpoint.js";
import { HttpReader, type CacheUse, type HttpOptions, type RemoteFile } from "./http-reader.js";
import { usable, versionFrom, type Version } from "./cache-accounts.js";
import { CacheEntry } from "./cache-entry.js";
import { manifestBytes } from "../shared/limits.js";
import { manifestName, type ManifestFile } from "../shared/model-files.js";
import { addressOf, keyOf, type ModelAddress } from "./model-key.js";
import { defaultRetryPolicy, withFallback, fallbackTimeout, type RetryPolicy } from "./retry.js";
import { canHash, isWhole, sameBytes } from "./sha256.js";
import { reasonOf } from "../shared/reason.js";

/** Stored files are read in such pieces. */
const storedPieceBytes = 1 << 20;
/** How often a load asks for a newer manifest because its files do not match the one it has. */
const maxRenewals = 2;

export interface UrlSourceOptions extends Omit<HttpOptions, "retry"> {
  /** Keeps the files of packs. Left out: nothing is kept. */
  readonly store?: ModelStore | undefined;
  readonly retry?: RetryPolicy;
  /** That will be loaded; only their files have to be there for a kept copy to be complete. Default: both. */
  readonly towers?: readonly Tower[];
  /** Hears, once, why the model is not kept. */
  readonly onNotKept?: (why: string) => void;
}

/** Errors: EmbedError. */
export async function openUrlSource(
  address: ModelAddress,
  options: UrlSourceOptions = {},
): Promise<OpenSource> {
  const source = new UrlSource(address, options);
  try {
    await source.list();
  } catch (error) {
    await source.close();
    throw error;
  }
  return source;
}

/** A listed file, with what only this source knows of it. */
interface UrlFile extends SourceFile {
  readonly remote: RemoteFile;
  /** Files of a pack. */
  readonly entry?: ManifestFile;
  /** Files that had to be fetched whole to list them. */
  readonly whole?: Uint8Array;
}

class UrlSource implements OpenSource {
  files: UrlFile[] = [];
  readonly absent = new Map<string, string>();
  readonly failureCode = "network";
  readonly #address: ModelAddress;
  readonly #http: HttpReader;
  readonly #retry: RetryPolicy;
  readonly #towers: readonly Tower[];
  readonly #onNotKept: (why: string) => void;
  #store: ModelStore | undefined;
  #cached: CacheEntry | undefined;
  /** Whether what comes is written down. */
  #keeps = false;
  /** The set of a pack; nothing for a checkpoint. */
  #version: Version | undefined;
  #checkpoint: readonly CheckpointFile[] = [];
  /** A complete kept copy, until it is taken. */
  #fallback: Version | undefined;
  #renewals = 0;
  /** The file whose stored copy is open; without `stored` when there is none to be had. */
  #open: { readonly file: SourceFile; stored: StoredFile | undefined } | undefined;
  /** Files that were asked for again, and why. */
  readonly #renewed = new Map<SourceFile, Set<"stored" | "sent">>();
  /** From which place on the bytes of a file came over the network. */
  readonly #sentFrom = new Map<SourceFile, number>();
  #closings = 0;

  constructor(
    address: ModelAddress,
    {
      store,
      retry = defaultRetryPolicy,
      towers = ["text", "vision"],
      onNotKept = () => {},
      ...http
    }: UrlSourceOptions,
  ) {
    this.#address = address;
    this.#http = new HttpReader({ retry, ...http });
    this.#retry = retry;
    this.#towers = towers;
    this.#onNotKept = onNotKept;
    this.#store = canHash() ? store : undefined;
  }

  async list(): Promise<void> {
    const key = this.#store && (await keyOf(this.#address));
    if (this.#store && key) {
      this.#cached = await CacheEntry.of(this.#store, key);
      this.#keeps = true;
      this.#fallback = await this.#cached.complete(this.#towers).catch(() => undefined);
    }
    const href = addressOf(this.#address, manifestName);
    const why = href === undefined ? "has no address" : await this.#listPack(href);
    if (why === undefined) return;
    const { files, absent } = await findCheckpoint(this.#address, this.#http, why);
    if (this.#keeps)
      this.#notKept(
        "a checkpoint has no hashes to tell its versions apart; `clipglot convert` makes a pack of it",
      );
    this.#checkpoint = files;
    this.files = files.map(({ path, href, bytes, byteLength }) => ({
      path,
      byteLength,
      remote: { href, unverified: true, byteLength },
      ...(bytes ? { whole: bytes } : {}),
    }));
    // Of a file that is just not there, the engine speaks better.
    for (const [path, reason] of absent)
      if (!/^(404|410)\b/.test(reason)) this.absent.set(path, reason);
  }

  async read(listed: SourceFile, offset: number, length: number, take: Take): Promise<void> {
    const file = listed as UrlFile;
    if (file.whole)
      return take(file.whole.subarray(offset, offset + length), file.fromCache ?? false);
    const closings = this.#closings;
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
    if (this.#closings !== closings) throw networkError(file.remote.href, "the load was ended");
    if (at < end) {
      if (!this.#sentFrom.has(file)) this.#sentFrom.set(file, at); // and so does all after it
      // With a store, the browser's own cache would only hold everything once more. What no hash tells apart must be of today.
      const cache: CacheUse =
        this.#renewed.has(file) || this.#keeps ? "no-store" : file.entry ? "default" : "no-cache";
      await this.#http.read(file.remote, at, end - at, cache, Infinity, (piece) => {
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
      this.#open = undefined;
      return false;
    }
    this.#renewed.set(file, reasons.add(why));
    return true;
  }

  async otherwise(error: unknown): Promise<boolean> {
    const { code } = error instanceof EmbedError ? error : { code: "internal" };
    if (
      !this.#version ||
      !["network", "corrupt-model", "unsupported-version", "unsupported-model"].includes(code)
    )
      return false;
    await this.close();
    const fallback = this.#fallback;
    // The server may have been given a new version in between. A network that failed a moment ago is not asked when there is a copy.
    if (this.#renewals++ < maxRenewals && !(fallback && code === "network")) {
      const href = addressOf(this.#address, manifestName) ?? "";
      const came = await this.#askOnce(href, "reload");
      if (came && !sameBytes(came.manifest, this.#version.manifest)) {
        await this.#take(came, false);
        return true;
      }
    }
    if (!fallback || sameBytes(fallback.manifest, this.#version.manifest)) return false;
    await this.#take(fallback, true);
    return true;
  }

  async finished(): Promise<void> {
    const versions = this.#checkpoint.map(({ href, version }) =>
      this.#http.changed(href, version, fallbackTimeout(this.#retry)),
    );
    const changed = (await Promise.all(versions)).indexOf(true);
    if (changed >= 0)
      throw networkError(
        this.#checkpoint[changed]!.href,
        "changed during the download; load again",
      );
    if (this.#keeps) await this.#cached?.settle().catch(() => {}); // a disk that is full or cannot be written: another time
  }

  async close(): Promise<void> {
    this.#closings++;
    await this.#http.close();
    await this.#closeStored();
    this.#open = undefined;
  }

  async #openStored(file: UrlFile, keep: number): Promise<{ stored: StoredFile | undefined }> {
    if (this.#open?.file === file) return this.#open;
    await this.#closeStored();
    const there = this.#keeps || file.fromCache; // or it would be made
    const stored =
      file.entry &&
      there &&
      (await this.#cached?.open(file.entry, keep).catch((error: unknown) => this.#notKept(error)));
    this.#open = { file, stored: stored || undefined };
    return this.#open;
  }

  async #closeStored(): Promise<void> {
    const { stored } = this.#open ?? {};
    if (this.#open) this.#open.stored = undefined;
    await stored?.close().catch(() => {});
  }

  // A full disk ends the caching, not the load.
  #keep(at: number, piece: Uint8Array): void {
    const open = this.#open;
    if (!this.#keeps || open?.stored?.size !== at) return;
    try {
      open.stored.append(piece);
    } catch (error) {
      void this.#closeStored();
      this.#notKept(error);
    }
  }

  // What is cached already is read all the same.
  #notKept(why: unknown): undefined {
    if (this.#keeps) this.#onNotKept(reasonOf(why));
    this.#keeps = false;
  }

  // Lists a pack, or says why there is none. The manifest is asked for each time, so that a changed pack is noticed; with a kept
  // one, for a moment only, and whatever comes of it, the kept one will do.
  async #listPack(href: string): Promise<string | undefined> {
    if (this.#fallback) {
      const came = await this.#askOnce(href, "no-cache");
      await this.#take(came ?? this.#fallback, came === undefined);
      return undefined;
    }
    const stored = this.#cached?.versions[0];
    try {
      let came = await this.#http.whole(href, manifestBytes, "no-cache");
      // Damaged on its way, or an old response of some cache.
      if (came.bytes && canHash() && !(await isWhole(came.bytes)))
        came = await this.#http.whole(href, manifestBytes, "reload");
      if (!came.bytes && !stored) return came.why;
      if (came.bytes && canHash() && (await isWhole(came.bytes))) {
        await this.#take(versionFrom(came.bytes, href), false);
        return undefined;
      }
      if (came.bytes && !stored) {
        // Do not cache a truncated manifest; the engine validates it and reports the error.
        this.#notKept(`${manifestName}: its own hash does not fit`);
        await this.#take(versionFrom(came.bytes, href), false);
        return undefined;
      }
    } catch (error) {
      if (!stored) throw error;
    }
    if (stored) await this.#take(stored, true);
    return undefined;
  }

  // The manifest, asked for once, in a time that a load with a kept copy can wait. Nothing when none comes.
  async #askOnce(href: string, cache: CacheUse): Promise<Version | undefined> {
    try {
      return await this.#askInTime(
        href,
        cache,
        performance.now() +
          (this.#fallback ? fallbackTimeout(this.#retry) : this.#retry.idleTimeoutMs),
      );
    } catch {
      return undefined;
    }
  }

  async #askInTime(href: string, cache: CacheUse, until: number): Promise<Version | undefined> {
    for (const how of [cache, "reload"] as const) {
      const left = until - performance.now();
      if (left <= 0) return undefined;
      const { bytes } = await this.#http.whole(href, manifestBytes, how, left);
      if (bytes && (!canHash() || (await isWhole(bytes)))) return versionFrom(bytes, href);
      if (!bytes) return undefined;
    }
    return undefined;
  }

  // Makes this the set of files. `isKept`: from the cache, for want of a better one.
  async #take(version: Version, isKept: boolean): Promise<void> {
    this.#version = version;
    this.#renewed.clear();
    this.#sentFrom.clear();
    const fallback = this.#fallback;
    const isFallback = fallback !== undefined && sameBytes(fallback.manifest, version.manifest);
    if (isFallback) this.#fallback = undefined;
    this.#http.retry = fallback && !isFallback ? withFallback(this.#retry) : this.#retry;
    const wasKept =
      isKept ||
      (this.#cached?.versions.some(({ manifest }) => sameBytes(manifest, version.manifest)) ??
        false);
    if (!isKept && this.#keeps)
      await this.#cached?.note(version).catch((error: unknown) => this.#notKept(error));
    const there = await this.#cached?.sizes(version.files).catch(() => undefined);
    this.files = version.files.flatMap((entry) => {
      const { path, byteLength } = entry;
      const href = addressOf(this.#address, path);
      // A file without an address is left out; the engine says so if it needs it.
      return href === undefined
        ? []
        : [
            {
              path,
              byteLength,
              entry,
              remote: { href, byteLength },
              fromCache: (there?.get(entry) ?? 0) > 0,
            },
          ];
    });
    this.files.push({
      path: manifestName,
      byteLength: version.manifest.length,
      whole: version.manifest,
      remote: { href: "" },
      fromCache: wasKept,
    });
  }
}
