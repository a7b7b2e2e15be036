// Calls that wait for the engine, in two lanes. The engine does one at a time; when it is free, the oldest interactive
// call goes next, and only without one the oldest background call. A search query never waits behind five hundred photos.
//
// A call whose request must be waited for (a file to be read) lets others go before it meanwhile; a few of a lane are prepared
// at once, no more, since each holds its bytes.
//
// Every promise settles: by answer, by failure, by abort (at once, also while the engine is still busy with the call), or
// by end().

import { isPromise } from "../shared/values.js";

export type Lane = "interactive" | "background";

/** What the queue needs from the outside. `Q` is a request, ready to be sent. */
export interface Sender<Q> {
  send(id: number, request: Q): void;
  /** Asks the engine to stop with call `id`, which was sent. It answers all the same. */
  stop(id: number): void;
  /** Work is waiting or running; or none is. */
  busy(busy: boolean): void;
}

// How many slow calls of a lane hold requests that are not sent.
const preparedAtOnce = 2;

interface Job<Q> {
  readonly id: number;
  readonly lane: Lane;
  readonly prepare: () => Q | Promise<Q>;
  readonly slow: boolean;
  /** "busy": its request is being made. */
  request: { readonly made: Q } | "busy" | undefined;
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

  /** `prepare` makes the request when its turn comes, so that waiting calls hold no copies of their inputs. `slow`: it may give a promise. */
  submit(
    prepare: () => Q | Promise<Q>,
    lane: Lane,
    signal?: AbortSignal,
    onProgress?: (done: number, total: number) => void,
    slow = false,
  ): Promise<unknown> {
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
      const job: Job<Q> = {
        id: this.#nextId++,
        lane,
        prepare,
        slow,
        request: undefined,
        resolve: settle(resolve),
        reject: settle(reject),
        onProgress,
        settled: false,
      };
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
    const jobs = [
      this.#running,
      ...this.#waiting.interactive.splice(0),
      ...this.#waiting.background.splice(0),
    ];
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
    if (!this.#remove(job) && this.#running === job) this.#sender.stop(job.id);
    job.reject(reason);
    this.#next();
  }

  #next(): void {
    while (this.#running === undefined && !this.#ended) {
      const job = this.#choose();
      if (job === undefined) break;
      if (job.request === undefined) {
        this.#prepare(job);
        continue; // it can be sent now, or another goes before it, or it failed
      }
      if (job.request === "busy") break; // never: #choose gives none such
      this.#remove(job);
      this.#running = job;
      this.#setBusy(true);
      try {
        this.#sender.send(job.id, job.request.made);
      } catch (error) {
        if (this.#running === job) this.#running = undefined;
        job.reject(error);
      }
    }
    this.#setBusy(
      this.#running !== undefined ||
        this.#waiting.interactive.length + this.#waiting.background.length > 0,
    );
  }

  // The oldest call whose request is made, or can begin to be.
  #choose(): Job<Q> | undefined {
    for (const lane of [this.#waiting.interactive, this.#waiting.background]) {
      const held = lane.filter(({ request, slow }) => slow && request !== undefined).length;
      const job = lane.find(({ request, slow }) =>
        request === undefined ? !slow || held < preparedAtOnce : request !== "busy",
      );
      if (job) return job;
    }
    return undefined;
  }

  #prepare(job: Job<Q>): void {
    const fail = (error: unknown) => {
      this.#remove(job);
      job.reject(error);
    };
    job.request = "busy"; // what `prepare` calls may come here again
    try {
      const made = job.prepare();
      if (!isPromise(made)) {
        job.request = { made };
        return;
      }
      this.#setBusy(true);
      made
        .then((request) => {
          job.request = { made: request };
        }, fail)
        .finally(() => this.#next());
    } catch (error) {
      fail(error);
    }
  }

  #remove(job: Job<Q>): boolean {
    const lane = this.#waiting[job.lane];
    const place = lane.indexOf(job);
    if (place >= 0) lane.splice(place, 1);
    return place >= 0;
  }

  #setBusy(busy: boolean): void {
    if (busy === this.#busy) return;
    this.#busy = busy;
    this.#sender.busy(busy);
  }
}
