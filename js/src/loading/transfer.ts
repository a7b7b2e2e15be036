// Moves the bytes that the engine asks for from a source into the heap, one range after another.
// Only the engine interprets them.
import { EmbedError } from "../errors.js";
import type { Demand, Range } from "../shared/demand.js";
import type { OpenSource, SourceFile } from "../shared/source.js";
import { ChunkReader } from "./chunk-reader.js";

/** Puts a piece at a place of the heap. */
export type CopyIn = (pointer: number, piece: Uint8Array) => void;

/** What a transfer tells of its progress; see progress-meter.ts. */
export interface TransferProgress {
  /** The following bytes are of this file. */
  begin(file: SourceFile): void;
  add(file: SourceFile, bytes: number, fromCache: boolean): void;
  /** The last `bytes` bytes of the file are read again. */
  again(file: SourceFile, bytes: number): void;
  /** `remaining`: bytes of tensors that are still to come, if that is `known`. */
  expect(remaining: number, known: boolean): void;
  finish(): void;
}

/**
 * Loads from the source; if that fails and the source has another set of files, starts again with
 * that. `begin`: a new demand for these files. Errors: as `transfer`; the source's `failureCode` for
 * a file that is missing because the source could not give it.
 */
export async function load(
  source: OpenSource,
  begin: (files: readonly SourceFile[]) => Demand,
  copyIn: CopyIn,
  progress: TransferProgress & { restart(): void },
): Promise<void> {
  for (;;) {
    try {
      await transfer(source, begin(source.files), copyIn, progress);
      return await source.finished?.();
    } catch (error) {
      if (!(await source.otherwise?.(error))) throw explained(error, source);
      progress.restart();
    }
  }
}

// The engine sees that a file is missing, and the source knows why.
function explained(error: unknown, { absent, failureCode }: OpenSource): unknown {
  if (!(error instanceof EmbedError) || error.code !== "corrupt-model") return error;
  for (const [path, why] of absent ?? []) {
    if (
      error.detail.startsWith(`${path}: missing`) ||
      (/\bneither\b/.test(error.detail) && error.detail.includes(path))
    )
      return new EmbedError(failureCode, `${path}: ${why}`, { cause: error });
  }
  return error;
}

/**
 * Serves a demand until it wants nothing more. On a hash mismatch the range is fetched again if the
 * source has an alternative (for example past the cache). Errors: those of the source, and whatever
 * the demand throws.
 */
export async function transfer(
  source: OpenSource,
  demand: Demand,
  copyIn: CopyIn,
  progress?: TransferProgress,
): Promise<void> {
  const running = new Transfer(source, demand, copyIn, progress);
  try {
    await running.all();
  } catch (error) {
    await running.end();
    throw error;
  }
  progress?.finish();
}

class Transfer {
  readonly #source: OpenSource;
  readonly #demand: Demand;
  readonly #copyIn: CopyIn;
  readonly #progress: TransferProgress | undefined;
  readonly #chunks: ChunkReader;

  constructor(
    source: OpenSource,
    demand: Demand,
    copyIn: CopyIn,
    progress: TransferProgress | undefined,
  ) {
    this.#source = source;
    this.#demand = demand;
    this.#copyIn = copyIn;
    this.#progress = progress;
    this.#chunks = new ChunkReader(source, (file, bytes, fromCache) =>
      progress?.add(file, bytes, fromCache),
    );
  }

  async all(): Promise<void> {
    for (let range = this.#demand.want(); range !== undefined; range = this.#demand.want()) {
      const file = this.#source.files[range.file];
      if (file === undefined)
        throw new EmbedError(
          "internal",
          `the engine wants file ${range.file} of ${this.#source.files.length}`,
        );
      this.#progress?.begin(file);
      if (range.hashed) while (!(await this.#fetchHashed(file, range)));
      else await this.#fetch(file, range);
      const total = this.#demand.totalBytes();
      this.#progress?.expect(total - this.#demand.readBytes(), total > 0);
    }
  }

  /** Ends what is read ahead. */
  async end(): Promise<void> {
    await this.#chunks.forget();
  }

  #reserve(range: Range): number {
    const { pointer, bytes } = this.#demand.reserve();
    if (bytes !== range.length)
      throw new EmbedError(
        "internal",
        `the engine wants ${range.length} bytes and reserves ${bytes}`,
      );
    return pointer;
  }

  // Copies a range into the heap piece by piece, as it comes.
  async #fetch(file: SourceFile, range: Range): Promise<void> {
    const { offset, length } = range;
    const pointer = this.#reserve(range);
    let done = 0;
    await this.#source.read(file, offset, length, (piece, fromCache) => {
      if (done + piece.length > length)
        throw new EmbedError("internal", `${file.path}: more bytes than were wanted`);
      this.#copyIn(pointer + done, piece);
      done += piece.length;
      this.#progress?.add(file, piece.length, fromCache);
    });
    if (done !== length)
      throw new EmbedError(
        this.#source.failureCode,
        `${file.path}: ${done} of ${length} bytes at ${offset}`,
      );
    this.#demand.commit();
  }

  // Whether the engine accepted the range; if not, the source has agreed to fetch it again.
  async #fetchHashed(file: SourceFile, range: Range): Promise<boolean> {
    const { offset, length } = range;
    const { bytes, sha256 } = await this.#chunks.read({ file, offset, length });
    this.#copyIn(this.#reserve(range), bytes);
    try {
      this.#demand.commit(sha256);
      return true;
    } catch (error) {
      if (!(error instanceof EmbedError) || error.code !== "corrupt-model") throw error;
      // The engine still wants the range if its hash was wrong; any other fault would occur again.
      const again = this.#demand.want();
      if (again?.offset !== offset || this.#source.files[again.file] !== file) throw error;
      const ahead = await this.#chunks.forget();
      if (!(await this.#source.renew?.(file, offset))) throw error;
      this.#progress?.again(file, length + ahead);
      return false;
    }
  }
}
