// Counts the bytes of a load, for its progress events.
import type { LoadProgress } from "../shared/engine-types.js";
import type { SourceFile } from "../shared/source.js";
import type { TransferProgress } from "./transfer.js";

/** Bytes between two events: networks deliver small pieces, and a message for each would be too many. */
const reportBytes = 128 << 10;

/** Turns bytes into events in transformers.js's shape. Numbers never go down. */
export class ProgressMeter implements TransferProgress {
  readonly #name: string;
  readonly #report: (progress: LoadProgress) => void;
  /** Of each path: bytes of this attempt, and bytes that were reported. A load that starts again counts them again, without events. */
  readonly #files = new Map<
    string,
    { counted: number; reported: number; fromCache: boolean | undefined }
  >();
  #current: SourceFile | undefined;
  #all = 0;
  #total: number | undefined;
  #percent = 0;
  #unreportedBytes = 0;
  #downloadReported = 0;
  #finished = false;
  #allFromCache = true;
  /** Of a download that is converted: it is what people wait for, not the pack that comes of it. */
  #download: { loaded: number; total: number; resumed: number } | undefined;
  readonly #began = performance.now();
  /** SPDX identifier of the licence of the weights, to be shown. */
  license: string | undefined;

  constructor(name: string, report: (progress: LoadProgress) => void) {
    this.#name = name;
    this.#report = report;
  }

  /** The following bytes are of this file. */
  begin(file: SourceFile): void {
    if (file === this.#current) return;
    this.#leave();
    this.#current = file;
    if (this.#files.has(file.path)) return;
    this.#of(file);
    this.#reportFile("initiate", file);
    this.#reportFile("download", file);
  }

  /** The model is downloaded and converted; from now on the total is that of the download. */
  download(progress: { loaded: number; total: number; resumed: number }): void {
    if (this.#finished) return;
    const before = this.#download?.loaded ?? -Infinity;
    this.#download = {
      ...progress,
      loaded: Math.max(progress.loaded, before),
    };
    if (
      this.#download.loaded - this.#downloadReported < reportBytes &&
      progress.loaded < progress.total
    )
      return;
    this.#downloadReported = this.#download.loaded;
    this.#reportTotal();
  }

  /** The last `bytes` bytes of the file are read again. */
  again(file: SourceFile, bytes: number): void {
    this.#of(file).counted -= bytes;
  }

  /** All files are read again. */
  restart(): void {
    for (const known of this.#files.values()) known.counted = 0;
    this.#current = undefined;
    this.#allFromCache = true;
  }

  /** Counts `bytes` bytes of the file. */
  add(file: SourceFile, bytes: number, fromCache: boolean): void {
    const known = this.#of(file);
    known.fromCache = fromCache;
    this.#allFromCache &&= fromCache;
    known.counted += bytes;
    const gain = Math.max(0, known.counted - known.reported);
    known.reported += gain;
    this.#all += gain;
    this.#unreportedBytes += gain;
    if (this.#unreportedBytes < reportBytes && (gain === 0 || known.reported !== file.byteLength))
      return;
    this.#unreportedBytes = 0;
    this.#reportFile("progress", file);
    this.#reportTotal();
  }

  /** `remaining`: bytes of tensors that are still to come, if that is `known`. */
  expect(remaining: number, known: boolean): void {
    if (known) this.#total = Math.max(this.#total ?? 0, this.#all + remaining);
  }

  /** The load is complete. */
  finish(): void {
    this.#leave();
    this.#current = undefined;
    this.#finished = true;
    this.#total = this.#all;
    this.#reportTotal();
    const bytes = this.#download?.total ?? this.#all;
    this.#report({
      status: "ready",
      name: this.#name,
      file: "",
      loaded: bytes,
      total: bytes,
      progress: 100,
      fromCache: this.#download === undefined && this.#allFromCache && this.#all > 0,
    });
  }

  #of(file: SourceFile): { counted: number; reported: number; fromCache: boolean | undefined } {
    const known = this.#files.get(file.path) ?? { counted: 0, reported: 0, fromCache: undefined };
    this.#files.set(file.path, known);
    return known;
  }

  // "done" comes when the next file begins: only then it is clear that no more of this one is wanted.
  #leave(): void {
    if (this.#current) this.#reportFile("done", this.#current);
  }

  #reportFile(status: "initiate" | "download" | "progress" | "done", file: SourceFile): void {
    const known = this.#of(file);
    const progress =
      file.byteLength > 0 ? Math.min(100, (100 * known.reported) / file.byteLength) : 100;
    const fromCache = known.fromCache ?? file.fromCache ?? false;
    this.#report({
      status,
      name: this.#name,
      file: file.path,
      loaded: known.reported,
      total: file.byteLength,
      progress,
      fromCache,
    });
  }

  #reportTotal(): void {
    const loaded = this.#download?.loaded ?? this.#all;
    const total = this.#download?.total ?? this.#total;
    if (total) this.#percent = Math.max(this.#percent, Math.min(100, (100 * loaded) / total));
    this.#report({
      status: "progress_total",
      name: this.#name,
      file: "",
      loaded,
      total,
      progress: this.#percent,
      fromCache: this.#download === undefined && this.#allFromCache && this.#all > 0,
      ...this.#secondsLeft(loaded, total),
      ...(this.license === undefined ? {} : { license: this.license }),
    });
  }

  // At the speed so far, which a few seconds must have shown.
  #secondsLeft(loaded: number, total: number | undefined): { secondsLeft?: number } {
    const seconds = (performance.now() - this.#began) / 1000;
    const came = loaded - (this.#download?.resumed ?? 0);
    if (total === undefined || came <= 0 || seconds < 2) return {};
    return { secondsLeft: Math.max(0, ((total - loaded) / came) * seconds) };
  }
}
