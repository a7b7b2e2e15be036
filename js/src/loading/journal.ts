// Bytes of one large remote file that came and are still needed: by a hash that goes through the file in order while the reader
// does not, and by the next load if this one is cut short. They lie in segments, each a file of the store (named by its place) or
// an array; a segment goes when nobody needs it any more.
import { reasonOf } from "../shared/reason.js";
import type { ModelStore, StoredFile } from "../shared/store.js";

/** A segment is not continued beyond this, so that what is needed no more can go. */
const segmentBytes = 16 << 20;

interface Segment {
  readonly begin: number;
  size: number;
  /** `length` bytes from `at`, relative to its beginning; nothing when they are not to be had. */
  read(at: number, length: number): Promise<Uint8Array | undefined>;
  append(bytes: Uint8Array): void;
  /** It is only read from now on. */
  seal(): Promise<void>;
  remove(): Promise<void>;
}

export interface SegmentPlace {
  /** Those that an earlier load left. */
  list(): Promise<Segment[]>;
  begin(at: number): Promise<Segment>;
  /** Small files, whole, by a name of letters and digits that is longer than a segment's. */
  readWhole(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  writeWhole(name: string, bytes: Uint8Array): Promise<void>;
  /** Nothing of it stays. */
  clear(): Promise<void>;
}

/** The file that tells what the others are of. */
const identityName = "identity-of-what-is-here";

export class Journal {
  /** Nothing: in memory. */
  #place: SegmentPlace | undefined;
  readonly #onNotKept: (why: string) => void;
  /** Ascending, disjoint. */
  #segments: Segment[] = [];
  #open: Segment | undefined;

  /** `place`: left out, or from when it fails on (a full disk), memory. `onNotKept` hears, once, of such a failure. */
  constructor(place?: SegmentPlace, onNotKept: (why: string) => void = () => {}) {
    this.#place = place;
    this.#onNotKept = onNotKept;
  }

  /** Whether what comes outlives this load. */
  get keeps(): boolean {
    return this.#place !== undefined;
  }

  /** Takes up what an earlier load of the same content left; anything else goes. `identity`: of the content. Errors: those of the store. */
  async resume(identity: string): Promise<void> {
    const place = this.#place;
    if (!place) return;
    const known = await place.readWhole(identityName);
    if (new TextDecoder().decode(known) !== identity) {
      await place.clear();
      await place.writeWhole(identityName, new TextEncoder().encode(identity));
    }
    const found = (await place.list()).sort((a, b) => a.begin - b.begin);
    this.#segments = [];
    for (const segment of found) {
      const last = this.#segments.at(-1);
      if (segment.size === 0 || (last && segment.begin < last.begin + last.size))
        await segment.remove();
      else this.#segments.push(segment);
    }
  }

  /** A small file that an earlier load kept; nothing when there is none. */
  async readWhole(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#place?.readWhole(name).catch(() => undefined);
  }

  async keepWhole(name: string, bytes: Uint8Array): Promise<void> {
    await this.#place?.writeWhole(name, bytes).catch((error: unknown) => this.#giveUp(error));
  }

  /** How many bytes from `at` on are here, without a gap. */
  available(at: number): number {
    let end = at;
    for (const { begin, size } of this.#segments)
      if (begin <= end && end < begin + size) end = begin + size;
    return end - at;
  }

  /** Where the next bytes after `at` are that are here; Infinity when there are none. */
  next(at: number): number {
    return this.#segments.find(({ begin, size }) => begin + size > at)?.begin ?? Infinity;
  }

  /** Up to `length` bytes from `at`, valid until the next call; nothing when they are not to be had after all. */
  async read(at: number, length: number): Promise<Uint8Array | undefined> {
    const segment = this.#segments.find(({ begin, size }) => begin <= at && at < begin + size);
    if (!segment) return undefined;
    const from = at - segment.begin;
    const bytes = Math.min(length, segment.size - from);
    const piece = await segment.read(from, bytes).catch(() => undefined);
    if (piece?.length === bytes) return piece;
    await this.#drop(segment); // evicted, or a broken disk
    return undefined;
  }

  /** Makes ready for bytes from `at` on. */
  async prepare(at: number): Promise<void> {
    const open = this.#open;
    if (open && open.begin + open.size === at && open.size < segmentBytes) return;
    this.#open = undefined;
    try {
      await open?.seal();
      if (this.#place) this.#continue(await this.#place.begin(at));
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** After `prepare`, and bytes after those. */
  append(bytes: Uint8Array): void {
    try {
      this.#open?.append(bytes);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Keeps bytes in memory. */
  remember(at: number, bytes: Uint8Array): void {
    const open = this.#open;
    if (!(open instanceof MemorySegment) || open.begin + open.size !== at)
      this.#continue(new MemorySegment(at));
    this.#open?.append(bytes);
  }

  #continue(segment: Segment): void {
    this.#open = segment;
    this.#segments.push(segment);
    this.#segments.sort((a, b) => a.begin - b.begin);
  }

  #giveUp(error: unknown): void {
    this.#place = this.#open = undefined;
    this.#onNotKept(reasonOf(error));
  }

  /** Removes the segments that nobody needs. */
  async release(isNeeded: (begin: number, end: number) => boolean): Promise<void> {
    for (const segment of [...this.#segments]) {
      const { begin, size } = segment;
      if (segment !== this.#open && !isNeeded(begin, begin + size)) await this.#drop(segment);
    }
  }

  /** Lets go of files; what is here stays. */
  async close(): Promise<void> {
    this.#open = undefined;
    for (const segment of this.#segments) await segment.seal().catch(() => {});
  }

  async #drop(segment: Segment): Promise<void> {
    this.#segments = this.#segments.filter((other) => other !== segment);
    await segment.remove().catch(() => {});
  }
}

class MemorySegment implements Segment {
  readonly begin: number;
  size = 0;
  #pieces: Uint8Array[] = [];

  constructor(begin: number) {
    this.begin = begin;
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let from = 0;
    for (const piece of this.#pieces) {
      const [first, last] = [Math.max(at, from), Math.min(at + length, from + piece.length)];
      if (first < last) bytes.set(piece.subarray(first - from, last - from), first - at);
      from += piece.length;
    }
    return bytes;
  }

  append(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
    this.size += bytes.length;
  }

  async seal(): Promise<void> {}

  async remove(): Promise<void> {
    this.#pieces = [];
  }
}

/** Segments as files of a folder of the store. */
export function storedPlace(store: ModelStore, folder: string): SegmentPlace {
  return {
    async list() {
      const segments: Segment[] = [];
      for (const [name, size] of await store.files(folder))
        if (/^\d{16}$/.test(name))
          segments.push(new StoredSegment(store, folder, Number(name), size));
      return segments;
    },
    readWhole: (name) =>
      store.readWhole(folder, name) as Promise<Uint8Array<ArrayBuffer> | undefined>,
    writeWhole: (name, bytes) => store.writeWhole(folder, name, bytes),
    clear: async () => void (await store.remove(folder)),
    async begin(begin) {
      const segment = new StoredSegment(store, folder, begin, 0);
      await segment.openToWrite();
      return segment;
    },
  };
}

class StoredSegment implements Segment {
  readonly begin: number;
  size: number;
  readonly #store: ModelStore;
  readonly #folder: string;
  #file: StoredFile | undefined;

  constructor(store: ModelStore, folder: string, begin: number, size: number) {
    this.#store = store;
    this.#folder = folder;
    this.begin = begin;
    this.size = size;
  }

  get #name(): string {
    return String(this.begin).padStart(16, "0");
  }

  async openToWrite(): Promise<void> {
    // Larger than it will be, so that it is never taken for complete.
    this.#file = await this.#store.open(this.#folder, this.#name, Number.MAX_SAFE_INTEGER, () => 0);
    if (!this.#file) throw new Error("what has come cannot be kept: another load writes there");
  }

  async read(at: number, length: number): Promise<Uint8Array | undefined> {
    this.#file ??= await this.#store.open(this.#folder, this.#name, this.size, (size) => size);
    return this.#file?.read(at, length);
  }

  append(bytes: Uint8Array): void {
    if (!this.#file) throw new Error("the segment is closed");
    this.#file.append(bytes);
    this.size += bytes.length;
  }

  async seal(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async remove(): Promise<void> {
    await this.seal().catch(() => {});
    await this.#store.remove(this.#folder, this.#name);
  }
}
