// A model in files that the user picked.
import { EmbedError } from "../errors.js";
import type { BlobLike } from "../shared/protocol.js";
import { readInPieces, type OpenSource, type SourceFile } from "../shared/source.js";
import { reasonOf } from "../shared/reason.js";

export function openBlobSource(blobs: readonly { readonly path: string; readonly blob: BlobLike }[]): OpenSource {
  const blobOf = new Map(blobs.map(({ path, blob }) => [path, blob]));
  return {
    files: blobs.map(({ path, blob }) => ({ path, byteLength: blob.size })),
    read(file: SourceFile, offset, length, take) {
      const readPiece = async (from: number, bytes: number) => {
        try {
          const piece = await blobOf.get(file.path)?.slice(from, from + bytes).arrayBuffer();
          if (piece?.byteLength === bytes) return new Uint8Array(piece);
        } catch (cause) {
          throw new EmbedError("network", `${file.path}: cannot be read: ${reasonOf(cause)}`, { cause });
        }
        throw new EmbedError("network", `${file.path}: no ${bytes} bytes at ${from}`);
      };
      return readInPieces(offset, length, readPiece, take);
    },
    close: async () => {},
  };
}
