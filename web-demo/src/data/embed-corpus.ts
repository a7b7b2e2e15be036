// Reads pictures or texts into a corpus, in the background and chunk by chunk, so that results can grow meanwhile.

import type { Embedder } from "clipglot";
import type { Corpus } from "./corpus.ts";
import type { Picture } from "./gallery.ts";

export interface Reading {
  readonly signal: AbortSignal;
  /** Gets how many are read by now. */
  onProgress(done: number): void;
}

const pictureChunk = 8; // small enough that results grow visibly, large enough to keep the engine busy
const textChunk = 24;

/** Pictures that the corpus knows already are left out. */
export async function embedPictures(
  embedder: Embedder,
  pictures: readonly Picture[],
  corpus: Corpus,
  { signal, onProgress }: Reading,
): Promise<void> {
  await inChunks(pictures, pictureChunk, signal, async (chunk, done) => {
    const missing = chunk.filter(({ id }) => !corpus.vector(id));
    if (missing.length > 0) {
      const files = await Promise.all(missing.map(({ file }) => file()));
      const batch = await embedder.embedImages(files, { signal });
      await corpus.add(missing.map(({ id }, row) => ({ id, vector: batch.row(row) })));
    }
    onProgress(done);
  });
}

export async function embedTexts(
  embedder: Embedder,
  texts: readonly { readonly id: string; readonly text: string }[],
  corpus: Corpus,
  { signal, onProgress }: Reading,
): Promise<void> {
  await inChunks(texts, textChunk, signal, async (chunk, done) => {
    const missing = chunk.filter(({ id }) => !corpus.vector(id));
    if (missing.length > 0) {
      const batch = await embedder.embedTexts(
        missing.map(({ text }) => text),
        { signal },
      );
      await corpus.add(missing.map(({ id }, row) => ({ id, vector: batch.row(row) })));
    }
    onProgress(done);
  });
}

async function inChunks<T>(
  items: readonly T[],
  size: number,
  signal: AbortSignal,
  read: (chunk: readonly T[], done: number) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < items.length; start += size) {
    signal.throwIfAborted();
    await read(items.slice(start, start + size), Math.min(start + size, items.length));
  }
}
