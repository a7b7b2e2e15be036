// A checkpoint in upstream's layout to a pack (docs/FORMAT.md), on a disk. The converter's module reads, checks, folds adapters,
// quantises and computes the self-test, one piece after another (../worker/convert/pack-maker.ts); here are only files.
//
// What is finished stays finished: after each shard a state is saved, from which the same command goes on. Without its
// manifest, which is written last, a folder is no pack.
import { mkdirSync, readdirSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EmbedError } from "../errors.js";
import type { RetryPolicy } from "../loading/retry.js";
import { nodeEngineFiles } from "../platform/node/engine-files.js";
import type { DType, Tower } from "../shared/engine-types.js";
import { chunkBytes } from "../shared/limits.js";
import { Converter } from "../worker/convert/converter.js";
import { formatVersion, packManifest, signedManifest } from "../worker/convert/manifest.js";
import {
  PackMaker,
  StateRefused,
  type FileEntry,
  type ShardSink,
} from "../worker/convert/pack-maker.js";
import {
  ConvertError,
  diskError,
  isPartial,
  NewFile,
  writeToDisk,
  writeWhole,
  type Write,
} from "./disk.js";
import { removeOldPack } from "./old-pack.js";
import { openConvertSource, readJson, readRange, type ConvertSource } from "./source.js";
import { loadState, removeState, saveState, type ConvertState } from "./state.js";

/** Numbers of checkpoints that are known by name. */
const knownParameters: { readonly [modelId: string]: number } = {
  "jinaai/jina-clip-v2": 865_278_476,
};

// A thread of the converter broke: nobody could wait for it. The process ends, as with any error of its own.
const lost = (reason: string) => {
  throw new Error(reason);
};

/** Errors after which the same command may succeed: what was converted is kept. */
const passingCodes: ReadonlySet<string> = new Set(["network", "unreadable", "out-of-memory"]);

export interface ConvertOptions {
  /** A folder, the address of one, or the name of a model on a hub: "hf:OWNER/NAME", "hf:OWNER/NAME@REVISION". */
  readonly source: string;
  /** The hub that "hf:" means; default: huggingface.co. */
  readonly endpoint?: string | undefined;
  /** For models that the hub gives only to some. Sent to the hub and to nobody else. */
  readonly token?: string | undefined;
  /** The folder in which Hugging Face's own tools keep what they downloaded; what is there is not downloaded. */
  readonly hubCache?: string | undefined;
  /** The pack's folder; made if it is not there. */
  readonly out: string;
  readonly dtype?: DType;
  readonly towers?: readonly Tower[];
  readonly modelId?: string;
  readonly revision?: string;
  readonly license?: string;
  /** How many numbers the checkpoint must hold. */
  readonly parameters?: number;
  /** 1 … 64; above 1, the module with threads computes the self-test. */
  readonly threads?: number;
  readonly onProgress?: (progress: ConvertProgress) => void;
  /** How long a server is waited for. */
  readonly retry?: RetryPolicy;
  /** For tests: what writes. */
  readonly write?: Write;
  /** Where the wasm modules are, if not beside the package. */
  readonly wasmFolder?: string;
}

export interface ConvertProgress {
  /** Bytes of the source's tensors, 0 until known. */
  readonly total: number;
  readonly done: number;
  /** Of `done`: by an earlier run. */
  readonly resumed: number;
  /** The shard that is being written. */
  readonly file: string;
}

export interface ConvertResult {
  /** Of the pack, the manifest first. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Shards that an earlier run had finished. */
  readonly resumedShards: number;
  readonly parameters: number;
  readonly selfTest: { readonly minCosine: number; readonly reached: number };
}

/** Errors: EmbedError for the source, ConvertError for arguments and the disk. */
export async function convertModel(options: ConvertOptions): Promise<ConvertResult> {
  const source = await openConvertSource(options);
  try {
    return await new Conversion(options, source).run();
  } finally {
    await source.open.close();
  }
}

class Conversion {
  readonly #options: ConvertOptions;
  readonly #source: ConvertSource;
  readonly #folder: string;
  readonly #dtype: DType;
  readonly #towers: readonly Tower[];
  readonly #threads: number;
  readonly #write: Write;
  readonly #identity: string;
  #file: NewFile | undefined;
  /** Whatever was begun, for the end of a source that is no good. */
  readonly #begun = new Set<string>();

  constructor(options: ConvertOptions, source: ConvertSource) {
    this.#options = options;
    this.#source = source;
    this.#folder = resolve(options.out);
    this.#dtype = options.dtype ?? "q8";
    this.#towers = options.towers ?? ["text", "vision"];
    this.#threads = options.threads ?? 1;
    this.#write = options.write ?? writeToDisk;
    this.#identity = JSON.stringify([
      source.identity,
      this.#dtype,
      [...this.#towers].sort(),
      formatVersion,
    ]);
  }

  async run(): Promise<ConvertResult> {
    let state = this.#prepareFolder();
    await this.#source.resume?.(this.#folder, state?.source);
    const converter = await this.#startConverter();
    this.#source.hashWith?.(converter.hashBlocks);
    try {
      const maker = await this.#convert(converter, state).catch((error: unknown) => {
        // A state that the core or the plan does not take: from the beginning, once.
        if (!(error instanceof StateRefused)) throw error;
        state = undefined;
        return this.#convert(converter, state);
      });
      try {
        return await this.#finish(maker);
      } finally {
        maker.dispose();
      }
    } catch (error) {
      this.#file?.abandon();
      if (error instanceof EmbedError && !passingCodes.has(error.code)) this.#removeAll();
      throw error;
    }
  }

  /** Gives what an earlier run left to go on with. Everything else of a pack is gone then. */
  #prepareFolder(): ConvertState | undefined {
    try {
      mkdirSync(this.#folder, { recursive: true });
      if (
        this.#source.folder !== undefined &&
        realpathSync(this.#source.folder) === realpathSync(this.#folder)
      )
        throw new ConvertError("usage", "the pack must go to another folder than its source");
      const state = loadState(this.#folder, this.#identity);
      removeOldPack(this.#folder, state?.shards.map(({ path }) => path) ?? []);
      for (const name of readdirSync(this.#folder))
        if (isPartial(name)) rmSync(join(this.#folder, name));
      return state;
    } catch (error) {
      throw diskError(this.#folder, error);
    }
  }

  #startConverter(): Promise<Converter> {
    const { wasmFolder } = this.#options;
    const folder =
      wasmFolder === undefined
        ? new URL("../../wasm/", import.meta.url)
        : pathToFileURL(`${resolve(wasmFolder)}/`);
    const name = this.#threads > 1 ? "clipglot-convert-threads" : "clipglot-convert";
    return Converter.start({
      moduleUrl: new URL(`${name}.mjs`, folder).href,
      wasmUrl: new URL(`${name}.wasm`, folder).href,
      threads: this.#threads,
      files: nodeEngineFiles(),
      onLost: lost,
    });
  }

  async #convert(converter: Converter, state: ConvertState | undefined): Promise<PackMaker> {
    const options = {
      text: this.#towers.includes("text"),
      vision: this.#towers.includes("vision"),
      dtype: this.#dtype,
      threads: this.#threads,
    };
    const sink: ShardSink = {
      begin: ({ path }) => {
        this.#begun.add(path);
        this.#file = new NewFile(this.#folder, path, this.#write);
      },
      add: (piece) => this.#file?.add(piece),
      finish: () => {
        const entry = this.#file?.finish();
        this.#file = undefined;
        if (!entry) throw new EmbedError("internal", "a shard ended that had not begun");
        return entry;
      },
    };
    const maker = new PackMaker(converter, this.#source.open, options, sink, state);
    try {
      for (let isPlanned = false; await maker.step(); ) {
        if (!isPlanned && maker.shards.length > 0) {
          isPlanned = true;
          this.#checkSpace(maker);
        }
        const { total, done, resumed } = maker.progress;
        if (total > 0) this.#checkParameters();
        if (maker.isResumable) await this.#saveState(maker);
        const file = maker.shards[maker.entries.length]?.path ?? "";
        this.#options.onProgress?.({ total, done, resumed, file });
      }
      return maker;
    } catch (error) {
      maker.dispose();
      throw error;
    }
  }

  async #saveState(maker: PackMaker): Promise<void> {
    const { save, release } = this.#source;
    saveState(
      this.#folder,
      { identity: this.#identity, ...maker.saveState(), source: save?.() },
      this.#write,
    );
    await release?.();
  }

  #checkSpace(maker: PackMaker): void {
    const wanted = maker.shards
      .slice(maker.entries.length)
      .reduce((sum, shard) => sum + shard.bytes, 0);
    let free = Infinity;
    try {
      const { bavail, bsize, blocks } = statfsSync(this.#folder);
      if (blocks > 0) free = bavail * bsize;
    } catch {
      // Not every file system tells; then writing will.
    }
    if (wanted > free)
      throw new ConvertError(
        "disk-full",
        `${this.#folder}: ${Math.ceil(wanted / 1e6)} MB are still to be written, ${Math.floor(free / 1e6)} MB are free`,
      );
  }

  #checkParameters(): void {
    const { modelId = this.#source.modelId, parameters = knownParameters[modelId ?? ""] } =
      this.#options;
    if (parameters !== undefined && parameters !== this.#source.parameters)
      throw new EmbedError(
        "corrupt-model",
        `model.safetensors: ${this.#source.parameters} parameters, ${parameters} expected`,
      );
  }

  async #finish(maker: PackMaker): Promise<ConvertResult> {
    const { open } = this.#source;
    const {
      modelId = this.#source.modelId ?? this.#source.name,
      revision = this.#source.revision ?? "unknown",
      license = this.#source.license ?? "unknown",
    } = this.#options;
    await open.finished?.(); // the hub's hash over the whole file
    const selfTest = maker.selfTest();
    const config = await readJson(open, "config.json");
    const preprocessor = await readJson(open, "preprocessor_config.json");
    const tokenizer = this.#towers.includes("text")
      ? await this.#copyTokenizer(maker.tokenizerFile())
      : undefined;
    const text = await signedManifest(
      packManifest({
        about: { modelId, revision, license, dtype: this.#dtype },
        config,
        preprocessor,
        selfTest,
        tokenizer,
        shards: maker.shards.map((shard, i) => ({ ...shard, ...maker.entries[i] })),
      }),
    );
    const files = [...(tokenizer ? [tokenizer] : []), ...maker.entries].map(({ path, bytes }) => ({
      path,
      bytes,
    }));
    const manifest = writeWhole(this.#folder, "manifest.json", [text], this.#write);
    removeState(this.#folder);
    const { minCosine, reached } = selfTest as ConvertResult["selfTest"];
    return {
      files: [{ path: manifest.path, bytes: manifest.bytes }, ...files],
      resumedShards: maker.resumedShards,
      parameters: this.#source.parameters,
      selfTest: { minCosine, reached },
    };
  }

  async #copyTokenizer(name: string): Promise<FileEntry> {
    const { open } = this.#source;
    const from = open.files.find((file) => file.path === name);
    if (!from) throw new EmbedError("internal", "the tokenizer has gone");
    this.#begun.add(name);
    const to = new NewFile(this.#folder, from.path, this.#write);
    this.#file = to;
    for (let at = 0; at < from.byteLength; at += chunkBytes)
      to.add(await readRange(open, from.path, at, Math.min(chunkBytes, from.byteLength - at)));
    const entry = to.finish();
    this.#file = undefined;
    return entry;
  }

  /** The source is not to be had as it is: nothing that was made of it is worth keeping. */
  #removeAll(): void {
    const state = loadState(this.#folder, this.#identity);
    for (const name of [...this.#begun, ...(state?.shards.map(({ path }) => path) ?? [])])
      rmSync(join(this.#folder, name), { force: true });
    removeState(this.#folder);
  }
}
