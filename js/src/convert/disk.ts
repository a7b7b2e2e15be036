// Writing what must survive: every file goes to a temporary name, is flushed, and is renamed when it is whole. A hash of each
// 4 MiB is taken on the way.
import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { chunkBytes } from "../shared/limits.js";
import type { FileEntry } from "../worker/convert/pack-maker.js";

const partial = ".partial";

/** What the converter's own side cannot do. Errors of the model are EmbedErrors. */
export class ConvertError extends Error {
  override readonly name = "ConvertError";
  readonly code: "usage" | "disk" | "disk-full";

  constructor(code: ConvertError["code"], detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.code = code;
  }
}

/** Writes `length` bytes of `bytes` from `offset` at the file's end; gives how many it took. Tests put a full disk here. */
export type Write = (file: number, bytes: Uint8Array, offset: number, length: number) => number;
export const writeToDisk: Write = (file, bytes, offset, length) =>
  writeSync(file, bytes, offset, length);

/** An error of the file system, named. */
export function diskError(path: string, cause: unknown): ConvertError {
  if (cause instanceof ConvertError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new ConvertError(
      "disk-full",
      `${path}: no space is left on the disk; make some and run the same command again, it goes on from here`,
      { cause },
    );
  return new ConvertError("disk", `${path}: ${message}`, { cause });
}

/** The hash of each 4 MiB of a file that comes in pieces. */
class ChunkHasher {
  readonly #hashes: string[] = [];
  #hash: Hash = createHash("sha256");
  #inChunk = 0;

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(chunkBytes - this.#inChunk, bytes.length - at);
      this.#hash.update(bytes.subarray(at, at + length));
      at += length;
      this.#inChunk += length;
      if (this.#inChunk === chunkBytes) this.#next();
    }
  }

  finish(): string[] {
    if (this.#inChunk > 0) this.#next();
    return this.#hashes;
  }

  #next(): void {
    this.#hashes.push(this.#hash.digest("hex"));
    this.#hash = createHash("sha256");
    this.#inChunk = 0;
  }
}

/** A file on its way to folder/path. It exists under that name only after `finish`. */
export class NewFile {
  readonly path: string;
  bytes = 0;
  readonly #folder: string;
  readonly #write: Write;
  readonly #hasher = new ChunkHasher();
  #file: number | undefined;

  constructor(folder: string, path: string, write: Write) {
    this.path = path;
    this.#folder = folder;
    this.#write = write;
    try {
      this.#file = openSync(join(folder, path + partial), "w");
    } catch (error) {
      throw diskError(path, error);
    }
  }

  add(piece: Uint8Array): void {
    this.#do((file) => {
      for (let at = 0; at < piece.length; ) at += this.#write(file, piece, at, piece.length - at);
    });
    this.#hasher.update(piece);
    this.bytes += piece.length;
  }

  finish(): FileEntry {
    this.#do((file) => {
      fsyncSync(file);
      this.#file = undefined;
      closeSync(file);
      renameSync(join(this.#folder, this.path + partial), join(this.#folder, this.path));
    });
    return { path: this.path, bytes: this.bytes, sha256: this.#hasher.finish() };
  }

  /** Nothing of it is left. */
  abandon(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file);
    rmSync(join(this.#folder, this.path + partial), { force: true });
  }

  #do(step: (file: number) => void): void {
    try {
      if (this.#file === undefined) throw new Error("the file is closed");
      step(this.#file);
    } catch (error) {
      this.abandon();
      throw diskError(this.path, error);
    }
  }
}

export function writeWhole(
  folder: string,
  path: string,
  pieces: Iterable<Uint8Array>,
  write: Write,
): FileEntry {
  const file = new NewFile(folder, path, write);
  for (const piece of pieces) file.add(piece);
  return file.finish();
}

/** Whether folder/path is the file that `entry` describes, by its length and every hash. */
export function isIntact(folder: string, { path, bytes, sha256 }: FileEntry): boolean {
  let file: number;
  try {
    file = openSync(join(folder, path), "r");
  } catch {
    return false;
  }
  try {
    const hasher = new ChunkHasher();
    const buffer = new Uint8Array(chunkBytes);
    let total = 0;
    for (
      let count = readSync(file, buffer, 0, chunkBytes, null);
      count > 0;
      count = readSync(file, buffer, 0, chunkBytes, null)
    ) {
      hasher.update(buffer.subarray(0, count));
      total += count;
    }
    const found = hasher.finish();
    return (
      total === bytes &&
      found.length === sha256.length &&
      found.every((hash, i) => hash === sha256[i])
    );
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

export const isPartial = (name: string): boolean => name.endsWith(partial);
