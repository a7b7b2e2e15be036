// How long a load waits for a network. One account for all files of a load, so that the longest silence is known beforehand.
import type { EmbedError } from "../errors.js";

export interface Patience {
  /** Milliseconds before each new attempt; as many attempts as there are numbers, counted anew when bytes have come. */
  readonly pauses: readonly number[];
  /** A transfer that brings fewer than `least` bytes in so many milliseconds is given up. */
  readonly idle: number;
  /** Default 1 KiB. */
  readonly least?: number;
  /** A server may ask for a longer pause (Retry-After), at most so many milliseconds. Default 10 s. */
  readonly longestPause?: number;
  /** With a kept copy to fall back on, the network has so many milliseconds. Default 3 s. */
  readonly kept?: number;
}

// Nothing at all comes: five attempts of 30 s and four pauses of at most 10 s. docs/API.md states the sum.
export const defaultPatience: Patience = { pauses: [500, 1000, 2000, 4000], idle: 30_000 };
const defaultKept = 3000;
const defaultLeast = 1 << 10;
/** Less than that in the time of `kept`, and the kept copy is taken: a trickle is no network. */
const leastWithCopy = 16 << 10;
const defaultLongestPause = 10_000;
/** So many new bytes show that the transfer gets on. */
const progressBytes = 64 << 10;

export const keptTime = ({ kept }: Patience): number => kept ?? defaultKept;

/** That of a load that has something else if the network fails. */
export function hasty(patience: Patience): Patience {
  return { ...patience, pauses: [], idle: keptTime(patience), least: leastWithCopy };
}

/** Failed for the moment: another attempt may work. */
export class Passing {
  /** `pause`: milliseconds that the server asked for. */
  constructor(
    readonly error: EmbedError,
    readonly pause = 0,
  ) {}
}

/** Counts the attempts of a load. */
export class Attempts {
  #patience: Patience;
  #failures = 0;
  #came = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  set patience(patience: Patience) {
    this.#patience = patience;
  }

  /** Does it until it works or fails for good. Throws what it throws, or the last passing error. */
  async until<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await action();
      } catch (problem) {
        if (!(problem instanceof Passing)) throw problem;
        const pause = this.#patience.pauses[this.#failures++];
        if (pause === undefined) throw problem.error;
        const longest = this.#patience.longestPause ?? defaultLongestPause;
        await sleep(Math.max(pause, Math.min(longest, problem.pause)));
      }
    }
  }

  /** New bytes; bytes that were there before do not count. */
  came(bytes: number): void {
    this.#came += bytes;
    if (this.#came >= progressBytes) this.done();
  }

  /** A whole file came, however small. */
  done(): void {
    this.#failures = this.#came = 0;
  }
}

// Ends a transfer in which too little comes. One timer for all reads of it: one for each would be thousands, and all the
// promises with them would wait to be collected. Only time in which a read is waited for counts.
export class Watch {
  readonly #idle: number;
  readonly #least: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** When the read that is waited for began. */
  #since: number | undefined;
  #waited = 0;
  #came = 0;
  late = false;

  constructor({ idle, least }: Patience, end: () => void) {
    this.#idle = idle;
    this.#least = least ?? defaultLeast;
    const look = () => {
      if (this.#since === undefined || this.#waited + performance.now() - this.#since < idle)
        return;
      this.late = true;
      end();
    };
    this.#timer = setInterval(look, Math.max(1, idle / 4));
  }

  begin(): void {
    this.#since = performance.now();
  }

  /** `bytes` came. */
  end(bytes: number): void {
    this.#waited += performance.now() - (this.#since ?? performance.now());
    this.#since = undefined;
    this.#came += bytes;
    if (this.#came >= this.#least) this.#waited = this.#came = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get reason(): Error {
    return silence(this.#idle);
  }
}

export const silence = (milliseconds: number): Error =>
  new Error(`nothing came for ${milliseconds / 1000} s`);

/** Settles as `promise` does, or rejects when that takes too long. */
export async function inTime<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(silence(milliseconds)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
