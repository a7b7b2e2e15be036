// Sizes on which several files agree.

/** Bytes of a pack's file that share one hash (docs/FORMAT.md). */
export const chunkBytes = 4 << 20;

/**
 * Bytes of a piece in which Blobs, files and sources of the caller's are read, and in which tensors
 * leave the heap: small beside a model, large beside a call.
 */
export const pieceBytes = 4 << 20;

/** Bytes of the longest manifest. What is longer is refused before it is in memory, as are the next two. */
export const manifestBytes = 4 << 20;
/** Bytes of the longest configuration or tokenizer. */
export const textBytes = 64 << 20;
/** Bytes of the longest file that can only be fetched whole. */
export const wholeBytes = 256 << 20;
