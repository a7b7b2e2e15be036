// A checkpoint in upstream's layout to a pack (docs/FORMAT.md). The converter's module (converter.ts) reads, checks, folds
// adapters, quantises and computes the self-test, one piece after another; here are only files.
//
// What is finished stays finished: after each shard a state is saved, from which the same command goes on. Without its
// manifest, which is written last, a folder is no pack.
import { mkdirSync, readdirSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EmbedError } from "../errors.js";
import type { RetryPolicy } from "../loading/retry.js";
import { transfer } from "../loading/transfer.js";
import { nodeEngineFiles } from "../platform/node/engine-files.js";
import type { DType, Tower } from "../shared/engine-types.js";
import { chunkBytes } from "../shared/limits.js";
import { converterUrls } from "./assets.js";
import { Converter, type FinishedTensor, type PackConversation } from "./converter.js";
import {
  ConvertError,
  diskError,
  isPartial,
  NewFile,
  writeToDisk,
  writeWhole,
  type FileEntry,
  type Write,
} from "./disk.js";
import { formatVersion, removeOldPack, signedManifest } from "./manifest.js";
import { planShards, type PlannedShard } from "./shards.js";
import { openConvertSource, readJson, readRange, type ConvertSource } from "./source.js";
import { loadState, removeState, saveState, stateName, type ConvertState } from "./state.js";

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
  /** A folder, or the address of one. */
  readonly source: string;
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
  const source = await openConvertSource(options.source, options.retry);
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
  #shards: PlannedShard[] = [];
  #entries: FileEntry[] = [];
  #resumedBytes = 0;
  #file: NewFile | undefined;
  /** Tensors of the current shard that are written. */
  #written = 0;

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
    const converter = await this.#startConverter();
    try {
      const selfTest = await this.#convert(converter, state).catch((error: unknown) => {
        // A state that the core or the plan does not take: from the beginning, once.
        if (!(error instanceof StateRefused)) throw error;
        state = undefined;
        return this.#convert(converter, state);
      });
      return await this.#finish(selfTest, state?.shards.length ?? 0);
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
    const base =
      wasmFolder === undefined ? undefined : pathToFileURL(`${resolve(wasmFolder)}/`).href;
    return Converter.start({
      ...converterUrls(this.#threads, base),
      threads: this.#threads,
      files: nodeEngineFiles(),
      onLost: lost,
    });
  }

  async #convert(converter: Converter, state: ConvertState | undefined): Promise<unknown> {
    const { open } = this.#source;
    const options = {
      text: this.#towers.includes("text"),
      vision: this.#towers.includes("vision"),
      dtype: this.#dtype,
      threads: this.#threads,
    };
    this.#shards = [];
    this.#entries = [...(state?.shards ?? [])];
    this.#written = 0;
    let conversation: PackConversation;
    try {
      conversation = converter.begin(options, open.files, state?.core);
    } catch (error) {
      throw state ? new StateRefused() : error;
    }
    try {
      const demand = { ...conversation, commit: () => this.#commit(conversation, state) };
      await transfer(open, demand, (pointer, piece) => converter.heap.copyIn(pointer, piece));
      if (!conversation.done() || this.#entries.length < this.#shards.length)
        throw new EmbedError("internal", "not everything was read");
      return conversation.selfTest();
    } finally {
      conversation.dispose();
    }
  }

  #commit(conversation: PackConversation, state: ConvertState | undefined): void {
    try {
      conversation.commit();
    } catch (error) {
      // Before the first tensor, only a state can be an invalid argument.
      throw state &&
        this.#shards.length === 0 &&
        error instanceof EmbedError &&
        error.code === "invalid-argument"
        ? new StateRefused()
        : error;
    }
    if (this.#shards.length === 0) this.#plan(conversation, state);
    const total = conversation.totalBytes();
    if (total > 0) {
      if (this.#resumedBytes === 0 && state) this.#resumedBytes = conversation.readBytes();
      this.#checkParameters();
    }
    const finished = conversation.tensors();
    for (const tensor of finished) this.#take(tensor);
    const last = this.#shards[this.#entries.length - 1];
    if (finished.length > 0 && this.#written === 0 && last?.complete)
      saveState(
        this.#folder,
        { identity: this.#identity, shards: this.#entries, core: conversation.saveState() },
        this.#write,
      );
    this.#options.onProgress?.({
      total,
      done: conversation.readBytes(),
      resumed: this.#resumedBytes,
      file: this.#shards[this.#entries.length]?.path ?? "",
    });
  }

  #plan(conversation: PackConversation, state: ConvertState | undefined): void {
    const tensors = conversation.plan();
    if (tensors.length === 0) return;
    this.#shards = planShards(tensors);
    if (
      state?.shards.some(
        ({ path, bytes }, i) => this.#shards[i]?.path !== path || this.#shards[i]?.bytes !== bytes,
      )
    )
      throw new StateRefused();
    const wanted = this.#shards
      .slice(this.#entries.length)
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
    const { modelId, parameters = knownParameters[modelId ?? ""] } = this.#options;
    if (parameters !== undefined && parameters !== this.#source.parameters)
      throw new EmbedError(
        "corrupt-model",
        `model.safetensors: ${this.#source.parameters} parameters, ${parameters} expected`,
      );
  }

  #take(tensor: FinishedTensor): void {
    const shard = this.#shards[this.#entries.length];
    const planned = shard?.tensors[this.#written];
    if (!shard || planned?.name !== tensor.name || planned.bytes !== tensor.bytes)
      throw new EmbedError(
        "internal",
        `tensor ${tensor.name} came where ${planned?.name ?? "none"} was planned`,
      );
    if (this.#written === 0) {
      this.#file = new NewFile(this.#folder, shard.path, this.#write);
      this.#file.add(shard.head);
    }
    for (const piece of tensor.pieces()) this.#file?.add(piece);
    if (++this.#written < shard.tensors.length || !this.#file) return;
    this.#entries.push(this.#file.finish());
    this.#file = undefined;
    this.#written = 0;
  }

  async #finish(selfTest: unknown, resumedShards: number): Promise<ConvertResult> {
    const {
      modelId = this.#source.name,
      revision = "unknown",
      license = "unknown",
    } = this.#options;
    const { open } = this.#source;
    const config = await readJson(open, "config.json");
    const preprocessor = await readJson(open, "preprocessor_config.json");
    const tokenizer = this.#towers.includes("text") ? await this.#copyTokenizer() : undefined;
    const shards = this.#entries.map((entry, i) => ({
      tower: this.#shards[i]?.tower,
      ...entry,
      tensors: this.#shards[i]?.tensors.map(({ name }) => name),
    }));
    const text = signedManifest({
      formatVersion,
      modelId,
      revision,
      license,
      dtype: this.#dtype,
      config,
      preprocessor,
      selfTest,
      ...(tokenizer ? { tokenizer } : {}),
      shards,
    });
    const files = [...(tokenizer ? [tokenizer] : []), ...this.#entries].map(({ path, bytes }) => ({
      path,
      bytes,
    }));
    const manifest = writeWhole(this.#folder, "manifest.json", [text], this.#write);
    removeState(this.#folder);
    const { minCosine, reached } = selfTest as ConvertResult["selfTest"];
    return {
      files: [{ path: manifest.path, bytes: manifest.bytes }, ...files],
      resumedShards,
      parameters: this.#source.parameters,
      selfTest: { minCosine, reached },
    };
  }

  async #copyTokenizer(): Promise<FileEntry> {
    const { open } = this.#source;
    // The order in which the core looks for it.
    const from = ["tokenizer.json", "sentencepiece.bpe.model"]
      .map((path) => open.files.find((file) => file.path === path))
      .find((file) => file);
    if (!from) throw new EmbedError("internal", "the tokenizer has gone");
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
    for (const name of [
      stateName,
      ...this.#shards.map((shard) => shard.path),
      ...this.#entries.map((entry) => entry.path),
    ])
      rmSync(join(this.#folder, name), { force: true });
  }
}

class StateRefused extends Error {}
