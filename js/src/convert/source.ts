// The checkpoint that is converted: a folder or the address of one, its small files, and what tells it from another.
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EmbedError } from "../errors.js";
import { defaultRetryPolicy, type RetryPolicy } from "../loading/retry.js";
import { HttpReader } from "../loading/http-reader.js";
import { openHubSource, type HubState } from "../loading/hub-source.js";
import type { HashBlocks } from "../loading/incremental-sha256.js";
import { Journal, storedPlace } from "../loading/journal.js";
import { addressOf } from "../loading/model-key.js";
import { openUrlSource } from "../loading/url-source.js";
import { folderAddress } from "../platform/client/addresses.js";
import { nodeStore } from "../platform/node/store.js";
import { openPath } from "../platform/node/worker.js";
import { isHubName, parseHubName } from "../shared/hub-address.js";
import type { OpenSource } from "../shared/source.js";
import { reasonOf } from "../shared/reason.js";
import { ConvertError } from "./disk.js";
import { defaultHubCache, findInHubCache } from "./hub-cache.js";
import { downloadFolder } from "./state.js";

const tensorFile = "model.safetensors";
const smallFileBytes = 64 << 20;
const headerBytes = 16 << 20;

export interface ConvertSource {
  readonly open: OpenSource;
  /** For people: the last part of its address. */
  readonly name: string;
  /** The folder, for sources on disk. */
  readonly folder?: string;
  /** What a hub says of it, and the commit. */
  readonly modelId?: string;
  readonly revision?: string;
  readonly license?: string;
  /** Hash over the sizes of its files, the small ones whole, and the header of the tensors; over dates where there are any. */
  readonly identity: string;
  /** Numbers in model.safetensors, single ones left out, as model hubs count; 0 when its header cannot be read, which the core will say. */
  readonly parameters: number;
  /** Of downloads that can be continued. What came is kept in the pack's folder, from `state` of an earlier run on. */
  resume?(folder: string, state: unknown): Promise<void>;
  /** Hashes what comes faster from now on. */
  hashWith?(hashBlocks: HashBlocks): void;
  /** What `resume` takes. */
  save?(): unknown;
  /** Lets go of what is not needed after the last `save`. */
  release?(): Promise<void>;
}

export interface ConvertAddress {
  /** A path, an http:, https: or file: URL of the folder, or "hf:OWNER/NAME". */
  readonly source: string;
  readonly endpoint?: string | undefined;
  readonly token?: string | undefined;
  readonly hubCache?: string | undefined;
  readonly retry?: RetryPolicy | undefined;
}

interface Opened extends Omit<ConvertSource, "identity" | "parameters"> {
  /** What else tells it from another. */
  readonly date: string;
}

/** Errors: EmbedError "network" or "unreadable". */
export async function openConvertSource(address: ConvertAddress): Promise<ConvertSource> {
  const { date, ...opened } = isHubName(address.source)
    ? await openHub(address)
    : await openAddress(address.source, address.retry ?? defaultRetryPolicy);
  const { open } = opened;
  try {
    const hash = createHash("sha256");
    for (const { path, byteLength } of [...open.files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
      if (!/^[\w-][\w.-]*$/.test(path)) continue; // of subfolders nothing is read
      hash.update(`${path}\0${byteLength}\0`);
      if (byteLength <= smallFileBytes && /\.(json|model)$/.test(path))
        hash.update((await readFile(open, path)) ?? "");
    }
    const header = await readHeader(open);
    hash.update(header).update(date);
    return { ...opened, identity: hash.digest("hex"), parameters: countParameters(header) };
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function openHub(address: ConvertAddress): Promise<Opened> {
  const parsed = parseHubName(address.source);
  if (!parsed)
    throw new ConvertError(
      "usage",
      `${address.source}: "hf:OWNER/NAME" or "hf:OWNER/NAME@REVISION" is expected`,
    );
  const { repo, revision } = parsed;
  const found = findInHubCache(address.hubCache ?? defaultHubCache(), repo, revision);
  if (found) {
    const open = await openPath(found.folder);
    return { open, name: repo, modelId: repo, revision: found.commit, date: found.commit };
  }
  const hub = { ...parsed, ...(address.endpoint ? { endpoint: address.endpoint } : {}) };
  const open = await openHubSource(hub, { token: address.token, retry: address.retry });
  return {
    open,
    name: repo,
    modelId: repo,
    revision: open.revision.commit,
    license: open.revision.license,
    date: open.identity,
    resume: (folder, state) => {
      const place = storedPlace(nodeStore(folder), downloadFolder);
      return open.keepIn(new Journal(place), state as HubState | undefined);
    },
    hashWith: (hashBlocks) => open.hashWith(hashBlocks),
    save: () => open.save(),
    release: () => open.release(),
  };
}

async function openAddress(address: string, retry: RetryPolicy): Promise<Opened> {
  if (/^https?:/i.test(address)) {
    const folder = folderAddress(new URL(address));
    const open = await openUrlSource(folder, { retry });
    const date = await new HttpReader({ retry })
      .version(addressOf(folder, tensorFile) ?? "")
      .catch(() => "");
    const { pathname, hostname } = new URL(folder);
    return { open, name: decodeURIComponent(pathname.split("/").at(-2) || hostname), date };
  }
  const folder = /^file:/i.test(address) ? fileURLToPath(address) : resolve(address);
  const open = await openPath(folder);
  let date = "";
  try {
    date = String(statSync(join(folder, tensorFile)).mtimeMs);
  } catch {
    // The core names what is missing.
  }
  return { open, name: basename(folder), folder, date };
}

/** A small file, whole; undefined when there is none. */
export async function readFile(open: OpenSource, path: string): Promise<Uint8Array | undefined> {
  const file = open.files.find((entry) => entry.path === path);
  return file && file.byteLength <= smallFileBytes
    ? readRange(open, path, 0, file.byteLength)
    : undefined;
}

export async function readJson(open: OpenSource, path: string): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(await readFile(open, path)));
  } catch (cause) {
    throw new EmbedError("corrupt-model", `${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** A range of a file, whole. */
export async function readRange(
  open: OpenSource,
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const file = open.files.find((entry) => entry.path === path);
  const bytes = new Uint8Array(length);
  let done = 0;
  if (file && length > 0) {
    await open.read(file, offset, length, (piece) => {
      bytes.set(piece, done);
      done += piece.length;
    });
  }
  return bytes;
}

/** The header of model.safetensors without its prefix; empty when there is none that makes sense. */
async function readHeader(open: OpenSource): Promise<Uint8Array> {
  const file = open.files.find((entry) => entry.path === tensorFile);
  if (!file || file.byteLength < 8) return new Uint8Array(0);
  const prefix = await readRange(open, tensorFile, 0, 8);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  return length > headerBytes || 8 + length > file.byteLength
    ? new Uint8Array(0)
    : readRange(open, tensorFile, 8, length);
}

function countParameters(header: Uint8Array): number {
  try {
    const table = JSON.parse(new TextDecoder().decode(header)) as Record<
      string,
      { shape: number[] }
    >;
    const sizes = Object.entries(table).flatMap(([name, { shape }]) =>
      name === "__metadata__" || shape.length === 0
        ? []
        : [shape.reduce((product, size) => product * size, 1)],
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}
