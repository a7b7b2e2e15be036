// Ranges that are verified before they are used. Reads each range into a worker buffer, hashes it with WebCrypto in the background
// and prefetches the next one of the same file, so that reading, hashing and the engine's work overlap. Ranges without hashes go
// straight into the heap (transfer.ts).
import { EmbedError } from "../errors.js";
import type { OpenSource, SourceFile, Take } from "../shared/source.js";
import { canHash, hexSha256 } from "./sha256.js";

export interface Chunk {
  /** Valid until two more chunks were asked for. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** 64 hexadecimal digits; empty where the platform has no WebCrypto (pages without https): then the engine hashes. */
  readonly sha256: string;
}

interface Place {
  readonly file: SourceFile;
  readonly offset: number;
  readonly length: number;
}

/** A chunk that is being read. Its failure is reported only when it is asked for. */
interface Coming extends Place {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly filled: Promise<void>;
  readonly sha256: Promise<string>;
  counted: number;
}

export class ChunkReader {
  readonly #source: OpenSource;
  readonly #heard: (file: SourceFile, bytes: number, fromCache: boolean) => void;
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  #turn = 0;
  #ahead: Coming | undefined;

  /** `heard`: is called for all bytes as they come. */
  constructor(
    source: OpenSource,
    heard: (file: SourceFile, bytes: number, fromCache: boolean) => void,
  ) {
    this.#source = source;
    this.#heard = heard;
  }

  /** Errors: those of the source. */
  async read(place: Place): Promise<Chunk> {
    const coming =
      this.#ahead !== undefined && isAt(this.#ahead, place) ? this.#ahead : this.#begin(place);
    this.#ahead = undefined;
    await coming.filled;
    const offset = place.offset + place.length;
    const length = Math.min(place.length, place.file.byteLength - offset);
    if (length > 0) this.#ahead = this.#begin({ file: place.file, offset, length });
    return { bytes: coming.bytes, sha256: await coming.sha256 };
  }

  /** Ends the prefetch, and waits until the source is idle. Resolves to the bytes of it that `heard` was called for. */
  async forget(): Promise<number> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead) await this.#source.close();
    await ahead?.filled.catch(() => {});
    return ahead?.counted ?? 0;
  }

  #begin(place: Place): Coming {
    const bytes = this.#buffer(place.length);
    const coming = { ...place, bytes, counted: 0 };
    const take: Take = (piece, fromCache) => {
      if (coming.counted + piece.length > bytes.length)
        throw new EmbedError("internal", `${place.file.path}: more bytes than were wanted`);
      bytes.set(piece, coming.counted);
      coming.counted += piece.length;
      this.#heard(place.file, piece.length, fromCache);
    };
    const filled = this.#source.read(place.file, place.offset, place.length, take).then(() => {
      if (coming.counted !== place.length)
        throw new EmbedError(
          this.#source.failureCode,
          `${place.file.path}: ${coming.counted} of ${place.length} bytes at ${place.offset}`,
        );
    });
    const sha256 = filled.then(() => (canHash() ? hexSha256(bytes) : ""));
    for (const promise of [filled, sha256]) promise.catch(() => {});
    return Object.assign(coming, { filled, sha256 });
  }

  // Two alternate: one is used while the other is filled.
  #buffer(length: number): Uint8Array<ArrayBuffer> {
    this.#turn = 1 - this.#turn;
    let buffer = this.#buffers[this.#turn];
    if (!buffer || buffer.length < length)
      this.#buffers[this.#turn] = buffer = new Uint8Array(length);
    return buffer.subarray(0, length);
  }
}

const isAt = (a: Place, b: Place) =>
  a.file === b.file && a.offset === b.offset && a.length === b.length;
