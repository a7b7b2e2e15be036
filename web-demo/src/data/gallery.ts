// The pictures that come with the page, and reading them into vectors in the background.

import type { Embedder } from "clipglot";
import type { Corpus } from "./corpus.ts";

export interface Picture {
  readonly id: string;
  readonly url: string;
  readonly name: string;
  /** Language tag of `name`. */
  readonly language: string;
  readonly own: boolean;
}

interface GalleryFile {
  readonly pictures: readonly { readonly emoji: string; readonly file: string; readonly names: Readonly<Record<string, string>> }[];
}

const galleryUrl = new URL("gallery/", document.baseURI);
const chunkSize = 8; // small enough that results grow visibly, large enough to keep the engine busy

export function pictureUrl(emoji: string): string {
  const codes = Array.from(emoji, (character) => character.codePointAt(0)!.toString(16)).filter((code) => code !== "fe0f");
  return new URL(`${codes.join("-")}.png`, galleryUrl).href;
}

export async function fetchGallery(): Promise<Picture[]> {
  const response = await fetch(new URL("gallery.json", galleryUrl));
  if (!response.ok) throw new Error(`gallery.json: ${response.status} ${response.statusText}`);
  const { pictures } = (await response.json()) as GalleryFile;
  const wanted = navigator.languages.map((tag) => tag.split("-")[0]!);
  return pictures.map(({ emoji, file, names }) => {
    const language = wanted.find((tag) => names[tag]) ?? "en";
    return { id: emoji, url: new URL(file, galleryUrl).href, name: names[language] ?? emoji, language, own: false };
  });
}

/** Embeds the pictures in the background, chunk by chunk; `onChunk` gets the size of each. */
export async function embedGallery(
  embedder: Embedder, pictures: readonly Picture[], corpus: Corpus, onChunk: (count: number) => void,
): Promise<void> {
  for (let start = 0; start < pictures.length; start += chunkSize) {
    const chunk = pictures.slice(start, start + chunkSize);
    const files = await Promise.all(chunk.map(async ({ url }) => (await fetch(url)).blob()));
    const batch = await embedder.embedImages(files);
    await corpus.add(chunk.map(({ id }, row) => ({ id, vector: batch.row(row) })));
    onChunk(chunk.length);
  }
}
