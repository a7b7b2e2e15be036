// Ranges that are verified before they are used: each is brought into memory of the worker's, hashed by the platform beside other
// work, and taken from there; and while one is hashed and used, the next one of the same file is brought. So reading, hashing and
// the engine's work overlap. For ranges without hashes there is no such detour (pump.ts).
import { EmbedError } from "../errors.js";
import type { OpenSource, SourceFile, Take } from "../shared/source.js";

export interface Chunk {
  /** Valid until two more chunks were asked for. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** 64 digits; empty where the platform does not hash. */
  readonly sha256: string;
}

interface Place {
  readonly file: SourceFile;
  readonly offset: number;
  readonly length: number;
}

/** A chunk on its way. It does not fail before someone waits for it. */
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

  /** `heard`: is told of all bytes as they come. */
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

  /** Ends what is on its way, and waits until the source rests. Gives the bytes of it that were heard of. */
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
    const sha256 = filled.then(() => hash(bytes));
    for (const promise of [filled, sha256]) promise.catch(() => {});
    return Object.assign(coming, { filled, sha256 });
  }

  // Two in turn: one is used while the other is filled.
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

// Not on pages without https; then the engine hashes.
async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (typeof crypto !== "object" || crypto.subtle === undefined) return "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
