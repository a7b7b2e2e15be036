// A pack in the cache, read from there alone.
import { EmbedError } from "../../errors.js";
import type { CacheEntry } from "../../loading/cache-entry.js";
import type { Version } from "../../loading/cache-accounts.js";
import { pieceBytes } from "../../shared/limits.js";
import { manifestName, type ManifestFile } from "../../shared/model-files.js";
import type { OpenSource, SourceFile, Take } from "../../shared/source.js";
import type { StoredFile } from "../../shared/store.js";

interface KeptFile extends SourceFile {
  /** Left out: the manifest. */
  readonly entry?: ManifestFile;
}

export class KeptPack implements OpenSource {
  readonly files: readonly KeptFile[];
  readonly failureCode = "unreadable";
  readonly #account: CacheEntry;
  readonly #manifest: Uint8Array;
  #open: { readonly file: SourceFile; readonly stored: StoredFile } | undefined;

  constructor(account: CacheEntry, { manifest, files }: Version) {
    this.#account = account;
    this.#manifest = manifest;
    this.files = [
      ...files.map((entry) => ({
        path: entry.path,
        byteLength: entry.byteLength,
        fromCache: true,
        entry,
      })),
      { path: manifestName, byteLength: manifest.length, fromCache: true },
    ];
  }

  async read(file: KeptFile, offset: number, length: number, take: Take): Promise<void> {
    if (!file.entry) return take(this.#manifest.subarray(offset, offset + length), true);
    const stored = await this.#openFile(file, file.entry);
    for (let at = offset; at < offset + length; ) {
      const bytes = Math.min(pieceBytes, offset + length - at);
      const piece = await stored.read(at, bytes).catch(() => undefined);
      if (piece?.length !== bytes) throw gone(file);
      take(piece, true);
      at += bytes;
    }
    if (offset + length === file.byteLength) await this.close();
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.stored.close().catch(() => {});
  }

  async #openFile(file: KeptFile, entry: ManifestFile): Promise<StoredFile> {
    if (this.#open?.file === file) return this.#open.stored;
    await this.close();
    const stored = await this.#account.open(entry).catch(() => undefined);
    if (stored?.size !== file.byteLength) {
      await stored?.close();
      throw gone(file);
    }
    this.#open = { file, stored };
    return stored;
  }
}

// The browser may evict what is kept, or a disk may lose it.
const gone = ({ path }: SourceFile) =>
  new EmbedError("corrupt-model", `${path}: is not in the cache any more`);
