// A model on a hub as a pack: the one that was kept, or one that is made while it is read. The download is converted as it comes; each
// shard goes to the engine and into the cache, and what was cut short goes on where it was. Reasons:
// docs/decisions/0017-a-pack-made-while-it-streams.md.
import { EmbedError } from "../../errors.js";
import { versionFrom } from "../../loading/cache-accounts.js";
import { CacheEntry } from "../../loading/cache-entry.js";
import { deleteCachedModel } from "../../loading/cached-models.js";
import {
  downloadFolder,
  readConversion,
  removeConversion,
  writeConversion,
  type Conversion,
} from "../../loading/conversions.js";
import { openHubSource, type HubSource, type HubSourceOptions } from "../../loading/hub-source.js";
import { Journal, storedPlace } from "../../loading/journal.js";
import { hubKeyOf, type ModelKey } from "../../loading/model-key.js";
import type { DType, Tower } from "../../shared/engine-types.js";
import type { HubAddress } from "../../shared/hub-address.js";
import { manifestName, type ManifestFile } from "../../shared/model-files.js";
import { reasonOf } from "../../shared/reason.js";
import type { OpenSource, SourceFile, Take } from "../../shared/source.js";
import type { ModelStore } from "../../shared/store.js";
import type { Converter } from "./converter.js";
import { KeptPack } from "./kept-pack.js";
import { Making, type DownloadProgress, type Keeper } from "./making.js";
import { formatVersion } from "./manifest.js";
import { StateRefused, type FileEntry, type PackState } from "./pack-maker.js";

export interface HubPackOptions extends HubSourceOptions {
  /** Left out: nothing is kept. */
  readonly store?: ModelStore | undefined;
  readonly dtype: DType;
  readonly towers: readonly Tower[];
  readonly startConverter: () => Promise<Converter>;
  /** Runs the self-test of a pack that was just made in the engine that has loaded it. Its errors end the load; nothing is kept then. */
  readonly test: (selfTest: unknown) => void | Promise<void>;
  /** Hears, once, why the model is not kept. */
  readonly onNotKept: (why: string) => void;
  readonly onDownload: (progress: DownloadProgress) => void;
}

/** Errors: EmbedError. */
export async function openHubPack(hub: HubAddress, options: HubPackOptions): Promise<HubPack> {
  const pack = new HubPack(hub, options);
  try {
    await pack.list();
  } catch (error) {
    await pack.close();
    throw error;
  }
  return pack;
}

/** Codes of errors after which what was made is no good. */
const fatal: ReadonlySet<string> = new Set([
  "corrupt-model",
  "unsupported-model",
  "unsupported-version",
  "internal",
]);
const codeOf = (error: unknown) => (error instanceof EmbedError ? error.code : "");

const nothing = new Uint8Array(0);

/** The cache's place for this pack. */
interface Place {
  readonly store: ModelStore;
  readonly key: ModelKey;
  readonly account: CacheEntry;
}

export class HubPack implements OpenSource {
  files: readonly SourceFile[] = [];
  readonly failureCode = "network";
  readonly #hub: HubAddress;
  readonly #options: HubPackOptions;
  /** Nothing, or nothing any more: the pack is not kept. */
  #place: Place | undefined;
  #unlock: (() => void) | undefined;
  #kept: { readonly pack: KeptPack; readonly key: ModelKey } | undefined;
  #making: Making | undefined;
  #license: string | undefined;
  #isSecond = false;

  constructor(hub: HubAddress, options: HubPackOptions) {
    this.#hub = hub;
    this.#options = options;
  }

  /** Whether the engine gets a pack that is not finished. */
  get isUnfinished(): boolean {
    return this.#making !== undefined;
  }

  /** SPDX identifier of the licence of the weights, once it is known. */
  get license(): string | undefined {
    return this.#license;
  }

  async list(): Promise<void> {
    const { store } = this.#options;
    if (store) {
      try {
        if (await this.#takeKept(store)) return;
        await this.#lock(store);
        // Another tab may have made it meanwhile.
        if (await this.#takeKept(store)) return this.#letGo();
      } catch (error) {
        this.#notKept(error);
      }
    }
    await this.#make();
  }

  read(file: SourceFile, offset: number, length: number, take: Take): Promise<void> {
    const from = this.#making ?? this.#kept?.pack;
    if (!from) throw new EmbedError("internal", "a read of a model that is not open");
    return from.read(file, offset, length, take);
  }

  /** What an earlier load kept or left is damaged: it is made anew, once. */
  async otherwise(error: unknown): Promise<boolean> {
    const { store } = this.#options;
    const kept = this.#kept;
    if (!fatal.has(codeOf(error))) return false;
    const isOld = kept !== undefined || this.#making?.isResumed === true;
    this.#kept = undefined;
    await kept?.pack.close();
    await this.#discard(error);
    if (!store || !isOld || this.#isSecond) return false;
    this.#isSecond = true;
    try {
      if (kept) await deleteCachedModel(store, kept.key);
      await this.#lock(store);
    } catch (problem) {
      this.#notKept(problem);
    }
    await this.#make();
    return true;
  }

  /** The engine has the whole pack: verifies the download, tests the engine, and keeps the pack. */
  async finished(): Promise<void> {
    const making = this.#making;
    if (!making) return;
    const { manifest, selfTest } = await making.finish();
    await this.#options.test(selfTest);
    await this.#keep(making, manifest);
  }

  async close(): Promise<void> {
    await this.#kept?.pack.close();
    await this.#making?.close();
    this.#letGo();
  }

  async #lock(store: ModelStore): Promise<void> {
    const { dtype, towers } = this.#options;
    const key = await hubKeyOf(this.#hub, dtype, towers);
    this.#unlock ??= await store.lock(`convert-${key.name}`);
    this.#place = { store, key, account: await CacheEntry.of(store, key) };
  }

  async #takeKept(store: ModelStore): Promise<boolean> {
    const { dtype, towers } = this.#options;
    // A pack of both towers serves for one of them.
    for (const choice of [towers, ["text", "vision"] as const]) {
      const key = await hubKeyOf(this.#hub, dtype, choice);
      const account = await CacheEntry.of(store, key);
      const version = await account.complete(towers);
      if (!version) continue;
      const pack = new KeptPack(account, version);
      this.#kept = { pack, key };
      this.#license = version.about.license;
      this.files = pack.files;
      return true;
    }
    return false;
  }

  async #make(): Promise<void> {
    const { dtype, towers, startConverter } = this.#options;
    const source = await openHubSource(this.#hub, this.#options);
    this.#license = source.revision.license;
    const identity = JSON.stringify([source.identity, dtype, [...towers].sort(), formatVersion]);
    try {
      const converter = await startConverter();
      source.hashWith(converter.hashBlocks);
      const begin = async (state: Conversion | undefined) => {
        this.#making = new Making({
          source,
          converter,
          dtype,
          towers,
          state: state && { shards: shardsOf(state), core: state.core },
          keeper: this.#place && this.#keeper(identity),
          onDownload: this.#options.onDownload,
        });
        await this.#making.plan();
        return this.#making;
      };
      const making = await begin(await this.#resume(source, identity)).catch(
        async (error: unknown) => {
          if (!(error instanceof StateRefused)) throw error;
          this.#making?.maker.dispose();
          await this.#resume(source, identity, true);
          return begin(undefined);
        },
      );
      this.files = making.files;
    } catch (error) {
      await source.close();
      await this.#discard(error);
      throw error;
    }
  }

  // What an earlier load of the same model left, and where this one writes. `isRefused`: what it converted is no good.
  async #resume(
    source: HubSource,
    identity: string,
    isRefused = false,
  ): Promise<Conversion | undefined> {
    if (!this.#place) return undefined;
    const { store, key, account } = this.#place;
    try {
      const found = await readConversion(store, key.name);
      const sizes = found && (await account.sizes(found.files));
      const isGood =
        !isRefused &&
        found?.identity === identity &&
        found.files.every((file) => sizes?.get(file) === file.byteLength);
      const journal = new Journal(storedPlace(store, downloadFolder(key.name)), (why) =>
        this.#notKept(why),
      );
      const good = isGood ? found : undefined;
      await source.keepIn(journal, good?.source);
      if (!good) await this.#record(source, identity, { shards: [], core: nothing });
      return good;
    } catch (error) {
      if (codeOf(error) === "network") throw error;
      if (error instanceof EmbedError && !isRefused) {
        await this.#forget(this.#place);
        return this.#resume(source, identity, true);
      }
      this.#notKept(error);
      await source.keepIn(new Journal(), undefined);
      return undefined;
    }
  }

  #keeper(identity: string): Keeper {
    // A disk that is full ends the keeping, not the load.
    const ifKept = async <T>(action: (place: Place) => Promise<T>): Promise<T | undefined> => {
      try {
        return this.#place && (await action(this.#place));
      } catch (error) {
        this.#notKept(error);
        return undefined;
      }
    };
    return {
      keep: (entry, bytes) => ifKept(({ account }) => account.write(fileOf(entry), bytes)),
      saved: (making) =>
        ifKept(async () => {
          await this.#record(making.source, identity, making.maker.saveState(), making);
          await making.source.release();
        }),
      read: (entry, offset, length) =>
        ifKept(async ({ account }) => {
          const stored = await account.open(fileOf(entry));
          try {
            return (await stored?.read(offset, length))?.slice();
          } finally {
            await stored?.close();
          }
        }),
    };
  }

  // Errors: those of the store.
  async #record(
    source: HubSource,
    identity: string,
    { shards, core }: PackState,
    making?: Making,
  ): Promise<void> {
    if (!this.#place) return;
    const { store, key } = this.#place;
    const { revision } = source;
    await writeConversion(store, key.name, {
      model: key.shown,
      modelId: this.#hub.repo,
      revision: revision.commit,
      license: revision.license,
      dtype: this.#options.dtype,
      identity,
      files: [...(making?.smallEntries ?? []), ...shards].map(fileOf),
      totalBytes: making?.totalBytes ?? source.byteLength,
      source: source.save(),
      core,
    });
  }

  async #keep(making: Making, manifest: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.#place) return;
    const { store, key, account } = this.#place;
    try {
      await account.note(versionFrom(manifest, manifestName));
      await making.close();
      await removeConversion(store, key.name);
      await account.settle();
    } catch (error) {
      this.#notKept(error);
    }
    this.#letGo();
  }

  // Nobody goes on with what the model's own fault has ended.
  async #discard(error: unknown): Promise<void> {
    await this.#making?.close();
    this.#making = undefined;
    if (this.#place && fatal.has(codeOf(error))) await this.#forget(this.#place).catch(() => {});
    this.#letGo();
  }

  async #forget({ store, key }: Place): Promise<void> {
    await deleteCachedModel(store, key);
    await removeConversion(store, key.name);
  }

  #notKept(why: unknown): undefined {
    if (this.#place ?? !this.#making) this.#options.onNotKept(reasonOf(why));
    this.#place = undefined;
    this.#letGo();
  }

  #letGo(): void {
    this.#unlock?.();
    this.#unlock = undefined;
  }
}

// The account's and the converter's words for a file.
const fileOf = ({ path, bytes, sha256 }: FileEntry): ManifestFile => ({
  path,
  byteLength: bytes,
  sha256,
  tower: path.startsWith("vision") ? "vision" : "text",
});
const shardsOf = ({ files }: Conversion): FileEntry[] =>
  files
    .filter(({ path }) => path.endsWith(".safetensors"))
    .map(({ path, byteLength, sha256 = [] }) => ({ path, bytes: byteLength, sha256 }));
