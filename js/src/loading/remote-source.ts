// A model whose bytes someone else supplies: each piece is asked for by a message.
import { EmbedError } from "../errors.js";
import { readInPieces, type OpenSource, type SourceFile } from "../shared/source.js";
import { reasonOf } from "../shared/reason.js";

/** Gives exactly `length` bytes, or fails. */
export type Ask = (path: string, offset: number, length: number) => Promise<Uint8Array>;

export function openRemoteSource(files: readonly SourceFile[], ask: Ask): OpenSource {
  return {
    files,
    failureCode: "unreadable",
    read(file, offset, length, take) {
      const readPiece = async (from: number, bytes: number) => {
        try {
          return await ask(file.path, from, bytes);
        } catch (cause) {
          throw new EmbedError("unreadable", `${file.path}: ${reasonOf(cause)}`, { cause });
        }
      };
      return readInPieces(offset, length, readPiece, take);
    },
    close: async () => {},
  };
}
