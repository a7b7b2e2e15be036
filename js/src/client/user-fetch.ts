// The user's own fetch, for a worker that asks for it: opens responses, and gives their bytes piece by piece.
import type { FetchAnswer, FetchQuestion } from "../shared/protocol.js";
import { reasonOf } from "../shared/reason.js";
import type { FetchLike, ResponseLike } from "../types.js";
import { invalid, shown } from "./arguments.js";

/** Longest piece that is sent at once. */
const pieceBytes = 1 << 20;

interface OpenResponse {
  readonly stop: AbortController;
  reader?: ReturnType<NonNullable<ResponseLike["body"]>["getReader"]>;
  /** Of the last piece, what was not sent yet. */
  rest: Uint8Array;
}

export class UserFetch {
  readonly #fetch: FetchLike;
  readonly #post: (answer: FetchAnswer, transfer: ArrayBuffer[]) => void;
  readonly #open = new Map<number, OpenResponse>();

  constructor(fetch: FetchLike, post: (answer: FetchAnswer, transfer: ArrayBuffer[]) => void) {
    this.#fetch = fetch;
    this.#post = post;
  }

  async receive(question: FetchQuestion): Promise<void> {
    const { id } = question;
    try {
      if (question.type === "fetch-open") await this.#begin(question);
      else if (question.type === "fetch-read") await this.#read(id);
      else this.#end(id);
    } catch (error) {
      const final = error instanceof OddAnswer;
      const message = reasonOf(error);
      this.#end(id);
      this.#post({ type: "fetch-failed", id, message, final }, []);
    }
  }

  /** Nobody waits for anything any more. */
  end(): void {
    for (const id of [...this.#open.keys()]) this.#end(id);
  }

  async #begin({
    id,
    href,
    method,
    headers,
    cache,
  }: FetchQuestion & { type: "fetch-open" }): Promise<void> {
    const stop = new AbortController();
    const open: OpenResponse = { stop, rest: new Uint8Array(0) };
    this.#open.set(id, open);
    const response = await this.#fetch(href, {
      method,
      headers: { ...headers },
      cache,
      signal: stop.signal,
    });
    const body = checkResponse(response);
    // Given up meanwhile.
    if (stop.signal.aborted)
      return void body
        ?.getReader()
        .cancel()
        .catch(() => {});
    if (body) open.reader = body.getReader();
    const given: [string, string][] = [];
    response.headers.forEach((value, name) => {
      given.push([String(name), String(value)]);
    });
    this.#post(
      {
        type: "fetch-opened",
        id,
        status: response.status,
        statusText: String(response.statusText ?? ""),
        headers: given,
        hasBody: body != null,
      },
      [],
    );
  }

  async #read(id: number): Promise<void> {
    const open = this.#open.get(id);
    if (!open?.reader) throw new Error("was given up");
    while (open.rest.length === 0) {
      const { done, value } = await open.reader.read();
      if (done) {
        this.#open.delete(id);
        return this.#post({ type: "fetch-bytes", id }, []);
      }
      if (!ArrayBuffer.isView(value))
        throw new OddAnswer(`fetch: the body must give Uint8Arrays, not ${shown(value)}`);
      open.rest = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    }
    const bytes = open.rest.slice(0, pieceBytes); // a copy: the rest, and the user's buffer, stay
    open.rest = open.rest.subarray(bytes.length);
    this.#post({ type: "fetch-bytes", id, bytes }, [bytes.buffer]);
  }

  #end(id: number): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.stop.abort();
    open?.reader?.cancel().catch(() => {});
  }
}

/** Another attempt would give the same. */
class OddAnswer extends Error {}

function checkResponse(response: ResponseLike): ResponseLike["body"] {
  if (
    typeof response !== "object" ||
    response === null ||
    typeof response.status !== "number" ||
    typeof response.headers?.forEach !== "function"
  )
    throw new OddAnswer(`fetch must give a Response, not ${shown(response)}`);
  const { body } = response;
  if (body === null || body === undefined) return null;
  if (typeof body.getReader !== "function")
    throw new OddAnswer(
      `fetch: the body of its Response must be a ReadableStream, not ${shown(body)}`,
    );
  if (body.locked) throw new OddAnswer("fetch: the body of its Response is read already");
  return body;
}

/** Far more than any server takes; a list that never ends is not walked. */
const maxHeaders = 1000;

/** The option `headers`, as [name, value]. Errors name what is wrong without the values: they are secrets. */
export function readHeaders(given: unknown): readonly (readonly [string, string])[] {
  if (given === undefined || given === null) return [];
  if (typeof given !== "object") throw invalid(`headers must be an object, not ${typeof given}`);
  const pairs: unknown[] = [];
  const add = (pair: unknown) => {
    if (pairs.push(pair) > maxHeaders) throw invalid(`headers: more than ${maxHeaders}`);
  };
  const { forEach } = given as {
    forEach?: (each: (value: unknown, name: unknown) => void) => void;
  };
  if (Symbol.iterator in given) for (const pair of given as Iterable<unknown>) add(pair);
  else if (typeof forEach === "function") forEach.call(given, (value, name) => add([name, value]));
  else for (const pair of Object.entries(given)) add(pair);
  return pairs.map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw invalid("headers must be an object, a Headers, or a list of [name, value]");
    const [name, value] = [String(pair[0]), String(pair[1])];
    try {
      new Headers([[name, value]]);
    } catch {
      throw invalid(`headers: ${shown(name)} has a name or a value that HTTP does not allow`);
    }
    return [name, value];
  });
}
