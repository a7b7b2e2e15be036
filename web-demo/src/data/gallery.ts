// The pictures that come with the page. They lie in a few archives, stored as they are: a picture is a slice of
// one, and an archive is fetched when the first of its pictures is wanted.

import { fetchBeside, fetchJson } from "./files.ts";

export interface Picture {
  readonly id: string;
  readonly name: string;
  /** Language tag of `name`. */
  readonly language: string;
  readonly own: boolean;
  /** Heading of the part of the gallery that it stands in; none for the user's own. */
  readonly group: string;
  /** The picture's file. */
  readonly file: () => Promise<Blob>;
}

interface GalleryFile {
  readonly archives: readonly string[];
  readonly languages: readonly string[];
  readonly groups: readonly { readonly name: string; readonly count: number }[];
  readonly pictures: readonly (readonly [
    emoji: string,
    archive: number,
    offset: number,
    length: number,
  ])[];
}

type Names = readonly (string | null)[];

/** Every picture, with names in the reader's first language that the gallery knows. */
export async function fetchGallery(): Promise<Picture[]> {
  const { archives, languages, groups, pictures } =
    await fetchJson<GalleryFile>("gallery/gallery.json");
  const language =
    navigator.languages.map((tag) => tag.split("-")[0]!).find((tag) => languages.includes(tag)) ??
    "en";
  const [names, english] = await Promise.all(
    [language, "en"].map((tag) => fetchJson<Names>(`gallery/names/${tag}.json`)),
  );
  const open = archives.map((name) =>
    once(async () => (await fetchBeside(`gallery/${name}`)).blob()),
  );
  const groupOf = groups.flatMap(({ name, count }) => Array<string>(count).fill(name));
  return pictures.map(([emoji, archive, offset, length], i) => ({
    id: emoji,
    name: names![i] ?? english![i] ?? emoji,
    language: names![i] ? language : "en",
    own: false,
    group: groupOf[i] ?? "",
    file: async () => (await open[archive]!()).slice(offset, offset + length, "image/png"),
  }));
}

/** The result of the first call for all that follow; a failed one is tried again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
