// A conversion, step by step: ranges of the source go to the converter, and what it finishes becomes shards. Whoever drives it
// says where shards go (a disk, a browser's private file system) and when the next step is made.
import { EmbedError } from "../../errors.js";
import type { OpenSource } from "../../shared/source.js";
import type { Converter, FinishedTensor, PackConversation, PackOptions } from "./converter.js";
import { planShards, type PlannedShard } from "./shards.js";

/** A file as the manifest lists it. */
export interface FileEntry {
  readonly path: string;
  readonly bytes: number;
  /** Of each 4 MiB. */
  readonly sha256: readonly string[];
}

/** Where the shards go, one after another. */
export interface ShardSink {
  /** The next shard begins, with its head. */
  begin(shard: PlannedShard): void;
  add(piece: Uint8Array): void;
  /** It is whole. */
  finish(): FileEntry | Promise<FileEntry>;
}

/** What an earlier conversion of the same source with the same options left. */
export interface PackState {
  /** Finished shards, in order. */
  readonly shards: readonly FileEntry[];
  /** Of the core. */
  readonly core: Uint8Array;
}

/** The state is not of this conversion after all: it has to begin anew. */
export class StateRefused extends Error {}

export class PackMaker {
  readonly resumedShards: number;
  readonly #converter: Converter;
  readonly #conversation: PackConversation;
  readonly #source: OpenSource;
  readonly #sink: ShardSink;
  readonly #state: PackState | undefined;
  readonly #entries: FileEntry[];
  #shards: readonly PlannedShard[] = [];
  /** Tensors of the current shard that are written. */
  #written = 0;
  #resumedBytes = 0;
  #resumable = false;
  #disposed = false;

  /** Errors: EmbedError of the source or the engine; StateRefused. */
  constructor(
    converter: Converter,
    source: OpenSource,
    options: PackOptions,
    sink: ShardSink,
    state?: PackState,
  ) {
    this.#converter = converter;
    this.#source = source;
    this.#sink = sink;
    this.#state = state;
    this.#entries = [...(state?.shards ?? [])];
    this.resumedShards = this.#entries.length;
    try {
      this.#conversation = converter.begin(options, source.files, state?.core);
    } catch (error) {
      throw this.#isStateRefused(error) ? new StateRefused() : error;
    }
  }

  /** All shards that there will be; none until the source's configuration was read. */
  get shards(): readonly PlannedShard[] {
    return this.#shards;
  }

  /** Shards that are finished. */
  get entries(): readonly FileEntry[] {
    return this.#entries;
  }

  /** After the last step, `saveState` gives what another conversation can go on from. */
  get isResumable(): boolean {
    return this.#resumable;
  }

  /** Bytes of the source's tensors, 0 until known; those that were read; and of these, by an earlier conversion. */
  get progress(): { readonly total: number; readonly done: number; readonly resumed: number } {
    return {
      total: this.#conversation.totalBytes(),
      done: this.#conversation.readBytes(),
      resumed: this.#resumedBytes,
    };
  }

  /** Reads and converts the next range. Resolves to whether there was one. Errors: those of the source, the core and the sink. */
  async step(): Promise<boolean> {
    const conversation = this.#conversation;
    const range = conversation.want();
    if (!range) {
      if (!conversation.done() || this.#entries.length < this.#shards.length)
        throw new EmbedError("internal", "not everything was read");
      return false;
    }
    const file = this.#source.files[range.file];
    if (!file) throw new EmbedError("internal", `the converter wants file ${range.file}`);
    const { pointer } = conversation.reserve();
    let done = 0;
    await this.#source.read(file, range.offset, range.length, (piece) => {
      if (done + piece.length > range.length)
        throw new EmbedError("internal", `${file.path}: more bytes than were wanted`);
      this.#converter.heap.copyIn(pointer + done, piece);
      done += piece.length;
    });
    if (done !== range.length)
      throw new EmbedError(
        this.#source.failureCode,
        `${file.path}: ${done} of ${range.length} bytes at ${range.offset}`,
      );
    await this.#commit();
    return true;
  }

  saveState(): PackState {
    return { shards: [...this.#entries], core: this.#conversation.saveState() };
  }

  /** The manifest's member `selfTest`; after the last step. */
  selfTest(): unknown {
    return this.#conversation.selfTest();
  }

  /** Name of the source's tokenizer; after the last step. Empty without a text tower. */
  tokenizerFile(): string {
    return this.#conversation.tokenizerFile();
  }

  /** May be called again. */
  dispose(): void {
    if (!this.#disposed) this.#conversation.dispose();
    this.#disposed = true;
  }

  async #commit(): Promise<void> {
    const conversation = this.#conversation;
    this.#resumable = false;
    try {
      conversation.commit();
    } catch (error) {
      throw this.#isStateRefused(error) ? new StateRefused() : error;
    }
    if (this.#shards.length === 0) this.#plan();
    if (this.#resumedBytes === 0 && this.#state && conversation.totalBytes() > 0)
      this.#resumedBytes = conversation.readBytes();
    const finished = conversation.tensors();
    for (const tensor of finished) await this.#take(tensor);
    const last = this.#shards[this.#entries.length - 1];
    this.#resumable = finished.length > 0 && this.#written === 0 && last?.complete === true;
  }

  // Before the first tensor, only a state can be an invalid argument.
  #isStateRefused(error: unknown): boolean {
    return (
      this.#state !== undefined &&
      this.#shards.length === 0 &&
      error instanceof EmbedError &&
      error.code === "invalid-argument"
    );
  }

  #plan(): void {
    const tensors = this.#conversation.plan();
    if (tensors.length === 0) return;
    this.#shards = planShards(tensors);
    const isOther = this.#state?.shards.some(
      ({ path, bytes }, i) => this.#shards[i]?.path !== path || this.#shards[i]?.bytes !== bytes,
    );
    if (isOther) throw new StateRefused();
  }

  async #take(tensor: FinishedTensor): Promise<void> {
    const shard = this.#shards[this.#entries.length];
    const planned = shard?.tensors[this.#written];
    if (!shard || planned?.name !== tensor.name || planned.bytes !== tensor.bytes)
      throw new EmbedError(
        "internal",
        `tensor ${tensor.name} came where ${planned?.name ?? "none"} was planned`,
      );
    if (this.#written === 0) {
      this.#sink.begin(shard);
      this.#sink.add(shard.head);
    }
    for (const piece of tensor.pieces()) this.#sink.add(piece);
    if (++this.#written < shard.tensors.length) return;
    this.#entries.push(await this.#sink.finish());
    this.#written = 0;
  }
}
