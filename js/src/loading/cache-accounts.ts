// What lies in the cache. The folder "content" holds the files of packs, each named by the hashes that a manifest gives for it:
// a file of another version is another file, the bytes of two versions never meet, and two addresses of one model share one
// copy. The folder "models" holds an account for each address: its manifests, the newest first. Nothing here is trusted: the
// engine verifies what it is given, from wherever it comes. A file may end early; it grows in one direction, so its whole
// chunks are good. Which copies stay: docs/decisions/0012-a-cache-of-content.md.
import type { Tower } from "../shared/engine-types.js";
import type { ModelStore } from "../shared/store.js";
import { chunkBytes } from "../shared/limits.js";
import { filesOfManifest, type ManifestFile } from "../shared/model-files.js";
import { readConversions } from "./conversions.js";
import { isWhole, hexSha256 } from "./sha256.js";

const accounts = "models";
export const content = "content";

/** One manifest of a model, and what it lists. */
export interface Version {
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly files: readonly ManifestFile[];
  readonly about: {
    readonly modelId: string;
    readonly revision: string;
    readonly license: string;
    readonly dtype: string;
  };
}

/** What is known of one address. */
export interface Account {
  /** The address, for people. */
  readonly model: string;
  /** Newest first. More than one while a newer one is not complete. */
  readonly versions: readonly Version[];
  /** Places in the order of loads: of the last two that used it. */
  readonly uses: readonly number[];
}

/** Errors: corrupt-model, from `filesOfManifest`. */
export function versionFrom(manifest: Uint8Array<ArrayBuffer>, where: string): Version {
  const text = new TextDecoder().decode(manifest);
  const files = filesOfManifest(text, where);
  const given = JSON.parse(text) as { readonly [name: string]: unknown };
  const word = (name: string) => (typeof given[name] === "string" ? given[name] : "");
  return {
    manifest,
    files,
    about: {
      modelId: word("modelId"),
      revision: word("revision"),
      license: word("license"),
      dtype: word("dtype"),
    },
  };
}

const fileOf = (name: string) => `${name}.json`;

/** A damaged or half-written account is as good as none. */
export async function readAccount(store: ModelStore, name: string): Promise<Account | undefined> {
  try {
    const bytes = await store.readWhole(accounts, fileOf(name));
    if (!bytes) return undefined;
    const { model, versions, uses } = JSON.parse(new TextDecoder().decode(bytes)) as {
      model: string;
      versions: string[];
      uses: number[];
    };
    const read: Version[] = [];
    for (const text of versions) {
      const manifest = new TextEncoder().encode(text);
      if (await isWhole(manifest)) read.push(versionFrom(manifest, model));
    }
    return read.length > 0
      ? { model: String(model), versions: read, uses: uses.filter(Number.isFinite) }
      : undefined;
  } catch {
    return undefined;
  }
}

export async function writeAccount(
  store: ModelStore,
  name: string,
  { model, versions, uses }: Account,
): Promise<void> {
  const text = JSON.stringify({
    model,
    uses,
    versions: versions.map(({ manifest }) => new TextDecoder().decode(manifest)),
  });
  await store.writeWhole(accounts, fileOf(name), new TextEncoder().encode(text));
}

/** Errors: those of the store. */
export async function readAccounts(store: ModelStore): Promise<Map<string, Account>> {
  const all = new Map<string, Account>();
  for (const file of (await store.files(accounts)).keys()) {
    const name = /^([0-9a-f]{32})\.json$/.exec(file)?.[1];
    const account = name && (await readAccount(store, name));
    if (account) all.set(name, account);
  }
  return all;
}

export const removeAccount = (store: ModelStore, name: string): Promise<boolean> =>
  store.remove(accounts, fileOf(name));

/** Bytes that a file of this length may be relied on to hold: all, or whole chunks. */
export function usable(file: { readonly byteLength: number }, bytes: number): number {
  return bytes >= file.byteLength ? file.byteLength : bytes - (bytes % chunkBytes);
}

const names = new WeakMap<ManifestFile, Promise<string>>();

/** Nothing for a file without hashes: it could not be told from another version. */
export async function nameOf(file: ManifestFile): Promise<string | undefined> {
  if (!file.sha256) return undefined;
  const name = names.get(file) ?? hexSha256([file.byteLength, ...file.sha256].join("\n"));
  names.set(file, name);
  return name;
}

/** Bytes of each file that are there. */
export async function sizesOf(
  store: ModelStore,
  files: readonly ManifestFile[],
): Promise<Map<ManifestFile, number>> {
  const there = await store.files(content);
  return new Map(
    await Promise.all(
      files.map(
        async (file) => [file, usable(file, there.get((await nameOf(file)) ?? "") ?? 0)] as const,
      ),
    ),
  );
}

/** Towers of which nothing is missing. */
export function completeTowers(
  files: readonly ManifestFile[],
  sizes: ReadonlyMap<ManifestFile, number>,
): Set<Tower> {
  const towers = new Set(files.map(({ tower }) => tower));
  for (const file of files) if ((sizes.get(file) ?? 0) < file.byteLength) towers.delete(file.tower);
  return towers;
}

/**
 * Removes files that no account speaks of. What came since `before`, a list of what was there, is kept: its account may
 * be on its way. Files that are in use stay for another time; with `strict` that is an error.
 */
export async function sweep(
  store: ModelStore,
  before: Iterable<string>,
  spared: readonly Account[],
  strict = false,
): Promise<void> {
  const wanted = new Set<string | undefined>();
  const conversions = [...(await readConversions(store)).values()];
  for (const { files } of [...spared.flatMap(({ versions }) => versions), ...conversions])
    for (const file of files) wanted.add(await nameOf(file));
  for (const name of before) {
    if (wanted.has(name)) continue;
    const removed = store.remove(content, name);
    await (strict ? removed : removed.catch(() => {}));
  }
}

/** Folders of a layout before this one: a folder for each address. */
export async function removeOldLayout(store: ModelStore): Promise<void> {
  for (const folder of await store.folders()) {
    if (!/^[0-9a-f]{32}$/.test(folder)) continue;
    if ((await store.files(folder)).has("model.json")) await store.remove(folder).catch(() => {});
  }
}
