// Runs one task at a time. A newer request aborts the running one and replaces any that waits, so the
// engine's own pace decides how often results appear, and a stale answer is never shown.

export class Latest<Input> {
  readonly #task: (input: Input, signal: AbortSignal) => Promise<void>;
  #waiting: { input: Input } | undefined;
  #running: AbortController | undefined;

  /** `task` must look at the signal before it shows anything; what it throws after an abort is dropped. */
  constructor(task: (input: Input, signal: AbortSignal) => Promise<void>) {
    this.#task = task;
  }

  request(input: Input): void {
    this.#waiting = { input };
    if (this.#running) this.#running.abort();
    else void this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#waiting) {
      const { input } = this.#waiting;
      this.#waiting = undefined;
      const controller = new AbortController();
      this.#running = controller;
      try {
        await this.#task(input, controller.signal);
      } catch (error) {
        if (!controller.signal.aborted) reportError(error);
      }
    }
    this.#running = undefined;
  }
}
