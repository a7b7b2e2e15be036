// A fetch that someone else does: each step is asked for by a message. One piece of a body is on its way at a time.
import { EmbedError } from "../errors.js";
import type { Fetch } from "./http-reader.js";
import type { FetchAnswer, FetchQuestion } from "../shared/protocol.js";

export class RemoteFetch {
  readonly #post: (question: FetchQuestion) => void;
  readonly #waiting = new Map<
    number,
    { resolve(answer: FetchAnswer): void; reject(error: unknown): void }
  >();
  #next = 1;

  constructor(post: (question: FetchQuestion) => void) {
    this.#post = post;
  }

  readonly fetch: Fetch = async (href, { method, headers, cache, signal }) => {
    const id = this.#next++;
    const cancel = () => {
      this.#post({ type: "fetch-cancel", id });
      this.#settle(id, { type: "fetch-failed", id, message: "was given up", final: false });
    };
    signal.addEventListener("abort", cancel, { once: true });
    const answer = await this.#ask({ type: "fetch-open", id, href, method, headers, cache });
    if (answer.type !== "fetch-opened")
      throw new EmbedError("internal", "an answer to another question");
    const { status, statusText, hasBody } = answer;
    const body = hasBody ? this.#body(id, signal) : null;
    // Not a Response: that refuses some statuses.
    return {
      status,
      statusText,
      ok: status >= 200 && status < 300,
      headers: new Headers(answer.headers.map(([name, value]): [string, string] => [name, value])),
      body,
    } as Response;
  };

  /** An answer came. */
  receive(answer: FetchAnswer): void {
    this.#settle(answer.id, answer);
  }

  #body(id: number, signal: AbortSignal): ReadableStream<Uint8Array> {
    const read = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (signal.aborted) throw new Error("was given up");
      const answer = await this.#ask({ type: "fetch-read", id });
      if (answer.type !== "fetch-bytes")
        throw new EmbedError("internal", "an answer to another question");
      if (answer.bytes) controller.enqueue(answer.bytes);
      else controller.close();
    };
    return new ReadableStream(
      { pull: read, cancel: () => this.#post({ type: "fetch-cancel", id }) },
      { highWaterMark: 0 },
    );
  }

  async #ask(question: FetchQuestion): Promise<FetchAnswer> {
    const answer = await new Promise<FetchAnswer>((resolve, reject) => {
      this.#waiting.set(question.id, { resolve, reject });
      this.#post(question);
    });
    if (answer.type !== "fetch-failed") return answer;
    throw answer.final
      ? new EmbedError("invalid-argument", answer.message)
      : new Error(answer.message);
  }

  #settle(id: number, answer: FetchAnswer): void {
    this.#waiting.get(id)?.resolve(answer);
    this.#waiting.delete(id);
  }
}
