// The user's own pictures: embedded one by one behind the searches, then part of the gallery with a mark.

import type { Embedder } from "clipglot";
import type { Corpus } from "./data/corpus.ts";
import type { Picture } from "./data/gallery.ts";
import { milliseconds } from "./format.ts";
import { describe } from "./messages.ts";
import { OwnTray, TrayEntry } from "./views/own-tray.ts";

export interface OwnPicturesEvents {
  onAdded(picture: Picture): void;
  onRemoved(id: string): void;
  onChoose(id: string): void;
}

interface Waiting {
  readonly picture: Picture;
  readonly file: File;
  readonly entry: TrayEntry;
}

export class OwnPictures {
  readonly #tray = new OwnTray();
  readonly #events: OwnPicturesEvents;
  readonly #waiting: Waiting[] = [];
  #engine: { embedder: Embedder; corpus: Corpus } | undefined;
  #working = false;
  #count = 0;

  constructor(events: OwnPicturesEvents) {
    this.#events = events;
  }

  /** Pictures that came before the engine was ready are read now. */
  useEngine(embedder: Embedder, corpus: Corpus): void {
    this.#engine = { embedder, corpus };
    void this.#work();
  }

  add(files: readonly File[]): void {
    for (const file of files) {
      const picture: Picture = { id: `own-${++this.#count}`, url: URL.createObjectURL(file), name: file.name || "pasted picture", language: "", own: true };
      const entry = new TrayEntry(picture.name, picture.url, () => this.#events.onChoose(picture.id), () => void this.#remove(picture, entry));
      this.#tray.add(entry);
      this.#waiting.push({ picture, file, entry });
    }
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    while (this.#engine && this.#waiting.length > 0) {
      const { picture, file, entry } = this.#waiting.shift()!;
      const { embedder, corpus } = this.#engine;
      entry.working();
      try {
        const began = performance.now();
        const { vector } = await embedder.embedImage(file, { orientation: "exif", priority: "background" });
        if (!entry.element.isConnected) continue; // removed meanwhile
        await corpus.add([{ id: picture.id, vector }]);
        entry.ready(milliseconds(performance.now() - began));
        this.#events.onAdded(picture);
      } catch (error) {
        entry.fail(describe(error)); // one bad file never stops the others
      }
    }
    this.#working = false;
  }

  async #remove(picture: Picture, entry: TrayEntry): Promise<void> {
    this.#tray.remove(entry);
    const position = this.#waiting.findIndex((waiting) => waiting.entry === entry);
    if (position >= 0) this.#waiting.splice(position, 1);
    await this.#engine?.corpus.remove(picture.id);
    this.#events.onRemoved(picture.id);
    URL.revokeObjectURL(picture.url);
  }
}
