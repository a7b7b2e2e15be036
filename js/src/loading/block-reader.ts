// Reads a large remote file in blocks, each by a request of its own; the next one is asked for while one comes, so that the time
// until an answer begins costs nothing. What is under way and not used yet is never more than two blocks, in memory and on the wire.
import type { HttpReader, RemoteFile } from "./http-reader.js";

export const blockBytes = 4 << 20;

/** Which bytes the user of the reader will want. */
export interface ReadingPlan {
  /** A block that begins at `at` does not go beyond this. */
  endOf(at: number): number;
  /** Where the block after one that ends at `end` begins; nothing when nobody knows. */
  after(end: number): number | undefined;
}

export class BlockReader {
  readonly #file: RemoteFile;
  readonly #plan: ReadingPlan;
  /** Those that no block uses. */
  readonly #idle: HttpReader[];
  #blocks: Block[] = [];

  /** `readers`: two of one load. */
  constructor(file: RemoteFile, readers: readonly HttpReader[], plan: ReadingPlan) {
    this.#file = file;
    this.#idle = [...readers];
    this.#plan = plan;
  }

  /** Gives the bytes from `at` to `end` in order, in pieces that are valid during the call. Errors: "network". */
  async read(at: number, end: number, take: (piece: Uint8Array) => void): Promise<void> {
    for (let next = at; next < end; ) {
      const block = await this.#blockAt(next);
      const from = next - block.begin;
      await block.until(from + 1);
      const piece = block.bytes.subarray(from, Math.min(block.filled, end - block.begin));
      next += piece.length;
      take(piece);
      if (next === block.end) this.#blocks.shift();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#blocks.map((block) => block.stop()));
    this.#blocks = [];
  }

  // The first of the blocks, and one more on its way behind it.
  async #blockAt(at: number): Promise<Block> {
    const isAt = (block: Block | undefined) =>
      block !== undefined && block.begin <= at && at < block.end;
    if (!isAt(this.#blocks[0]) && isAt(this.#blocks[1])) await this.#blocks.shift()?.stop();
    if (!isAt(this.#blocks[0])) {
      await this.close();
      this.#begin(at);
    }
    const [first] = this.#blocks as [Block];
    if (this.#blocks.length === 1) {
      const next = this.#plan.after(first.end);
      if (next !== undefined) this.#begin(next);
    }
    return first;
  }

  #begin(at: number): void {
    const http = this.#idle.pop();
    if (!http) return; // the last block's reader is about to be free
    const end = Math.min(at + blockBytes, this.#plan.endOf(at));
    this.#blocks.push(new Block(this.#file, http, at, end, () => this.#idle.push(http)));
  }
}

class Block {
  readonly begin: number;
  readonly end: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled = 0;
  readonly #http: HttpReader;
  readonly #reading: Promise<void>;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  /** `onEnd`: its reader is free again. */
  constructor(file: RemoteFile, http: HttpReader, begin: number, end: number, onEnd: () => void) {
    this.begin = begin;
    this.end = end;
    this.bytes = new Uint8Array(end - begin);
    this.#http = http;
    this.#reading = http
      .read(file, begin, end - begin, "no-store", end, (piece) => {
        this.bytes.set(piece, this.filled);
        this.filled += piece.length;
        this.#wake();
      })
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        http.finish();
        onEnd();
        this.#wake();
      });
  }

  /** Waits until so many bytes are there. Errors: those of the transfer. */
  async until(bytes: number): Promise<void> {
    while (this.filled < bytes) {
      if (this.#failure) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends it, whatever is missing. */
  async stop(): Promise<void> {
    await this.#http.close();
    await this.#reading;
  }
}
