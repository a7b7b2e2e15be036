// A pack that is made while an engine reads it: what the engine asks for next is converted then. The engine sees a pack that is not
// finished: a manifest without hashes and without a self-test.
import { EmbedError } from "../../errors.js";
import type { HubSource } from "../../loading/hub-source.js";
import { hexSha256 } from "../../loading/sha256.js";
import type { DType, Tower } from "../../shared/engine-types.js";
import { chunkBytes } from "../../shared/limits.js";
import { manifestName } from "../../shared/model-files.js";
import type { OpenSource, SourceFile, Take } from "../../shared/source.js";
import type { Converter } from "./converter.js";
import { packManifest, signedManifest, type PackContent } from "./manifest.js";
import { PackMaker, type FileEntry, type PackState } from "./pack-maker.js";
import { entryOf, MemoryShards } from "./stored-shard.js";

/** Bytes of the download: those that came, all of them, and of those that came the ones of an earlier load. */
export interface DownloadProgress {
  readonly loaded: number;
  readonly total: number;
  readonly resumed: number;
}

/** Where finished files are kept. Nothing fails because of it. */
export interface Keeper {
  /** A file of the pack that is finished. */
  keep(entry: FileEntry, bytes: Uint8Array): Promise<void>;
  /** What was finished so far can be gone on with. */
  saved(making: Making): Promise<void>;
  /** A range of a finished file; nothing when it is not to be had. */
  read(entry: FileEntry, offset: number, length: number): Promise<Uint8Array | undefined>;
}

export interface MakingOptions {
  readonly source: HubSource;
  readonly converter: Converter;
  readonly dtype: DType;
  readonly towers: readonly Tower[];
  readonly state: PackState | undefined;
  readonly keeper: Keeper | undefined;
  readonly onDownload: (progress: DownloadProgress) => void;
}

interface Small {
  readonly entry: FileEntry;
  readonly bytes: Uint8Array;
}

export class Making {
  files: SourceFile[] = [];
  readonly maker: PackMaker;
  readonly source: HubSource;
  readonly #options: MakingOptions;
  readonly #shards: MemoryShards;
  #content: PackContent | undefined;
  #manifest = new Uint8Array(0);
  #tokenizer: Small | undefined;
  /** Of the range that is being read. */
  #arrived = 0;

  /** Errors: EmbedError; StateRefused. */
  constructor(options: MakingOptions) {
    const { source, converter, dtype, towers, state, keeper } = options;
    this.#options = options;
    this.source = source;
    this.#shards = new MemoryShards(async (entry, bytes) => keeper?.keep(entry, bytes));
    source.onBytes = () => this.#report();
    const counted: OpenSource = {
      files: source.files,
      failureCode: source.failureCode,
      read: (file, offset, length, take) =>
        source.read(file, offset, length, (piece, isKept) => {
          take(piece, isKept);
          this.#arrived += piece.length;
          this.#report();
        }),
      close: () => source.close(),
    };
    this.maker = new PackMaker(
      converter,
      counted,
      { text: towers.includes("text"), vision: towers.includes("vision"), dtype, threads: 1 },
      this.#shards,
      state,
    );
  }

  /** Whether an earlier load had finished something of it. */
  get isResumed(): boolean {
    return this.#options.state !== undefined;
  }

  /** Finished files of the pack beside its shards. */
  get smallEntries(): readonly FileEntry[] {
    return this.#tokenizer ? [this.#tokenizer.entry] : [];
  }

  /** Bytes of the pack's files; once they are planned. */
  get totalBytes(): number {
    return this.files.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Reads as much as tells which files there will be. Errors: EmbedError; StateRefused. */
  async plan(): Promise<void> {
    while (this.maker.shards.length === 0 || this.maker.progress.total === 0)
      if (!(await this.#step())) throw new EmbedError("internal", "the converter made no plan");
    const { source } = this;
    const { dtype, towers, keeper } = this.#options;
    if (towers.includes("text")) {
      this.#tokenizer = await this.#readTokenizer();
      await keeper?.keep(this.#tokenizer.entry, this.#tokenizer.bytes);
    }
    this.#content = {
      about: {
        modelId: source.hub.repo,
        revision: source.revision.commit,
        license: source.revision.license,
        dtype,
      },
      config: await source.readJson("config.json"),
      preprocessor: await source.readJson("preprocessor_config.json"),
      tokenizer: this.#tokenizer?.entry,
      shards: this.maker.shards,
    };
    this.#manifest = await signedManifest(packManifest(this.#content));
    this.files = [
      ...this.maker.shards.map(({ path, bytes }) => ({ path, byteLength: bytes })),
      ...(this.#tokenizer
        ? [{ path: this.#tokenizer.entry.path, byteLength: this.#tokenizer.bytes.length }]
        : []),
      { path: manifestName, byteLength: this.#manifest.length },
    ];
  }

  async read({ path }: SourceFile, offset: number, length: number, take: Take): Promise<void> {
    if (path === manifestName) return take(this.#manifest.subarray(offset, offset + length), false);
    if (path === this.#tokenizer?.entry.path)
      return take(this.#tokenizer.bytes.subarray(offset, offset + length), false);
    const place = this.maker.shards.findIndex((shard) => shard.path === path);
    while (this.maker.entries.length <= place) await this.#step();
    const whole = this.#shards.last(path);
    if (whole) return take(whole.subarray(offset, offset + length), false);
    take(await this.#readKept(this.maker.entries[place] as FileEntry, offset, length), true);
  }

  /** The rest of the source, verified. Gives the pack's manifest. Errors: "corrupt-model" when the download is damaged. */
  async finish(): Promise<{
    readonly manifest: Uint8Array<ArrayBuffer>;
    readonly selfTest: unknown;
  }> {
    while (await this.#step());
    await this.source.verify();
    const selfTest = this.maker.selfTest();
    const { maker } = this;
    const manifest = await signedManifest(
      packManifest({
        ...(this.#content as PackContent),
        selfTest,
        shards: maker.shards.map((shard, i) => ({ ...shard, ...maker.entries[i] })),
      }),
    );
    return { manifest, selfTest };
  }

  async close(): Promise<void> {
    this.maker.dispose();
    await this.source.close();
  }

  async #step(): Promise<boolean> {
    const isMore = await this.maker.step();
    this.#arrived = 0;
    this.#report();
    if (this.maker.isResumable) await this.#options.keeper?.saved(this);
    return isMore;
  }

  #report(): void {
    const { total, done, resumed } = this.maker.progress;
    if (total > 0)
      this.#options.onDownload({
        loaded: Math.min(total, done + this.#arrived + this.source.waiting),
        total,
        resumed,
      });
  }

  async #readTokenizer(): Promise<Small> {
    // The order in which the core looks for it.
    const file = ["tokenizer.json", "sentencepiece.bpe.model"]
      .map((path) => this.source.files.find((listed) => listed.path === path))
      .find((listed) => listed);
    if (!file) throw new EmbedError("internal", "the tokenizer has gone");
    const bytes = await this.source.readSmall(file.path);
    return { entry: await entryOf(file.path, bytes), bytes };
  }

  // What an earlier load made: the engine does not compare its hash, so it is done here.
  async #readKept(entry: FileEntry, offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#options.keeper?.read(entry, offset, length);
    const isChunk = offset % chunkBytes === 0;
    if (!bytes || !isChunk || (await hexSha256(bytes)) !== entry.sha256[offset / chunkBytes])
      throw new EmbedError(
        "corrupt-model",
        `${entry.path}: what an earlier load made is damaged or gone`,
      );
    return bytes;
  }
}
