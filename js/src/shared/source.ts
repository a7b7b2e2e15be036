// Where the bytes of a model come from, whatever that is.

export interface SourceFile {
  readonly path: string;
  readonly byteLength: number;
}

export interface OpenSource {
  /** All that the source can give. */
  readonly files: readonly SourceFile[];
  /**
   * Brings `length` bytes of a file from `offset`, in order, in pieces of any size. A piece is valid during the call of
   * `take` only. Errors: EmbedError "network".
   */
  read(file: SourceFile, offset: number, length: number, take: (piece: Uint8Array) => void): Promise<void>;
  close(): Promise<void>;
}

/** Pieces in which Blobs, files and user's sources are read: small beside a model, large beside a call. */
export const pieceBytes = 4 << 20;

/** Reads a range in pieces, for sources that give whole arrays. */
export async function readInPieces(
  offset: number,
  length: number,
  readPiece: (offset: number, length: number) => Promise<Uint8Array>,
  take: (piece: Uint8Array) => void,
): Promise<void> {
  for (let done = 0; done < length; ) {
    const piece = await readPiece(offset + done, Math.min(pieceBytes, length - done));
    take(piece);
    done += piece.length;
  }
}
