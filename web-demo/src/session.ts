// One loaded model with everything that is searched by it: its vectors of pictures and texts, and what is being read.

import type { Tower } from "clipglot";
import type { ModelChoice, PackInfo } from "./data/choice.ts";
import { Corpus } from "./data/corpus.ts";
import { embedPictures, embedTexts } from "./data/embed-corpus.ts";
import { loadEngine, type LoadedEngine, type LoadState } from "./data/engine.ts";
import type { Picture } from "./data/gallery.ts";
import { readPackInfo } from "./data/model-choice.ts";
import { fetchPictureVectors } from "./data/picture-vectors.ts";
import { Searcher } from "./data/search.ts";
import type { ShortText } from "./data/texts.ts";

export interface SessionRequest {
  readonly choice: ModelChoice;
  /** Read already if the user saw it; else it is read now. */
  readonly pack?: PackInfo;
  readonly towers?: readonly Tower[];
}

export class Session {
  readonly choice: ModelChoice;
  readonly pack: PackInfo;
  readonly engine: LoadedEngine;
  readonly pictures: Corpus;
  readonly texts: Corpus;
  readonly searcher: Searcher;
  readonly #ending = new AbortController();

  private constructor(choice: ModelChoice, pack: PackInfo, engine: LoadedEngine) {
    this.choice = choice;
    this.pack = pack;
    this.engine = engine;
    this.pictures = new Corpus(engine.embedder);
    this.texts = new Corpus(engine.embedder);
    this.searcher = new Searcher(engine.embedder, this.pictures);
  }

  static async open(
    { choice, pack, towers }: SessionRequest,
    signal: AbortSignal,
    onProgress: (state: LoadState) => void,
  ): Promise<Session> {
    const known = pack ?? (await readPackInfo(choice, signal));
    return new Session(
      choice,
      known,
      await loadEngine(choice, towers ?? Array.from(known.towers.keys()), signal, onProgress),
    );
  }

  has(tower: Tower): boolean {
    return this.engine.embedder.info.towers.includes(tower);
  }

  /** Aborted when the model makes room for another one. */
  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  /** Takes the gallery's stored vectors and gives for how many pictures there were any; throws VectorsRefused when they are not of this model. */
  async takeStoredVectors(known: (id: string) => boolean): Promise<number> {
    const items = await fetchPictureVectors(
      this.pack.sha256,
      this.engine.embedder.info.fullDimensions,
    );
    const wanted = items.filter(({ id }) => known(id));
    await this.pictures.add(wanted);
    return new Set(wanted.map(({ id }) => id)).size;
  }

  readPictures(
    pictures: readonly Picture[],
    signal: AbortSignal,
    onProgress: (done: number) => void,
  ): Promise<void> {
    return embedPictures(this.engine.embedder, pictures, this.pictures, { signal, onProgress });
  }

  readTexts(
    texts: readonly ShortText[],
    signal: AbortSignal,
    onProgress: (done: number) => void,
  ): Promise<void> {
    return embedTexts(this.engine.embedder, texts, this.texts, { signal, onProgress });
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.engine.embedder.dispose();
  }
}
