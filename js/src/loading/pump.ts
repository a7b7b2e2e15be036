// Brings the bytes that the engine wants, one range after another, and reports progress. Only the engine understands them.
import { EmbedError } from "../errors.js";
import type { LoadProgress } from "../shared/engine-types.js";
import type { OpenSource, SourceFile } from "../shared/source.js";
import { ChunkReader } from "./chunk-reader.js";

interface Range {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
  /** Its hash is compared before it is used. */
  readonly hashed: boolean;
}

/** The engine's side of the conversation; see worker/engine-adapter.ts. */
export interface Taker {
  want(): Range | undefined;
  reserve(): { readonly pointer: number; readonly bytes: number };
  /** `sha256`: of the range, if it was computed already. */
  commit(sha256?: string): void;
  totalBytes(): number;
  readBytes(): number;
}

/**
 * Loads from the source, and anew from what else it has when that fails. `begin`: a fresh taker for these files. Errors: as
 * `pump`; `failureCode` for a file that is missing because the source did not give it.
 */
export async function load(
  source: OpenSource,
  begin: (files: readonly SourceFile[]) => Taker,
  copyIn: (pointer: number, piece: Uint8Array) => void,
  progress: ProgressMeter,
): Promise<void> {
  for (;;) {
    try {
      await pump(source, begin(source.files), copyIn, progress);
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
 * `copyIn` puts a piece at a place of the heap. A range whose hash does not fit is brought again, if the source has another
 * road to it. Errors: those of the source, and whatever the taker throws.
 */
export async function pump(
  source: OpenSource,
  taker: Taker,
  copyIn: (pointer: number, piece: Uint8Array) => void,
  progress: ProgressMeter,
): Promise<void> {
  const chunks = new ChunkReader(source, (file, bytes, fromCache) =>
    progress.add(file, bytes, fromCache),
  );
  try {
    await bringAll(chunks, source, taker, copyIn, progress);
  } catch (error) {
    await chunks.forget();
    throw error;
  }
  progress.finish();
}

async function bringAll(
  chunks: ChunkReader,
  source: OpenSource,
  taker: Taker,
  copyIn: (pointer: number, piece: Uint8Array) => void,
  progress: ProgressMeter,
): Promise<void> {
  for (let range = taker.want(); range !== undefined; range = taker.want()) {
    const file = source.files[range.file];
    if (file === undefined)
      throw new EmbedError(
        "internal",
        `the engine wants file ${range.file} of ${source.files.length}`,
      );
    progress.begin(file);
    if (!range.hashed) {
      await bring(source, file, range, taker, copyIn, progress);
      taker.commit();
    } else {
      while (!(await bringHashed(chunks, source, file, range, taker, copyIn, progress)));
    }
    progress.expect(taker.totalBytes() - taker.readBytes(), taker.totalBytes() > 0);
  }
}

function room(taker: Taker, range: Range): { readonly pointer: number; readonly bytes: number } {
  const place = taker.reserve();
  if (place.bytes !== range.length)
    throw new EmbedError(
      "internal",
      `the engine wants ${range.length} bytes and reserves ${place.bytes}`,
    );
  return place;
}

// Puts a range into the heap as it comes.
async function bring(
  source: OpenSource,
  file: SourceFile,
  range: Range,
  taker: Taker,
  copyIn: (pointer: number, piece: Uint8Array) => void,
  progress: ProgressMeter,
): Promise<void> {
  const { pointer, bytes } = room(taker, range);
  let done = 0;
  await source.read(file, range.offset, range.length, (piece, fromCache) => {
    if (done + piece.length > bytes)
      throw new EmbedError("internal", `${file.path}: more bytes than were wanted`);
    copyIn(pointer + done, piece);
    done += piece.length;
    progress.add(file, piece.length, fromCache);
  });
  if (done !== bytes)
    throw new EmbedError(
      source.failureCode,
      `${file.path}: ${done} of ${bytes} bytes at ${range.offset}`,
    );
}

// Whether the engine took the range; if not, the source has agreed to bring it again.
async function bringHashed(
  chunks: ChunkReader,
  source: OpenSource,
  file: SourceFile,
  range: Range,
  taker: Taker,
  copyIn: (pointer: number, piece: Uint8Array) => void,
  progress: ProgressMeter,
): Promise<boolean> {
  const { bytes, sha256 } = await chunks.read({ file, offset: range.offset, length: range.length });
  copyIn(room(taker, range).pointer, bytes);
  try {
    taker.commit(sha256);
    return true;
  } catch (error) {
    if (!(error instanceof EmbedError) || error.code !== "corrupt-model") throw error;
    // The engine still wants the range when its hash was wrong; whatever else is wrong would be so again.
    const again = taker.want();
    if (again?.offset !== range.offset || source.files[again.file] !== file) throw error;
    const ahead = await chunks.forget();
    if (!(await source.renew?.(file, range.offset))) throw error;
    progress.again(file, range.length + ahead);
    return false;
  }
}

/** Networks bring bytes in small pieces; a message for each would be too many. */
const reportBytes = 128 << 10;

/** Turns bytes into events in transformers.js's shape. Numbers never go down. */
export class ProgressMeter {
  readonly #name: string;
  readonly #report: (progress: LoadProgress) => void;
  /** Of each path: bytes of this attempt, and what was said of it. A load that begins anew counts them again, in silence. */
  readonly #files = new Map<
    string,
    { counted: number; said: number; fromCache: boolean | undefined }
  >();
  #current: SourceFile | undefined;
  #all = 0;
  #total: number | undefined;
  #percent = 0;
  #unsaid = 0;
  #allFromCache = true;

  constructor(name: string, report: (progress: LoadProgress) => void) {
    this.#name = name;
    this.#report = report;
  }

  begin(file: SourceFile): void {
    if (file === this.#current) return;
    this.#leave();
    this.#current = file;
    if (this.#files.has(file.path)) return;
    this.#of(file);
    this.#say("initiate", file);
    this.#say("download", file);
  }

  /** The last `bytes` bytes come once more. */
  again(file: SourceFile, bytes: number): void {
    this.#of(file).counted -= bytes;
  }

  /** All bytes come once more. */
  restart(): void {
    for (const known of this.#files.values()) known.counted = 0;
    this.#current = undefined;
    this.#allFromCache = true;
  }

  add(file: SourceFile, bytes: number, fromCache: boolean): void {
    const known = this.#of(file);
    known.fromCache = fromCache;
    this.#allFromCache &&= fromCache;
    known.counted += bytes;
    const gain = Math.max(0, known.counted - known.said);
    known.said += gain;
    this.#all += gain;
    this.#unsaid += gain;
    if (this.#unsaid < reportBytes && (gain === 0 || known.said !== file.byteLength)) return;
    this.#unsaid = 0;
    this.#say("progress", file);
    this.#sayTotal();
  }

  /** `remaining`: bytes of tensors that are still to come, if that is `known`. */
  expect(remaining: number, known: boolean): void {
    if (known) this.#total = Math.max(this.#total ?? 0, this.#all + remaining);
  }

  finish(): void {
    this.#leave();
    this.#current = undefined;
    this.#total = this.#all;
    this.#sayTotal();
    this.#report({
      status: "ready",
      name: this.#name,
      file: "",
      loaded: this.#all,
      total: this.#all,
      progress: 100,
      fromCache: this.#allFromCache && this.#all > 0,
    });
  }

  #of(file: SourceFile): { counted: number; said: number; fromCache: boolean | undefined } {
    const known = this.#files.get(file.path) ?? { counted: 0, said: 0, fromCache: undefined };
    this.#files.set(file.path, known);
    return known;
  }

  // "done" comes when the next file begins: only then it is clear that no more of this one is wanted.
  #leave(): void {
    if (this.#current) this.#say("done", this.#current);
  }

  #say(status: "initiate" | "download" | "progress" | "done", file: SourceFile): void {
    const known = this.#of(file);
    const progress =
      file.byteLength > 0 ? Math.min(100, (100 * known.said) / file.byteLength) : 100;
    const fromCache = known.fromCache ?? file.fromCache ?? false;
    this.#report({
      status,
      name: this.#name,
      file: file.path,
      loaded: known.said,
      total: file.byteLength,
      progress,
      fromCache,
    });
  }

  #sayTotal(): void {
    if (this.#total)
      this.#percent = Math.max(this.#percent, Math.min(100, (100 * this.#all) / this.#total));
    const fromCache = this.#allFromCache && this.#all > 0;
    this.#report({
      status: "progress_total",
      name: this.#name,
      file: "",
      loaded: this.#all,
      total: this.#total,
      progress: this.#percent,
      fromCache,
    });
  }
}
