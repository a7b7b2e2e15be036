// The short texts of the second tab: those that come with the page, and the user's own.

import { fetchJson } from "./files.ts";

export interface ShortText {
  readonly id: string;
  readonly text: string;
  /** Language tag; empty when it is not known. */
  readonly language: string;
  /** What stands below the text. */
  readonly note: string;
  /** The emoji that it names; none for the user's own. */
  readonly emoji: string | undefined;
}

interface TextsFile {
  readonly languages: Readonly<Record<string, string>>;
  readonly texts: readonly {
    readonly language: string;
    readonly text: string;
    readonly emoji: string;
    readonly english: string;
  }[];
}

export async function fetchTexts(): Promise<ShortText[]> {
  const { languages, texts } = await fetchJson<TextsFile>("texts/texts.json");
  return texts.map(({ text, language, emoji, english }, index) => {
    const name = languages[language] ?? language;
    return {
      id: `text-${index}`,
      text,
      language,
      emoji,
      note: language === "en" ? name : `${name} · ${english}`,
    };
  });
}

let ownCount = 0;

/** One text a line; empty lines and repetitions are left out. */
export function ownTexts(lines: string): ShortText[] {
  const distinct = new Set(
    lines
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter(Boolean),
  );
  return Array.from(distinct, (text) => ({
    id: `own-text-${++ownCount}`,
    text,
    language: "",
    note: "yours",
    emoji: undefined,
  }));
}
