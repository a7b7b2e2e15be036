// A model in files that the user picked.
import { EmbedError } from "../errors.js";
import type { BlobLike } from "../shared/protocol.js";
import { reasonOf } from "../shared/reason.js";
import { readInPieces, type OpenSource, type SourceFile } from "../shared/source.js";

export interface NamedBlob {
  readonly path: string;
  readonly blob: BlobLike;
}

/** Errors, also while reading: "network", naming the file. */
export async function openBlobSource(blobs: readonly NamedBlob[]): Promise<OpenSource> {
  // In browsers a file that was removed says that it is empty; only reading it tells.
  for (const { path, blob } of blobs) if (blob.size === 0) await readBlob(path, blob, 0, 0);
  const blobOf = new Map(blobs.map(({ path, blob }) => [path, blob]));
  return {
    files: blobs.map(({ path, blob }) => ({ path, byteLength: blob.size })),
    read(file: SourceFile, offset, length, take) {
      const blob = blobOf.get(file.path);
      if (!blob) throw new EmbedError("network", `${file.path}: there is no such file`);
      const readPiece = (from: number, bytes: number) => readBlob(file.path, blob, from, bytes);
      return readInPieces(offset, length, readPiece, take);
    },
    close: async () => {},
  };
}

/** `length` bytes from `offset`. Errors: "network", naming the file. */
export async function readBlob(path: string, blob: BlobLike, offset: number, length: number): Promise<Uint8Array> {
  try {
    return await readPart(blob, offset, length);
  } catch (cause) {
    throw new EmbedError("network", `${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** The same; errors are an Error that does not name the file. */
export async function readPart(blob: BlobLike, offset: number, length: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    const part = offset === 0 && length === blob.size ? blob : blob.slice(offset, offset + length);
    bytes = new Uint8Array(await part.arrayBuffer());
  } catch (cause) {
    const why = reasonOf(cause);
    throw new Error(`cannot be read; was it removed or changed since it was chosen? ${why}`, { cause });
  }
  if (bytes.length !== length) throw new Error(`${bytes.length} bytes came where there were ${length}; it changed since it was chosen`);
  return bytes;
}
