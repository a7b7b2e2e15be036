// Files that outlive the process, for models that came from a URL: the browser's private file system, or a folder in Node
// (../platform/). They lie in folders; ../loading/cache-accounts.ts knows what lies in them.

export interface ModelStore {
  folders(): Promise<string[]>;
  /** Names and sizes; empty when there is no such folder. */
  files(folder: string): Promise<Map<string, number>>;
  /** A small file, whole; nothing when it is not there. */
  readWhole(folder: string, name: string): Promise<Uint8Array | undefined>;
  writeWhole(folder: string, name: string, bytes: Uint8Array): Promise<void>;
  /**
   * Opens a file that is to have `bytes` bytes in the end, making it if necessary. Of the `size` bytes that are there, the
   * first `keep(size)` stay. Waits while another load is making progress on the file. Resolves to undefined if that load stalls
   * or there is no space; the caller then proceeds uncached.
   */
  open(
    folder: string,
    name: string,
    bytes: number,
    keep: (size: number) => number,
  ): Promise<StoredFile | undefined>;
  /**
   * Waits until nobody else holds the lock of this name, in any tab or process, and takes it. Gives the function that lets it go;
   * the end of the worker does so, too.
   */
  lock(name: string): Promise<() => void>;
  /** A file, or the whole folder. Whether there was one. */
  remove(folder: string, name?: string): Promise<boolean>;
}

export interface StoredFile {
  /** Bytes from the file's beginning that are there. */
  readonly size: number;
  /** `length` bytes from `offset`, valid until the next call. Fails when they cannot be read. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Appends bytes. Fails when there is no room. */
  append(bytes: Uint8Array): void;
  close(): Promise<void>;
}
