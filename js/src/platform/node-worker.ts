// The worker's side in Node, and models in a folder on disk.
import { open, readdir, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import { EmbedError } from "../errors.js";
import type { WorkerPlatform } from "../shared/platforms.js";
import type { ToWorker } from "../shared/protocol.js";
import { readInPieces, type OpenSource, type SourceFile } from "../shared/source.js";
import { nodeEngineFiles } from "./node-files.js";
import { nodeStore } from "./node-store.js";
import { reasonOf } from "../shared/reason.js";

/** Of a worker thread only. */
export function nodeWorkerPlatform(): WorkerPlatform {
  const port = parentPort;
  if (!port) throw new Error("not in a worker thread");
  return {
    post: (message, transfer) => port.postMessage(message, transfer),
    listen: (handle) => port.on("message", (message: ToWorker) => handle(message)),
    engineFiles: nodeEngineFiles,
    openPath,
    openPaths,
    openStore: async (cache) => (typeof cache === "string" ? nodeStore(cache) : undefined),
  };
}

/** Errors: "network" when the folder or a file cannot be read. */
export async function openPath(folder: string): Promise<OpenSource> {
  let files: SourceFile[];
  try {
    files = await listFiles(folder);
  } catch (cause) {
    throw failed(folder, cause);
  }
  return openFiles(files, (path) => join(folder, path));
}

/** The same for files that lie anywhere. */
export async function openPaths(paths: { readonly [path: string]: string }): Promise<OpenSource> {
  const files = Object.entries(paths).map(async ([path, place]) => {
    try {
      return { path, byteLength: (await stat(place)).size };
    } catch (cause) {
      throw failed(place, cause);
    }
  });
  return openFiles(await Promise.all(files), (path) => paths[path] ?? path);
}

const failed = (path: string, cause: unknown) =>
  new EmbedError("network", `cannot read ${path}: ${reasonOf(cause)}`, { cause });

function openFiles(files: readonly SourceFile[], placeOf: (path: string) => string): OpenSource {
  let buffer = new Uint8Array(0);
  let current: { readonly path: string; readonly handle: FileHandle } | undefined;
  const close = async () => {
    const { handle } = current ?? {};
    current = undefined;
    await handle?.close();
  };
  return {
    files,
    async read(file, offset, length, take) {
      const path = placeOf(file.path);
      try {
        if (current?.path !== path) {
          await close();
          current = { path, handle: await open(path) };
        }
        const { handle } = current;
        const readPiece = async (from: number, bytes: number) => {
          if (buffer.length < bytes) buffer = new Uint8Array(bytes);
          const piece = buffer.subarray(0, bytes);
          let done = 0;
          while (done < bytes) {
            const { bytesRead } = await handle.read(piece, done, bytes - done, from + done);
            if (bytesRead === 0) throw new Error(`the file ended at ${from + done}`);
            done += bytesRead;
          }
          return piece;
        };
        await readInPieces(offset, length, readPiece, take);
      } catch (cause) {
        throw cause instanceof EmbedError ? cause : failed(path, cause);
      }
    },
    close,
  };
}

// The folder and what lies in its folders: a pack may keep its shards in one.
async function listFiles(folder: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const list = async (below: string, deeper: boolean) => {
    for (const name of await readdir(join(folder, below))) {
      const path = below ? `${below}/${name}` : name;
      const info = await stat(join(folder, path));
      if (info.isFile()) files.push({ path, byteLength: info.size });
      else if (info.isDirectory() && deeper && !name.startsWith(".")) await list(path, false);
    }
  };
  await list("", true);
  return files;
}
