// The conversation of loading: the core says which bytes it wants next, and whoever has the source
// supplies them (src/container/demand.h).

/** A range of a file. */
export interface Range {
  /** Place in the list of files that the core was given. */
  readonly file: number;
  /** Bytes from the file's beginning. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** The core compares its hash before it uses it. */
  readonly hashed: boolean;
}

/** The core's side. Each range is wanted, reserved, filled and committed, in this order. */
export interface Demand {
  /** The next range, the same one until it is committed; undefined when nothing more is wanted. */
  want(): Range | undefined;
  /** Where the wanted bytes go in the heap; valid until `commit`. */
  reserve(): { readonly pointer: number; readonly bytes: number };
  /**
   * The bytes are there. `sha256`: of the range, 64 hexadecimal digits, if it is `hashed` and was
   * computed already. Errors: EmbedError, e.g. "corrupt-model" when the hash does not match.
   */
  commit(sha256?: string): void;
  /** Bytes of all tensors; 0 until known. */
  totalBytes(): number;
  /** Bytes of tensors so far. */
  readBytes(): number;
}
