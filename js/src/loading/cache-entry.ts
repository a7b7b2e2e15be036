// The kept copies of one model: reading, writing, and what goes when a newer one is complete.
import type { Tower } from "../shared/engine-types.js";
import type { ModelStore, StoredFile } from "../shared/store.js";
import {
  completeTowers,
  content,
  nameOf,
  readAccount,
  readAccounts,
  removeAccount,
  removeOldLayout,
  sizesOf,
  sweep,
  usable,
  writeAccount,
  type Account,
  type Version,
} from "./cache-accounts.js";
import type { ManifestFile } from "../shared/model-files.js";
import type { ModelKey } from "./model-key.js";
import { sameBytes } from "./sha256.js";

/** Addresses that are remembered for one and the same content. */
const addressesOfOne = 8;

export class CacheEntry {
  readonly #store: ModelStore;
  readonly #key: ModelKey;
  #account: Account | undefined;
  /** A version was noted since the last settling. */
  #noted = false;

  private constructor(store: ModelStore, key: ModelKey, account: Account | undefined) {
    this.#store = store;
    this.#key = key;
    this.#account = account;
  }

  static async of(store: ModelStore, key: ModelKey): Promise<CacheEntry> {
    return new CacheEntry(store, key, await readAccount(store, key.name));
  }

  /** Newest first. */
  get versions(): readonly Version[] {
    return this.#account?.versions ?? [];
  }

  /** The newest version that has all files of these towers. */
  async complete(towers: readonly Tower[]): Promise<Version | undefined> {
    for (const version of this.versions) {
      const wanted = version.files.filter(({ tower }) => towers.includes(tower));
      const sizes = await this.sizes(wanted);
      if (wanted.length > 0 && wanted.every((file) => sizes.get(file) === file.byteLength))
        return version;
    }
    return undefined;
  }

  /** Notes that this version is the newest. Errors: those of the store. */
  async note(version: Version): Promise<void> {
    const before = this.versions;
    if (before[0] && sameBytes(before[0].manifest, version.manifest)) return;
    if (before.length === 0) await removeOldLayout(this.#store);
    const others = before.filter(({ manifest }) => !sameBytes(manifest, version.manifest));
    await this.#write({ versions: [version, ...others] });
    this.#noted = true;
  }

  /** Bytes of each file that are there. */
  sizes(files: readonly ManifestFile[]): Promise<Map<ManifestFile, number>> {
    return sizesOf(this.#store, files);
  }

  /** Opens a file for reading its first `keep` bytes and adding the rest. Nothing when this load has to do without. */
  async open(file: ManifestFile, keep = file.byteLength): Promise<StoredFile | undefined> {
    const name = await nameOf(file);
    if (name === undefined) return undefined;
    return this.#store.open(content, name, file.byteLength, (size) =>
      Math.min(keep, usable(file, size)),
    );
  }

  /** Writes a whole file, unless it is there. Errors: those of the store. */
  async write(file: ManifestFile, bytes: Uint8Array): Promise<void> {
    const stored = await this.open(file);
    if (!stored) throw new Error(`${file.path}: another load writes it`);
    try {
      if (stored.size < bytes.length) stored.append(bytes.subarray(stored.size));
    } finally {
      await stored.close();
    }
  }

  /**
   * A load has ended well. Lets go of older versions that newer ones make up for, of the copy of another address that the
   * model's releases have left behind, and of files that nobody speaks of any more.
   */
  async settle(): Promise<void> {
    if (!this.#account) return;
    const accounts = await readAccounts(this.#store);
    const others = [...accounts].filter(
      ([name, { versions }]) =>
        name !== this.#key.name && isSameModel(versions[0], this.versions[0]),
    );
    if (!this.#noted && others.length === 0 && this.versions.length === 1) return;
    this.#noted = false;
    const before = [...(await this.#store.files(content)).keys()];
    const stays = await this.#withoutOld();
    const uses =
      others.length > 0
        ? [
            ...this.#account.uses,
            1 + Math.max(0, ...[...accounts.values()].flatMap((account) => account.uses)),
          ].slice(-2)
        : this.#account.uses;
    if (stays.length < this.versions.length || others.length > 0)
      await this.#write({ versions: stays, uses });
    for (const name of leftBehind(this.#account, others)) {
      await removeAccount(this.#store, name);
      accounts.delete(name);
    }
    await sweep(
      this.#store,
      before,
      [...accounts]
        .filter(([name]) => name !== this.#key.name)
        .map(([, account]) => account)
        .concat(this.#account),
    );
  }

  // A version stays as long as it has a tower that no newer one has.
  async #withoutOld(): Promise<readonly Version[]> {
    const covered = new Set<Tower>();
    const stays: Version[] = [];
    for (const version of this.versions) {
      const whole = completeTowers(version.files, await this.sizes(version.files));
      if (stays.length === 0 || [...whole].some((tower) => !covered.has(tower)))
        stays.push(version);
      for (const tower of whole) covered.add(tower);
    }
    return stays;
  }

  async #write(change: Partial<Account>): Promise<void> {
    const account = {
      model: this.#key.shown,
      versions: this.versions,
      uses: this.#account?.uses ?? [],
      ...change,
    };
    await writeAccount(this.#store, this.#key.name, account);
    this.#account = account;
  }
}

const isSameModel = (a: Version | undefined, b: Version | undefined) =>
  a !== undefined &&
  a.about.modelId !== "" &&
  a.about.modelId === b?.about.modelId &&
  a.about.dtype === b.about.dtype;

// Releases at new addresses: what two loads in a row of `account` did without goes. Addresses of the same content cost next to
// nothing; of them some stay.
function leftBehind({ versions, uses }: Account, others: readonly [string, Account][]): string[] {
  const last = (account: Account) => account.uses.at(-1) ?? 0;
  const isSame = ([, other]: readonly [string, Account]) =>
    other.versions[0] && versions[0] && sameBytes(other.versions[0].manifest, versions[0].manifest);
  const same = others
    .filter(isSame)
    .sort(([, a], [, b]) => last(b) - last(a))
    .slice(addressesOfOne - 1);
  const old = others.filter(
    (other) => !isSame(other) && uses.length === 2 && last(other[1]) < (uses[0] ?? 0),
  );
  return [...same, ...old].map(([name]) => name);
}
