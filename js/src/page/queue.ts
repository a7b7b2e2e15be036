// Calls that wait for the engine, in two lanes. The engine does one at a time; when it is free, the oldest interactive
// call goes next, and only without one the oldest background call. A search query never waits behind five hundred photos.
//
// Every promise settles: by answer, by failure, by abort (at once, also while the engine is still busy with the call), or
// by end().

export type Lane = "interactive" | "background";

/** What the queue needs from the outside. `Q` is a request, ready to be sent. */
export interface Sender<Q> {
  send(id: number, request: Q): void;
  /** Asks the engine to stop with call `id`, which was sent. It answers all the same. */
  stop(id: number): void;
  /** Work is waiting or running; or none is. */
  busy(busy: boolean): void;
}

interface Job<Q> {
  readonly id: number;
  readonly lane: Lane;
  readonly prepare: () => Q;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
  settled: boolean;
}

export class CallQueue<Q> {
  readonly #sender: Sender<Q>;
  readonly #waiting: { readonly [L in Lane]: Job<Q>[] } = { interactive: [], background: [] };
  #running: Job<Q> | undefined;
  #busy = false;
  #nextId = 1;
  #ended: { readonly reason: unknown } | undefined;

  constructor(sender: Sender<Q>) {
    this.#sender = sender;
  }

  /** `prepare` makes the request when its turn comes, so that waiting calls hold no copies of their inputs. */
  submit(prepare: () => Q, lane: Lane, signal?: AbortSignal, onProgress?: (done: number, total: number) => void): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended.reason);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<unknown>((resolve, reject) => {
      const onAbort = () => this.#abort(job, signal?.reason);
      const settle = (act: (value: unknown) => void) => (value: unknown) => {
        if (job.settled) return;
        job.settled = true;
        signal?.removeEventListener("abort", onAbort);
        act(value);
      };
      const job: Job<Q> = { id: this.#nextId++, lane, prepare, resolve: settle(resolve), reject: settle(reject), onProgress, settled: false };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting[lane].push(job);
      this.#next();
    });
  }

  /** Call `id` is so far. */
  progress(id: number, done: number, total: number): void {
    const job = this.#running;
    if (job === undefined || job.id !== id || job.settled) return;
    job.onProgress?.(done, total);
  }

  /** The engine answered call `id`. */
  answer(id: number, answer: unknown): void {
    this.#finish(id, (job) => job.resolve(answer));
  }

  /** Call `id` failed. */
  fail(id: number, reason: unknown): void {
    this.#finish(id, (job) => job.reject(reason));
  }

  /** No more calls: all that wait or run reject with `reason`, and so do later ones. */
  end(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = { reason };
    const jobs = [this.#running, ...this.#waiting.interactive.splice(0), ...this.#waiting.background.splice(0)];
    this.#running = undefined;
    for (const job of jobs) job?.reject(reason);
    this.#setBusy(false);
  }

  #finish(id: number, settle: (job: Job<Q>) => void): void {
    const job = this.#running;
    if (job === undefined || job.id !== id) return;
    this.#running = undefined;
    settle(job);
    this.#next();
  }

  #abort(job: Job<Q>, reason: unknown): void {
    const lane = this.#waiting[job.lane];
    const place = lane.indexOf(job);
    if (place >= 0) lane.splice(place, 1);
    else if (this.#running === job) this.#sender.stop(job.id);
    job.reject(reason);
    this.#next();
  }

  #next(): void {
    while (this.#running === undefined && !this.#ended) {
      const job = this.#waiting.interactive.shift() ?? this.#waiting.background.shift();
      if (job === undefined) break;
      try {
        const request = job.prepare();
        this.#running = job;
        this.#setBusy(true);
        this.#sender.send(job.id, request);
      } catch (error) {
        if (this.#running === job) this.#running = undefined;
        job.reject(error);
      }
    }
    if (this.#running === undefined) this.#setBusy(false);
  }

  #setBusy(busy: boolean): void {
    if (busy === this.#busy) return;
    this.#busy = busy;
    this.#sender.busy(busy);
  }
}
