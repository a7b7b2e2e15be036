// How long a load waits for a network. All files of a load share one count of attempts, so that the
// longest silence is known beforehand.
import type { EmbedError } from "../errors.js";

export interface RetryPolicy {
  /** Milliseconds before each new attempt, one attempt for each; counted anew when bytes have come. */
  readonly backoffMs: readonly number[];
  /** A transfer that gives fewer than `minBytes` bytes in this time is ended. */
  readonly idleTimeoutMs: number;
  /** Default 1 KiB. */
  readonly minBytes?: number;
  /** Upper bound of the pause that a server may ask for (Retry-After). Default 10 s. */
  readonly maxBackoffMs?: number;
  /** With a cached copy to fall back on, the network has this time. Default 3 s. */
  readonly fallbackTimeoutMs?: number;
}

// If nothing comes at all: five attempts of 30 s and four pauses of at most 10 s. docs/API.md states
// the sum.
export const defaultRetryPolicy: RetryPolicy = {
  backoffMs: [500, 1000, 2000, 4000],
  idleTimeoutMs: 30_000,
};
const defaultFallbackTimeoutMs = 3000;
const defaultMinBytes = 1 << 10;
/** Less than this in `fallbackTimeoutMs`, and the cached copy is used instead. */
const minBytesWithFallback = 16 << 10;
const defaultMaxBackoffMs = 10_000;
/** New bytes after which failed attempts are forgotten. */
const progressBytes = 64 << 10;

export const fallbackTimeout = ({ fallbackTimeoutMs }: RetryPolicy): number =>
  fallbackTimeoutMs ?? defaultFallbackTimeoutMs;

/** The policy of a load that has a cached copy to fall back on. */
export function withFallback(policy: RetryPolicy): RetryPolicy {
  return {
    ...policy,
    backoffMs: [],
    idleTimeoutMs: fallbackTimeout(policy),
    minBytes: minBytesWithFallback,
  };
}

/** An attempt failed, and another one may succeed. */
export class TransientError {
  /** `pause`: milliseconds that the server asked for. */
  constructor(
    readonly error: EmbedError,
    readonly pause = 0,
  ) {}
}

/** Counts the attempts of a load. */
export class Attempts {
  #policy: RetryPolicy;
  #failures = 0;
  #newBytes = 0;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  set policy(policy: RetryPolicy) {
    this.#policy = policy;
  }

  /** Repeats `action` until it succeeds. Throws what is not transient, or the last transient error. */
  async until<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await action();
      } catch (problem) {
        if (!(problem instanceof TransientError)) throw problem;
        const pause = this.#policy.backoffMs[this.#failures++];
        if (pause === undefined) throw problem.error;
        const max = this.#policy.maxBackoffMs ?? defaultMaxBackoffMs;
        await sleep(Math.max(pause, Math.min(max, problem.pause)));
      }
    }
  }

  /** Counts new bytes; bytes that were read before do not count. */
  add(bytes: number): void {
    this.#newBytes += bytes;
    if (this.#newBytes >= progressBytes) this.reset();
  }

  /** A whole file came, however small. */
  reset(): void {
    this.#failures = this.#newBytes = 0;
  }
}

// Ends a transfer in which too little comes. One timer serves all reads of a transfer: one for each
// would be thousands, with as many promises to collect. Only the time in which a read is pending counts.
export class Watch {
  readonly #idleTimeoutMs: number;
  readonly #minBytes: number;
  readonly #timer: ReturnType<typeof setInterval>;
  /** When the pending read began. */
  #since: number | undefined;
  #waited = 0;
  #newBytes = 0;
  late = false;

  constructor({ idleTimeoutMs, minBytes }: RetryPolicy, end: () => void) {
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#minBytes = minBytes ?? defaultMinBytes;
    const look = () => {
      if (
        this.#since === undefined ||
        this.#waited + performance.now() - this.#since < idleTimeoutMs
      )
        return;
      this.late = true;
      end();
    };
    this.#timer = setInterval(look, Math.max(1, idleTimeoutMs / 4));
  }

  begin(): void {
    this.#since = performance.now();
  }

  /** The read ended, with `bytes` bytes. */
  end(bytes: number): void {
    this.#waited += performance.now() - (this.#since ?? performance.now());
    this.#since = undefined;
    this.#newBytes += bytes;
    if (this.#newBytes >= this.#minBytes) this.#waited = this.#newBytes = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get reason(): Error {
    return silence(this.#idleTimeoutMs);
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
