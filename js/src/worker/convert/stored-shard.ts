// A shard on its way into the cache: whole in memory, which it leaves when the next one begins.
import { chunkBytes } from "../../shared/limits.js";
import { hexSha256 } from "../../loading/sha256.js";
import type { FileEntry, ShardSink } from "./pack-maker.js";
import type { PlannedShard } from "./shards.js";

/** Hears of each shard when it is whole. */
export type OnShard = (entry: FileEntry, bytes: Uint8Array) => Promise<void>;

export class MemoryShards implements ShardSink {
  readonly #onShard: OnShard;
  #path = "";
  #room = new Uint8Array(0);
  #bytes = new Uint8Array(0);
  #filled = 0;
  /** Of each 4 MiB that is there. */
  #hashes: Promise<string>[] = [];

  constructor(onShard: OnShard) {
    this.#onShard = onShard;
  }

  begin({ path, bytes }: PlannedShard): void {
    this.#path = path;
    // One room for all: a browser is slow to collect what is as large.
    if (this.#room.length < bytes) this.#room = new Uint8Array(bytes);
    this.#bytes = this.#room.subarray(0, bytes);
    this.#filled = 0;
    this.#hashes = [];
  }

  add(piece: Uint8Array): void {
    this.#bytes.set(piece, this.#filled);
    this.#filled += piece.length;
    // The platform hashes beside the conversion of what follows.
    while (this.#hashes.length < Math.floor(this.#filled / chunkBytes)) this.#hashNext();
  }

  async finish(): Promise<FileEntry> {
    if (this.#filled % chunkBytes > 0) this.#hashNext();
    const sha256 = await Promise.all(this.#hashes);
    const entry = { path: this.#path, bytes: this.#bytes.length, sha256 };
    await this.#onShard(entry, this.#bytes);
    return entry;
  }

  #hashNext(): void {
    const at = this.#hashes.length * chunkBytes;
    const hash = hexSha256(this.#bytes.subarray(at, at + chunkBytes));
    hash.catch(() => {}); // it is heard when the shard is finished
    this.#hashes.push(hash);
  }

  /** The shard that was finished last, until the next begins. */
  last(path: string): Uint8Array | undefined {
    return path === this.#path && this.#filled === this.#bytes.length ? this.#bytes : undefined;
  }
}

/** A file as the manifest lists it. */
export async function entryOf(path: string, bytes: Uint8Array): Promise<FileEntry> {
  const sha256: string[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    sha256.push(await hexSha256(bytes.subarray(at, at + chunkBytes)));
  return { path, bytes: bytes.length, sha256 };
}
