// Files that stay, in Node: a folder on disk that the user names.
//
// Several processes may fill one file at once: each writes its bytes at their places, and since a file's name comes from its
// hashes, they are the same bytes. What went wrong nevertheless is found by the engine, which verifies all it is given.
import { createHash } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ModelStore, StoredFile } from "../../shared/store.js";

// What somebody else has put into the folder is passed over: other files, pipes, links that lead nowhere, what vanishes.
export function nodeStore(root: string): ModelStore {
  return {
    folders: async () =>
      (await entries(root)).filter((entry) => entry.isDirectory()).map(({ name }) => name),
    async files(folder) {
      const sizes = new Map<string, number>();
      for (const { name } of (await entries(join(root, folder))).filter((entry) =>
        entry.isFile(),
      )) {
        const info = await stat(join(root, folder, name)).catch(() => undefined);
        if (info?.isFile()) sizes.set(name, info.size);
      }
      return sizes;
    },
    async readWhole(folder, name) {
      const path = join(root, folder, name);
      const info = await ifThere(stat(path));
      return info?.isFile() ? ifThere(readFile(path)) : undefined;
    },
    async writeWhole(folder, name, bytes) {
      await mkdir(join(root, folder), { recursive: true });
      const path = join(root, folder, name);
      const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
      try {
        await writeFile(temporary, bytes);
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => {});
        throw error;
      }
    },
    async open(folder, name, bytes, keep) {
      const path = join(root, folder, name);
      const info = await ifThere(stat(path));
      if (info && !info.isFile()) throw new Error(`${path} is not a file`);
      // A complete file is not written any more, and may lie where nobody can write.
      if (info?.size === bytes && keep(bytes) === bytes)
        return new DiskFile(openSync(path, "r"), keep);
      await mkdir(join(root, folder), { recursive: true });
      closeSync(openSync(path, "a")); // made if need be
      return new DiskFile(openSync(path, "r+"), keep);
    },
    lock: (name) => takeLock(`${resolve(root)} ${name}`),
    async remove(folder, name) {
      const path = join(root, folder, name ?? "");
      const there = (await ifThere(stat(path))) !== undefined;
      await rm(path, { recursive: true, force: true });
      return there;
    },
  };
}

class DiskFile implements StoredFile {
  readonly #file: number;
  #buffer: Uint8Array | undefined;
  size: number;

  constructor(file: number, keep: (size: number) => number) {
    this.#file = file;
    const there = fstatSync(file).size;
    this.size = keep(there);
    // A piece of a chunk at the end is overwritten; another process may be about to do so. Damage is cut off.
    if (this.size < there && this.size === keep(Infinity)) ftruncateSync(file, this.size);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (!this.#buffer || this.#buffer.length < length) this.#buffer = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const bytes = readSync(this.#file, this.#buffer, done, length - done, offset + done);
      if (bytes === 0) break;
      done += bytes;
    }
    return this.#buffer.subarray(0, done);
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#file, bytes, done, bytes.length - done, this.size + done);
    this.size += bytes.length;
  }

  async close(): Promise<void> {
    closeSync(this.#file);
  }
}

// A socket (on Windows a pipe) that one owner listens at: the system closes it when the thread or the process ends, however that
// ends. Others wait for the end of their connection.
async function takeLock(name: string): Promise<() => void> {
  const file = `clipglot-${createHash("sha256").update(name).digest("hex").slice(0, 32)}`;
  const isPipe = process.platform === "win32";
  const path = isPipe ? `\\\\.\\pipe\\${file}` : join(tmpdir(), `${file}.lock`);
  for (;;) {
    const server = createServer().unref();
    const listening = new Promise<void>((resolve, reject) =>
      server.once("error", reject).listen(path, resolve),
    );
    const refused = await listening.then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    );
    if (!refused) return () => server.close();
    if (refused.code !== "EADDRINUSE") throw refused;
    const isLeft = await new Promise<boolean>((resolve) => {
      const socket = connect(path);
      socket.on("error", () => resolve(true));
      socket.on("close", () => resolve(false));
    });
    if (isLeft && !isPipe) await rm(path, { force: true });
  }
}

const entries = async (path: string) =>
  (await ifThere(readdir(path, { withFileTypes: true }))) ?? [];

/** Nothing when it is not there. */
async function ifThere<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
