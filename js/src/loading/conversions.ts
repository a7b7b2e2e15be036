// Conversions that are under way, or were cut short: beside the accounts of the cache, a folder "conversions" with a file for each.
// It holds what was finished, as files of the folder "content", and what another load needs to go on. Such a file is one line of
// JSON and the bytes of the core's own state.
import type { DType } from "../shared/engine-types.js";
import type { ManifestFile } from "../shared/model-files.js";
import type { ModelStore } from "../shared/store.js";
import type { HubState } from "./hub-source.js";
import { hexSha256 } from "./sha256.js";

const folder = "conversions";
const version = 1;

export interface ConversionRecord {
  /** The model, for people. */
  readonly model: string;
  readonly modelId: string;
  readonly revision: string;
  readonly license: string;
  readonly dtype: DType;
  /** Source, options and format; another conversion has another. */
  readonly identity: string;
  /** Shards that are finished, in order, and the tokenizer if it is there. */
  readonly files: readonly ManifestFile[];
  /** Bytes of the whole pack. */
  readonly totalBytes: number;
  /** Of the download. */
  readonly source: HubState;
}

export interface Conversion extends ConversionRecord {
  readonly core: Uint8Array;
}

/** Where the bytes of its download lie. */
export const downloadFolder = (name: string): string => `download-${name}`;

/** `name`: of the model's account. Nothing for a record that is damaged or not whole. */
export async function readConversion(
  store: ModelStore,
  name: string,
): Promise<Conversion | undefined> {
  try {
    const bytes = await store.readWhole(folder, name);
    if (!bytes) return undefined;
    const end = bytes.indexOf(10);
    const {
      version: given,
      coreSha256,
      ...record
    } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as ConversionRecord & {
      version: number;
      coreSha256: string;
    };
    const core = bytes.slice(end + 1);
    if (given !== version || (await hexSha256(core)) !== coreSha256) return undefined;
    return { ...record, core };
  } catch {
    return undefined;
  }
}

/** Errors: those of the store. */
export async function writeConversion(
  store: ModelStore,
  name: string,
  { core, ...record }: Conversion,
): Promise<void> {
  const line = JSON.stringify({ version, ...record, coreSha256: await hexSha256(core) });
  const head = new TextEncoder().encode(`${line}\n`);
  const bytes = new Uint8Array(head.length + core.length);
  bytes.set(head);
  bytes.set(core, head.length);
  await store.writeWhole(folder, name, bytes);
}

/** Its record and its download; what it finished stays for `sweep`. Whether there was one. Errors: those of the store. */
export async function removeConversion(store: ModelStore, name: string): Promise<boolean> {
  const download = await store.remove(downloadFolder(name));
  return (await store.remove(folder, name)) || download;
}

/** Errors: those of the store. */
export async function readConversions(store: ModelStore): Promise<Map<string, Conversion>> {
  const all = new Map<string, Conversion>();
  for (const name of (await store.files(folder)).keys()) {
    const conversion = await readConversion(store, name);
    if (conversion) all.set(name, conversion);
  }
  return all;
}

/** Bytes of its download that are there. Errors: those of the store. */
export async function downloadedBytes(store: ModelStore, name: string): Promise<number> {
  let bytes = 0;
  for (const size of (await store.files(downloadFolder(name))).values()) bytes += size;
  return bytes;
}
