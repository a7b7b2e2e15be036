// Reads a large remote file in blocks, each by a request of its own. Others are on their way or wait while one is used, so that neither
// the network nor the reader waits for the other; what is asked for and has not come yet is never more than two blocks.
import type { HttpReader, RemoteFile } from "./http-reader.js";

export const blockBytes = 4 << 20;
/** Blocks in memory, those on their way included. */
const maxBlocks = 4;

/** Which bytes the user of the reader will want. */
export interface ReadingPlan {
  /** A block that begins at `at` does not go beyond this. */
  endOf(at: number): number;
  /** Where the block after one that ends at `end` begins; nothing when nobody knows. */
  after(end: number): number | undefined;
}

/** Is called with each block when it is whole, one after another, before it is used. */
export type OnBlock = (begin: number, bytes: Uint8Array) => Promise<void>;

export class BlockReader {
  readonly #file: RemoteFile;
  readonly #plan: ReadingPlan;
  readonly #onBlock: OnBlock;
  /** Those that no block uses. */
  readonly #idle: HttpReader[];
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  #blocks: Block[] = [];
  /** Bytes of the first block that were used. */
  #used = 0;
  readonly #onBytes: () => void;
  /** The last block that was begun has been told of. */
  #told: Promise<void> = Promise.resolve();

  /** `readers`: as many as may be on their way. `onBytes`: is called as bytes come. */
  constructor(
    file: RemoteFile,
    readers: readonly HttpReader[],
    plan: ReadingPlan,
    onBlock: OnBlock,
    onBytes: () => void = () => {},
  ) {
    this.#onBytes = onBytes;
    this.#file = file;
    this.#idle = [...readers];
    this.#plan = plan;
    this.#onBlock = onBlock;
  }

  /** How many bytes from `at` on are here or on their way. */
  held(at: number): number {
    const block = this.#blocks.find(({ begin, end }) => begin <= at && at < end);
    return block ? block.end - at : 0;
  }

  /** Bytes that have come and were not used yet. */
  get waiting(): number {
    return this.#blocks.reduce((sum, { filled }) => sum + filled, 0) - this.#used;
  }

  /** Gives the bytes from `at` to `end` in order, in pieces that are valid during the call. Errors: "network". */
  async read(at: number, end: number, take: (piece: Uint8Array) => void): Promise<void> {
    for (let next = at; next < end; ) {
      const block = await this.#blockAt(next);
      await block.told;
      if (block.failure) throw block.failure.error;
      const piece = block.bytes.subarray(
        next - block.begin,
        Math.min(end, block.end) - block.begin,
      );
      next += piece.length;
      this.#used = next - block.begin;
      take(piece);
      if (next === block.end) this.#retire();
    }
  }

  /** Ends what is on its way. Reads may follow. */
  async close(): Promise<void> {
    const blocks = this.#blocks;
    this.#blocks = [];
    this.#used = 0;
    await Promise.all(blocks.map((block) => block.stop()));
    await this.#told;
  }

  async #blockAt(at: number): Promise<Block> {
    const isAt = ({ begin, end }: Block) => begin <= at && at < end;
    while (this.#blocks[0] && !isAt(this.#blocks[0]) && this.#blocks.some(isAt)) {
      await this.#blocks[0].stop();
      this.#retire();
    }
    if (!this.#blocks.some(isAt)) {
      await this.close();
      this.#begin(at);
    }
    this.#goOn();
    return this.#blocks[0] as Block;
  }

  #retire(): void {
    const block = this.#blocks.shift();
    this.#used = 0;
    if (block?.isWhole) this.#spare.push(block.whole);
    this.#goOn();
  }

  #goOn(): void {
    while (this.#blocks.length < maxBlocks && this.#idle.length > 0) {
      const last = this.#blocks.at(-1);
      const next = last && this.#plan.after(last.end);
      if (next === undefined) return;
      this.#begin(next);
    }
  }

  #begin(at: number): void {
    const http = this.#idle.pop();
    if (!http) return;
    const end = Math.min(at + blockBytes, this.#plan.endOf(at));
    const whole = this.#spare.pop() ?? new Uint8Array(blockBytes);
    const block = new Block(this.#file, http, at, end, whole, this.#onBytes);
    const isFree = block.reading.then(() => {
      this.#idle.push(http);
      if (this.#blocks.includes(block)) this.#goOn();
    });
    const before = this.#told;
    block.told = this.#told = isFree.then(async () => {
      await before;
      if (block.isWhole && this.#blocks.includes(block)) await this.#onBlock(at, block.bytes);
    });
    this.#blocks.push(block);
  }
}

class Block {
  readonly begin: number;
  readonly end: number;
  /** With room for a block of full length. */
  readonly whole: Uint8Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly reading: Promise<void>;
  told: Promise<void> = Promise.resolve();
  filled = 0;
  isWhole = false;
  failure: { readonly error: unknown } | undefined;
  readonly #http: HttpReader;

  constructor(
    file: RemoteFile,
    http: HttpReader,
    begin: number,
    end: number,
    whole: Uint8Array<ArrayBuffer>,
    onBytes: () => void,
  ) {
    this.begin = begin;
    this.end = end;
    this.whole = whole;
    this.bytes = whole.subarray(0, end - begin);
    this.#http = http;
    this.reading = http
      .read(file, begin, end - begin, "no-store", end, (piece) => {
        this.bytes.set(piece, this.filled);
        this.filled += piece.length;
        onBytes();
      })
      .then(
        () => {
          http.finish();
          this.isWhole = true;
        },
        (error: unknown) => {
          this.failure = { error };
        },
      );
  }

  /** Ends it, whatever is missing. */
  async stop(): Promise<void> {
    if (!this.isWhole) await this.#http.close();
    await this.reading;
  }
}
