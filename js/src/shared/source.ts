// Where the bytes of a model come from, whatever that is.
import type { ErrorCode } from "../errors.js";
import { pieceBytes } from "./limits.js";

export interface SourceFile {
  readonly path: string;
  readonly byteLength: number;
  /** Its first bytes are in the cache. */
  readonly fromCache?: boolean;
}

/** Gets bytes, in order, in pieces of any size. A piece is valid during the call only. */
export type Take = (piece: Uint8Array, fromCache: boolean) => void;

export interface OpenSource {
  /** All that the source can give. Other ones after `otherwise`. */
  readonly files: readonly SourceFile[];
  /** Files that there might be, and why they are not among `files`: path → reason. */
  readonly absent?: ReadonlyMap<string, string>;
  /** The code of an error for bytes that the source does not give. */
  readonly failureCode: Extract<ErrorCode, "network" | "unreadable">;
  /** Reads `length` bytes of a file from `offset`. Errors: EmbedError with `failureCode`. */
  read(file: SourceFile, offset: number, length: number, take: Take): Promise<void>;
  /** The pack is being made: its files have no hashes, and its self-test comes last. */
  readonly isUnfinished?: boolean;
  /** SPDX identifier of the licence of the weights, once it is known. */
  readonly license?: string | undefined;
  /**
   * The bytes from `offset` on are damaged. Resolves to whether they can be fetched again, then from their origin instead of a
   * cache. Left out by sources that would only give the same bytes.
   */
  renew?(file: SourceFile, offset: number): Promise<boolean>;
  /**
   * The load failed with `error`. Is there another set of files: a newer manifest, or a kept copy? Then `files` are those, and
   * the load begins anew.
   */
  otherwise?(error: unknown): Promise<boolean>;
  /** The load has what it wants. Errors: "network" when what it got turns out to be of two versions. */
  finished?(): Promise<void>;
  /** Ends transfers in progress. Reads may follow. */
  close(): Promise<void>;
}

/** Reads a range in pieces, for sources that give whole arrays. */
export async function readInPieces(
  offset: number,
  length: number,
  readPiece: (offset: number, length: number) => Promise<Uint8Array>,
  take: Take,
): Promise<void> {
  for (let done = 0; done < length; ) {
    const piece = await readPiece(offset + done, Math.min(pieceBytes, length - done));
    take(piece, false);
    done += piece.length;
  }
}
