// The user's own pictures: embedded one by one behind the searches, then part of the gallery with a mark.

import type { Embedder } from "clipglot";
import type { Corpus } from "./data/corpus.ts";
import type { Picture } from "./data/gallery.ts";
import { forgetPicture } from "./data/picture-urls.ts";
import { milliseconds } from "./format.ts";
import { describe } from "./messages.ts";
import { OwnTray, TrayEntry } from "./views/own-tray.ts";

export interface OwnPicturesEvents {
  /** `only`: it was given alone, so it is what to look for. */
  onAdded(picture: Picture, only: boolean): void;
  onRemoved(id: string): void;
  onChoose(id: string): void;
}

interface Waiting {
  readonly picture: Picture;
  readonly file: File;
  readonly entry: TrayEntry;
  readonly only: boolean;
}

export class OwnPictures {
  readonly #tray = new OwnTray();
  readonly #events: OwnPicturesEvents;
  readonly #waiting: Waiting[] = [];
  readonly #added: Waiting[] = [];
  #engine: { embedder: Embedder; corpus: Corpus } | undefined;
  #working = false;
  #count = 0;

  constructor(events: OwnPicturesEvents) {
    this.#events = events;
  }

  /** Pictures that came before the engine was ready are read now, and those of an earlier model once more. */
  useEngine(embedder: Embedder, corpus: Corpus): void {
    this.#engine = { embedder, corpus };
    this.#waiting.unshift(...this.#added.splice(0).map((known) => ({ ...known, only: false })));
    void this.#work();
  }

  /** The model is gone, or sees no pictures. */
  withoutEngine(): void {
    this.#engine = undefined;
  }

  add(files: readonly File[]): void {
    for (const file of files) {
      const picture: Picture = {
        id: `own-${++this.#count}`,
        name: file.name || "pasted picture",
        language: "",
        own: true,
        group: "",
        file: async () => file,
      };
      const entry = new TrayEntry(
        picture,
        () => this.#events.onChoose(picture.id),
        () => void this.#remove(picture, entry),
      );
      this.#tray.add(entry);
      this.#waiting.push({ picture, file, entry, only: files.length === 1 });
    }
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    while (this.#engine && this.#waiting.length > 0) {
      const next = this.#waiting.shift()!;
      const { picture, file, entry, only } = next;
      const engine = this.#engine;
      const { embedder, corpus } = engine;
      entry.working();
      try {
        const began = performance.now();
        const { vector } = await embedder.embedImage(file, {
          orientation: "exif",
          priority: "background",
        });
        if (!entry.element.isConnected) continue; // removed meanwhile
        await corpus.add([{ id: picture.id, vector }]);
        entry.ready(milliseconds(performance.now() - began));
        this.#added.push(next);
        this.#events.onAdded(picture, only);
      } catch (error) {
        if (this.#engine !== engine) {
          // another model takes its place: read it with that
          this.#waiting.unshift(next);
          continue;
        }
        entry.fail(describe(error)); // one bad file never stops the others
      }
    }
    this.#working = false;
  }

  async #remove(picture: Picture, entry: TrayEntry): Promise<void> {
    this.#tray.remove(entry);
    const position = this.#waiting.findIndex((waiting) => waiting.entry === entry);
    if (position >= 0) this.#waiting.splice(position, 1);
    const known = this.#added.findIndex((added) => added.entry === entry);
    if (known >= 0) this.#added.splice(known, 1);
    await this.#engine?.corpus.remove(picture.id);
    this.#events.onRemoved(picture.id);
    forgetPicture(picture.id);
  }
}
