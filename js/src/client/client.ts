// The caller's side of one engine: starts it, sends calls, ends it. One of its lives: loading → ready → ended.
import { EmbedError } from "../errors.js";
import type { EngineInfo, LoadProgress, LoadWarning } from "../shared/engine-types.js";
import type {
  AnswerOf,
  Call,
  CallKind,
  CallOf,
  CancelFlag,
  FromWorker,
  LoadRequest,
  WireError,
} from "../shared/protocol.js";
import { isPromise, isUint8Array } from "../shared/values.js";
import { reasonOf } from "../shared/reason.js";
import type { FetchLike, ModelSource } from "../types.js";
import { UserFetch } from "./user-fetch.js";
import { CallQueue, type Lane } from "./queue.js";
import type { WorkerPort } from "../shared/worker-port.js";

/** A call, and the buffers in it that were made for it and may move. */
interface Request {
  readonly call: Call;
  readonly transfer: ArrayBuffer[];
}

interface Prepared<K extends CallKind> {
  readonly call: CallOf<K>;
  readonly transfer?: ArrayBuffer[];
}

/** The callbacks do not throw: fence.ts sees to that. */
export interface LoadHooks {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: LoadProgress) => void) | undefined;
  readonly onWarning: ((warning: LoadWarning) => void) | undefined;
  /** For a source that the user supplies. */
  readonly source: ModelSource | undefined;
  /** The user's own, for models at URLs. */
  readonly fetch: FetchLike | undefined;
}

export class EngineClient {
  readonly #port: WorkerPort;
  readonly #queue: CallQueue<Request>;
  /** Aborted when the engine ends or is loaded: nobody waits for bytes of the source any more. */
  readonly #reading = new AbortController();
  #hooks: LoadHooks | undefined;
  #fetches: UserFetch | undefined;
  #loaded: { resolve(info: EngineInfo): void; reject(reason: unknown): void } | undefined;
  #cancelFlag: CancelFlag | undefined;
  #end: Promise<void> | undefined;

  /** `port`: of a worker that runs. */
  constructor(port: WorkerPort) {
    this.#port = port;
    this.#queue = new CallQueue<Request>({
      send: (id, request) => this.#send(id, request),
      stop: () => this.#setCancelFlag(1),
      busy: (busy) => port.setBusy(busy),
    });
    port.onMessage = (message) => this.#receive(message);
    port.onFailure = (detail) => this.#lose(detail || "its worker broke without a message");
  }

  /** To be called once. Rejects with an EmbedError or the signal's reason; the worker is ended then. */
  load(request: LoadRequest, hooks: LoadHooks): Promise<EngineInfo> {
    this.#hooks = hooks;
    const { signal } = hooks;
    if (hooks.fetch)
      this.#fetches = new UserFetch(
        hooks.fetch,
        (answer, transfer) => this.#end ?? this.#port.post(answer, transfer),
      );
    const onAbort = () => this.#fail(signal?.reason);
    return new Promise<EngineInfo>((resolve, reject) => {
      this.#loaded = { resolve, reject };
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#port.setBusy(true);
      try {
        this.#port.post({ type: "load", request }, []);
      } catch (cause) {
        this.#fail(
          new EmbedError(
            "invalid-argument",
            `model cannot be sent to the engine's worker: ${reasonOf(cause)}`,
            { cause },
          ),
        );
      }
    }).finally(() => signal?.removeEventListener("abort", onAbort));
  }

  /** `prepare` runs when the call's turn comes. `slow`: it may give a promise, and others go before while that waits. */
  call<K extends CallKind>(
    prepare: () => Prepared<K> | Promise<Prepared<K>>,
    lane: Lane,
    signal?: AbortSignal,
    onProgress?: (done: number, total: number) => void,
    slow = false,
  ): Promise<AnswerOf<K>> {
    const toRequest = ({ call, transfer }: Prepared<K>): Request => ({
      call: call as Call,
      transfer: transfer ?? [],
    });
    const request = () => {
      const prepared = prepare();
      return isPromise(prepared) ? prepared.then(toRequest) : toRequest(prepared);
    };
    return this.#queue.submit(request, lane, signal, onProgress, slow) as Promise<AnswerOf<K>>;
  }

  /** Rejects all that waits with "disposed" and ends the worker, which gives its memory back. May be called again. */
  dispose(): Promise<void> {
    this.#fail(new EmbedError("disposed", "the embedder was disposed"));
    return this.#end ?? Promise.resolve();
  }

  #fail(reason: unknown): void {
    if (this.#end) return;
    this.#reading.abort(reason);
    this.#fetches?.end();
    this.#end = this.#port.terminate().catch(() => {});
    this.#loaded?.reject(reason);
    this.#queue.end(reason);
    this.#hooks = undefined;
  }

  #lose(detail: string): void {
    this.#fail(new EmbedError("engine-lost", detail));
  }

  #receive(message: FromWorker): void {
    if (this.#end) return; // what a dying worker still says
    switch (message.type) {
      case "hello":
        return; // heard before this client was made (open-worker.ts)
      case "progress":
        return this.#hooks?.onProgress?.(message.progress);
      case "warning":
        return this.#hooks?.onWarning?.(message.warning);
      case "source-read":
        void this.#answerSourceRead(message.read, message.path, message.offset, message.length);
        return;
      case "fetch-open":
      case "fetch-read":
      case "fetch-cancel":
        return void this.#fetches?.receive(message);
      case "ready":
        this.#cancelFlag = message.cancelFlag;
        this.#reading.abort();
        this.#fetches?.end();
        this.#fetches = undefined;
        this.#loaded?.resolve(message.info);
        this.#hooks = undefined;
        this.#port.setBusy(false);
        return;
      case "load-failed":
        return this.#fail(toError(message.error));
      case "layer":
        return this.#queue.progress(message.id, message.done, message.total);
      case "answer":
        return this.#queue.answer(message.id, message.answer);
      case "failed":
        return this.#queue.fail(message.id, toError(message.error));
      case "lost":
        return this.#lose(message.detail);
    }
  }

  // Sends bytes of the caller's own source to the worker. They are copied: the caller may still use the buffer.
  async #answerSourceRead(
    read: number,
    path: string,
    offset: number,
    length: number,
  ): Promise<void> {
    try {
      const given = await this.#hooks?.source?.read(path, offset, length, this.#reading.signal);
      if (this.#end) return;
      if (!isUint8Array(given) || given.byteLength !== length)
        throw new Error(
          `read("${path}", ${offset}, ${length}) must give ${length} bytes in a Uint8Array`,
        );
      const bytes = new Uint8Array(given);
      this.#port.post({ type: "source-bytes", read, bytes }, [bytes.buffer]);
    } catch (error) {
      if (!this.#end) this.#port.post({ type: "source-error", read, message: reasonOf(error) }, []);
    }
  }

  #send(id: number, { call, transfer }: Request): void {
    this.#setCancelFlag(0);
    try {
      this.#port.post({ type: "call", id, call }, transfer);
    } catch (cause) {
      throw new EmbedError(
        "invalid-argument",
        `cannot be sent to the engine's worker: ${reasonOf(cause)}`,
        { cause },
      );
    }
  }

  // The flag is cleared here alone, before a call is sent, and the next call is sent after the answer to this one; so it stops
  // this call or none. Where no memory is shared, the engine finishes the call, and nobody listens.
  #setCancelFlag(value: 0 | 1): void {
    if (this.#cancelFlag) Atomics.store(new Int32Array(this.#cancelFlag), 0, value);
  }
}

function toError(error: WireError): EmbedError {
  const code = error.code === "cancelled" ? "internal" : error.code; // the caller's promise was already rejected
  if (!error.cause) return new EmbedError(code, error.detail);
  const cause = new Error(error.cause.message);
  cause.name = error.cause.name;
  return new EmbedError(code, error.detail, { cause });
}
