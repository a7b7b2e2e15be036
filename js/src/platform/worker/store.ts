// Files that stay, in a browser: the origin's private file system. Written in place, so that what came before a broken-off
// download or the end of the tab is there the next time, and without a copy of the whole in memory; the reasons for it and
// against the Cache API are in docs/decisions/0006-cache-in-the-private-file-system.md.
//
// A file is written by one load at a time: it holds a lock of the origin for as long. Pages may only list and remove; opening
// and writing is for workers.
import type { ModelStore, StoredFile } from "../../shared/store.js";

const rootName = "clipglot-models";
/** A load that fills a file and adds nothing for so long is not waited for. */
const patience = 4000;
/** What a file in use does not allow is tried for so long, with such pauses. */
const usePatience = 1000;
const usePause = 20;

/** Nothing where there is no private file system: no https, a private window, an older browser. */
export async function browserStore(): Promise<ModelStore | undefined> {
  if (typeof navigator !== "object" || !navigator.storage?.getDirectory) return undefined;
  try {
    const root = await navigator.storage.getDirectory();
    return new BrowserStore(await root.getDirectoryHandle(rootName, { create: true }));
  } catch {
    return undefined;
  }
}

class BrowserStore implements ModelStore {
  readonly #root: FileSystemDirectoryHandle;
  /** That files were opened in. */
  readonly #folders = new Map<string, FileSystemDirectoryHandle>();

  constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  async folders(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name, handle] of this.#root.entries())
      if (handle.kind === "directory") names.push(name);
    return names;
  }

  async files(folder: string): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    const directory = await ifThere(this.#root.getDirectoryHandle(folder));
    if (!directory) return sizes;
    for await (const [name, handle] of directory.entries()) {
      if (handle.kind !== "file") continue;
      const size = await sizeOf(handle as FileSystemFileHandle).catch(() => undefined); // it may have vanished
      if (size !== undefined) sizes.set(name, size);
    }
    return sizes;
  }

  async readWhole(folder: string, name: string): Promise<Uint8Array | undefined> {
    const directory = await ifThere(this.#root.getDirectoryHandle(folder));
    const handle = directory && (await ifThere(directory.getFileHandle(name)));
    return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
  }

  async writeWhole(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    const file = await this.open(folder, name, Infinity, () => 0);
    if (!file) throw new Error(`${name}: in use`);
    try {
      file.append(bytes);
    } finally {
      await file.close();
    }
  }

  async open(
    folder: string,
    name: string,
    bytes: number,
    keep: (size: number) => number,
  ): Promise<StoredFile | undefined> {
    const handle = await (await this.#folder(folder)).getFileHandle(name, { create: true });
    const isComplete = (size: number) => size === bytes && keep(size) === size;
    // Complete: nobody writes to it any more, so others may read it, too. This is tried without a lock, because a model has dozens
    // of such files, and each question to the browser takes a millisecond.
    const complete = await openToRead(handle, isComplete);
    if (complete) return complete;
    const release = await hold(`clipglot:${folder}/${name}`, () => sizeOf(handle));
    if (!release) return undefined;
    try {
      const size = await sizeOf(handle);
      if (!isComplete(size))
        return new WrittenFile(
          await untilFree(() => handle.createSyncAccessHandle()),
          keep(size),
          release,
        );
      // Another load has completed it meanwhile.
      const file = await openToRead(handle, isComplete);
      release();
      return file;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #folder(name: string): Promise<FileSystemDirectoryHandle> {
    const known =
      this.#folders.get(name) ?? (await this.#root.getDirectoryHandle(name, { create: true }));
    this.#folders.set(name, known);
    return known;
  }

  lock(name: string): Promise<() => void> {
    if (!navigator.locks) return Promise.resolve(() => {});
    return new Promise((resolve, reject) => {
      navigator.locks
        .request(`clipglot:${name}`, () => new Promise<void>((done) => resolve(done)))
        .catch(reject);
    });
  }

  async remove(folder: string, name?: string): Promise<boolean> {
    if (name === undefined) this.#folders.delete(folder);
    const parent =
      name === undefined ? this.#root : await ifThere(this.#root.getDirectoryHandle(folder));
    if (!parent) return false;
    return (
      (await untilFree(() =>
        ifThere(parent.removeEntry(name ?? folder, { recursive: true }).then(() => true)),
      )) ?? false
    );
  }
}

class WrittenFile implements StoredFile {
  readonly #handle: FileSystemSyncAccessHandle;
  readonly #release: () => void;
  #buffer: Uint8Array<ArrayBuffer> | undefined;
  size: number;

  constructor(handle: FileSystemSyncAccessHandle, size: number, release: () => void) {
    this.#handle = handle;
    this.size = size;
    this.#release = release;
    if (handle.getSize() !== size) handle.truncate(size);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (!this.#buffer || this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    const piece = this.#buffer.subarray(0, length);
    return piece.subarray(0, this.#handle.read(piece, { at: offset }));
  }

  append(bytes: Uint8Array): void {
    const written = this.#handle.write(bytes as Uint8Array<ArrayBuffer>, { at: this.size });
    if (written !== bytes.length) throw new Error("no room");
    this.size += written;
  }

  async close(): Promise<void> {
    try {
      this.#handle.close();
    } finally {
      this.#release();
    }
  }
}

// Several loads can read a file at once through handles that only read, where there are such, and else through a Blob. Nothing if
// its size is not the wanted one.
async function openToRead(
  handle: FileSystemFileHandle,
  isComplete: (size: number) => boolean,
): Promise<StoredFile | undefined> {
  try {
    const open = handle.createSyncAccessHandle as (options: {
      mode: string;
    }) => Promise<FileSystemSyncAccessHandle>;
    const access = await open.call(handle, { mode: "read-only" });
    const size = access.getSize();
    if (isComplete(size)) return new WrittenFile(access, size, () => {});
    access.close();
    return undefined;
  } catch {
    // Where all handles are for one user at a time, another load may have one.
    const file = await handle.getFile();
    if (!isComplete(file.size)) return undefined;
    return {
      size: file.size,
      read: async (offset, length) =>
        new Uint8Array(await file.slice(offset, offset + length).arrayBuffer()),
      append() {
        throw new Error("is complete");
      },
      close: async () => {},
    };
  }
}

// The files of a page that was closed are free a moment later; another load that looks whether a file is complete has it for a moment.
async function untilFree<T>(action: () => Promise<T>): Promise<T> {
  for (let waited = 0; ; waited += usePause) {
    try {
      return await action();
    } catch (error) {
      if ((error as DOMException).name !== "NoModificationAllowedError" || waited >= usePatience)
        throw error;
      await new Promise((resolve) => setTimeout(resolve, usePause));
    }
  }
}

// Takes a lock of the origin and gives the function that lets it go. The browser does that, too, when the worker ends.
async function hold(name: string, size: () => Promise<number>): Promise<(() => void) | undefined> {
  if (!navigator.locks) return () => {}; // then opening fails while another load writes
  for (let before = await size().catch(() => -1); ; ) {
    const release = await new Promise<(() => void) | undefined>((resolve) => {
      navigator.locks
        .request(
          name,
          { signal: AbortSignal.timeout(patience) },
          () => new Promise<void>((done) => resolve(done)),
        )
        .catch(() => resolve(undefined));
    });
    if (release) return release;
    const now = await size().catch(() => -1);
    if (now <= before) return undefined;
    before = now;
  }
}

const sizeOf = async (handle: FileSystemFileHandle) => (await handle.getFile()).size;

async function ifThere<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if ((error as DOMException).name === "NotFoundError") return undefined;
    throw error;
  }
}
