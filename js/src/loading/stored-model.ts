// One model in the cache: a folder whose name comes from the model's address, with model.json (the address and the manifest
// as it came) and the files of the pack, each named by the hashes that the manifest gives for it. So a file of another
// version is another file, and the bytes of two versions never meet. Nothing here is trusted: the engine verifies what it is
// given, from wherever it comes. A file may end early; it grows in one direction, so its whole chunks are good.
import type { ModelStore, StoredFile } from "../shared/store.js";
import { chunkBytes, filesOfManifest, type ManifestFile } from "./model-files.js";

const aboutName = "model.json";

export interface AboutModel {
  /** Address of the folder, or of the manifest when each file has its own. */
  readonly model: string;
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly files: readonly ManifestFile[];
}

export class StoredModel {
  readonly address: string;
  readonly #store: ModelStore;
  readonly #folder: string;
  readonly #names = new Map<ManifestFile, string | undefined>();

  private constructor(store: ModelStore, address: string, folder: string) {
    this.#store = store;
    this.address = address;
    this.#folder = folder;
  }

  static async of(store: ModelStore, address: string): Promise<StoredModel> {
    return new StoredModel(store, address, await folderOf(address));
  }

  /** The model as it was stored, if its manifest is whole. */
  about(): Promise<AboutModel | undefined> {
    return readAbout(this.#store, this.#folder);
  }

  /** Notes the manifest, and forgets files of other versions. */
  async describe(manifest: Uint8Array, files: readonly ManifestFile[]): Promise<void> {
    const before = await this.about();
    if (before && sameBytes(before.manifest, manifest)) return;
    const text = JSON.stringify({ model: this.address, manifest: new TextDecoder().decode(manifest) });
    await this.#store.writeWhole(this.#folder, aboutName, new TextEncoder().encode(text));
    const names = new Set([aboutName, ...(await Promise.all(files.map((file) => this.#nameOf(file))))]);
    for (const name of (await this.#store.files(this.#folder)).keys()) {
      if (!names.has(name)) await this.#store.remove(this.#folder, name).catch(() => {}); // in use: another time
    }
  }

  /** Bytes of each file that are there. */
  async sizes(files: readonly ManifestFile[]): Promise<Map<ManifestFile, number>> {
    const there = await this.#store.files(this.#folder);
    return new Map(await Promise.all(files.map(async (file) => [file, usable(file, there.get((await this.#nameOf(file)) ?? "") ?? 0)] as const)));
  }

  /** Opens a file for reading its first `keep` bytes and adding the rest. Nothing when this load has to do without. */
  async open(file: ManifestFile, keep = file.byteLength): Promise<StoredFile | undefined> {
    const name = await this.#nameOf(file);
    if (name === undefined) return undefined;
    return this.#store.open(this.#folder, name, file.byteLength, (size) => Math.min(keep, usable(file, size))).catch(() => undefined);
  }

  async #nameOf(file: ManifestFile): Promise<string | undefined> {
    const name = this.#names.get(file) ?? (await nameOf(file));
    this.#names.set(file, name);
    return name;
  }
}

/** A damaged or half-written account of a model is as good as none. */
export async function readAbout(store: ModelStore, folder: string): Promise<AboutModel | undefined> {
  try {
    const bytes = await store.readWhole(folder, aboutName);
    if (!bytes) return undefined;
    const about = JSON.parse(new TextDecoder().decode(bytes)) as { model: string; manifest: string };
    const manifest = new TextEncoder().encode(about.manifest);
    if ((await folderOf(about.model)) !== folder || !(await isWhole(manifest))) return undefined;
    return { model: about.model, manifest, files: filesOfManifest(about.manifest, about.model) };
  } catch {
    return undefined;
  }
}

/** Bytes that a file of this length may be relied on to hold: all, or whole chunks. */
export function usable(file: { readonly byteLength: number }, bytes: number): number {
  return bytes >= file.byteLength ? file.byteLength : bytes - (bytes % chunkBytes);
}

/** Nothing for a file without hashes: it could not be told from another version. */
export async function nameOf(file: ManifestFile): Promise<string | undefined> {
  return file.sha256 && sha256([file.byteLength, ...file.sha256].join("\n"));
}

export const folderOf = async (address: string): Promise<string> => (await sha256(address)).slice(0, 32);

/**
 * Whether a manifest's own hash fits: the file ends with 64 digits and `"␊}␊`, and the digits are
 * the hash of what is before them (docs/FORMAT.md).
 */
export async function isWhole(manifest: Uint8Array): Promise<boolean> {
  const end = new TextDecoder().decode(manifest.subarray(-68));
  if (manifest.length < 68 || !/^[0-9a-f]{64}"\n\}\n$/.test(end)) return false;
  return (await sha256(manifest.subarray(0, -68))) === end.slice(0, 64);
}

async function sha256(data: string | Uint8Array): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : (data as Uint8Array<ArrayBuffer>);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
