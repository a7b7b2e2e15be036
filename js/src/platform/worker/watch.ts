// A timeout for silence. It starts again with every sign of life, so that slow is no failure.

export class Watch {
  readonly #silence: number;
  readonly #expired: Promise<never>;
  #reject!: (reason: unknown) => void;
  readonly #late: () => unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `late` gives what `over` rejects with after `silence` milliseconds without `heard`. It begins with the first `heard`. */
  constructor(silence: number, late: () => unknown) {
    this.#silence = silence;
    this.#late = late;
    this.#expired = new Promise((_, reject) => (this.#reject = reject));
    this.#expired.catch(() => {}); // whoever waits hears of it by `over`
  }

  /** A sign of life: the time starts again. */
  heard(): void {
    this.end();
    this.#timer = setTimeout(() => this.#reject(this.#late()), this.#silence);
  }

  /** Fails now, with this reason. */
  fail(reason: unknown): void {
    this.end();
    this.#reject(reason);
  }

  /** Stops the timer. */
  end(): void {
    clearTimeout(this.#timer);
  }

  /** Settles as `promise` does, or rejects when the silence was too long. */
  over<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {}); // it may fail when nobody listens any more
    return Promise.race([promise, this.#expired]);
  }
}
