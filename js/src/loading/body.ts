// The bytes of a response, piece by piece.

/** Longest piece that is read at once. */
const readBytes = 1 << 20;

/** Where streams read into a buffer of the reader's, one serves for all pieces of all responses. */
export interface Room {
  buffer: ArrayBuffer;
}

// Where streams do not read into a buffer, each piece is an array of its own, and many of them wait to be collected.
export class Body {
  readonly #byob: ReadableStreamBYOBReader | undefined;
  readonly #plain: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #room: Room;

  constructor(stream: ReadableStream<Uint8Array>, room: Room) {
    this.#room = room;
    try {
      this.#byob = stream.getReader({ mode: "byob" });
    } catch {
      this.#plain = stream.getReader();
    }
  }

  /** The next bytes, valid until the next call; nothing at the end. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#plain) return (await this.#plain.read()).value;
    // A read that failed kept the buffer.
    if (this.#room.buffer.byteLength === 0) this.#room.buffer = new ArrayBuffer(readBytes);
    const result = await this.#byob?.read(new Uint8Array(this.#room.buffer));
    if (result?.value) this.#room.buffer = result.value.buffer as ArrayBuffer;
    return result?.done ? undefined : result?.value;
  }

  /** Whether nothing more comes. */
  async ends(): Promise<boolean> {
    const last = this.#plain ? await this.#plain.read() : await this.#byob?.read(new Uint8Array(1));
    return last?.done ?? true;
  }

  async cancel(): Promise<void> {
    await (this.#byob ?? this.#plain)?.cancel().catch(() => {});
  }
}
