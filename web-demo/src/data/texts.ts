// The short texts of the second tab.

import type { Embedder } from "clipglot";
import type { Corpus } from "./corpus.ts";

export interface ShortText {
  readonly id: string;
  readonly text: string;
  readonly language: string;
  readonly languageName: string;
  readonly english: string;
  readonly emoji: string;
}

interface TextsFile {
  readonly languages: Readonly<Record<string, string>>;
  readonly texts: readonly { readonly language: string; readonly text: string; readonly emoji: string; readonly english: string }[];
}

const chunkSize = 24;

export async function fetchTexts(): Promise<ShortText[]> {
  const response = await fetch(new URL("texts/texts.json", document.baseURI));
  if (!response.ok) throw new Error(`texts.json: ${response.status} ${response.statusText}`);
  const { languages, texts } = (await response.json()) as TextsFile;
  return texts.map((text, index) => ({ ...text, id: String(index), languageName: languages[text.language] ?? text.language }));
}

export async function embedShortTexts(
  embedder: Embedder, texts: readonly ShortText[], corpus: Corpus, onChunk: (count: number) => void,
): Promise<void> {
  for (let start = 0; start < texts.length; start += chunkSize) {
    const chunk = texts.slice(start, start + chunkSize);
    const batch = await embedder.embedTexts(chunk.map(({ text }) => text));
    await corpus.add(chunk.map(({ id }, row) => ({ id, vector: batch.row(row) })));
    onChunk(chunk.length);
  }
}
