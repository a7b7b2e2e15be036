// The worker's side in Node, and models in a folder on disk.
import { constants } from "node:fs";
import { open, readFile, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import { EmbedError } from "../../errors.js";
import type { WorkerPlatform } from "../../shared/platforms.js";
import type { ToWorker } from "../../shared/protocol.js";
import { manifestBytes } from "../../shared/limits.js";
import {
  checkpointBinaries,
  checkpointTexts,
  filesOfManifest,
  manifestName,
  modelNames,
} from "../../shared/model-files.js";
import { readInPieces, type OpenSource, type SourceFile } from "../../shared/source.js";
import { nodeEngineFiles } from "./engine-files.js";
import { nodeStore } from "./store.js";
import { reasonOf } from "../../shared/reason.js";

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

/**
 * The files that the manifest names, or those of a checkpoint; whatever else is there is never touched. `hint`: added to the
 * error when there is no such folder. Errors: "unreadable" when the folder or its first file cannot be read.
 */
export async function openPath(folder: string, hint?: string): Promise<OpenSource> {
  const placeOf = (path: string) => join(folder, path);
  const first = await stat(folder).catch((cause: unknown) => {
    throw failed(folder, cause, isMissing(cause) ? hint : undefined);
  });
  if (!first.isDirectory()) throw failed(folder, new Error("not a folder"));
  const manifest = await readText(placeOf(manifestName), manifestBytes);
  const paths =
    manifest === undefined
      ? [...checkpointTexts, ...checkpointBinaries]
      : [manifestName, ...namedFiles(manifest)];
  return openFiles(await find(paths, placeOf, false), placeOf);
}

/** The same for files that lie anywhere. Errors: "unreadable" when what a model begins with cannot be read. */
export async function openPaths(paths: { readonly [path: string]: string }): Promise<OpenSource> {
  const placeOf = (path: string) => paths[path] ?? path;
  const found = await find(Object.keys(paths), placeOf, true);
  if (!found.files.some(({ path }) => modelNames.includes(path)))
    throw new EmbedError(
      "unreadable",
      modelNames.flatMap((name) => found.absent.get(name) ?? []).join("; "),
    );
  return openFiles(found, placeOf);
}

// What a manifest names. What is wrong with it is for the engine to say.
function namedFiles(manifest: string): string[] {
  try {
    return filesOfManifest(manifest, manifestName).map(({ path }) => path);
  } catch {
    return [];
  }
}

/** Nothing when there is no such file. Errors: "unreadable". */
async function readText(place: string, limit: number): Promise<string | undefined> {
  try {
    const info = await stat(place);
    if (!info.isFile() || info.size > limit) return info.isFile() ? "" : undefined;
    return await readFile(place, "utf8");
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw failed(place, cause);
  }
}

interface Found {
  readonly files: readonly SourceFile[];
  readonly absent: ReadonlyMap<string, string>;
}

/** `saysMissing`: what is not there was named by the caller; else "missing" is what the engine says of it. */
async function find(
  paths: readonly string[],
  placeOf: (path: string) => string,
  saysMissing: boolean,
): Promise<Found> {
  const files: SourceFile[] = [];
  const absent = new Map<string, string>();
  for (const path of paths) {
    const place = placeOf(path);
    try {
      const info = await stat(place);
      if (info.isFile()) files.push({ path, byteLength: info.size });
      else absent.set(path, `${place} is not a file`);
    } catch (cause) {
      // Perhaps nobody needs it.
      if (saysMissing || !isMissing(cause)) absent.set(path, failed(place, cause).detail);
    }
  }
  return { files, absent };
}

const isMissing = (cause: unknown) => (cause as NodeJS.ErrnoException).code === "ENOENT";

const failed = (path: string, cause: unknown, hint?: string) =>
  new EmbedError(
    "unreadable",
    `cannot read ${path}: ${reasonOf(cause)}${hint === undefined ? "" : `; ${hint}`}`,
    { cause },
  );

function openFiles({ files, absent }: Found, placeOf: (path: string) => string): OpenSource {
  let buffer = new Uint8Array(0);
  let current: { readonly path: string; readonly handle: FileHandle } | undefined;
  const close = async () => {
    const { handle } = current ?? {};
    current = undefined;
    await handle?.close();
  };
  return {
    files,
    absent,
    failureCode: "unreadable",
    async read(file, offset, length, take) {
      const path = placeOf(file.path);
      try {
        if (current?.path !== path) {
          await close();
          current = {
            path,
            handle: await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)),
          };
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
