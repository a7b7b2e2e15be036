// The gallery: the best ten large, two of them larger, and all others below by score.

import type { Picture } from "../data/gallery.ts";
import { topCount, type RankedHit } from "../data/ranking.ts";
import { byId, make } from "../dom.ts";
import { score as formatScore } from "../format.ts";
import { enableArrowKeys, type ArrowKeys } from "./arrow-keys.ts";
import { glide } from "./glide.ts";
import { describeMove, makeMoveMark, updateMoveMark } from "./move-mark.ts";

interface Tile {
  readonly picture: Picture;
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly score: HTMLElement;
  readonly move: HTMLElement;
}

export class PictureGrid {
  readonly #grid = byId("grid", HTMLElement);
  readonly #top = byId("grid-top", HTMLOListElement);
  readonly #rest = byId("grid-rest", HTMLOListElement);
  readonly #tiles = new Map<string, Tile>();
  readonly #keys: ArrowKeys;
  readonly #onChoose: (picture: Picture) => void;

  constructor(onChoose: (picture: Picture) => void, onLeaveTop: () => void) {
    this.#onChoose = onChoose;
    this.#keys = enableArrowKeys(this.#grid, onLeaveTop);
  }

  get size(): number {
    return this.#tiles.size;
  }

  focusFirst(): void {
    this.#keys.focusFirst();
  }

  add(pictures: readonly Picture[]): void {
    for (const picture of pictures) this.#tiles.set(picture.id, this.#makeTile(picture));
  }

  remove(id: string): void {
    this.#tiles.get(id)?.item.remove();
    this.#tiles.delete(id);
    this.#keys.reset();
  }

  picture(id: string): Picture | undefined {
    return this.#tiles.get(id)?.picture;
  }

  /** Without a ranking: own pictures first, then the gallery as it comes. */
  showAll(): void {
    const tiles = Array.from(this.#tiles.values());
    const order = [...tiles.filter((tile) => tile.picture.own), ...tiles.filter((tile) => !tile.picture.own)];
    for (const tile of order) this.#clearScore(tile);
    this.markAnswered("");
    this.#arrange([], order);
  }

  /** Pictures that have no vector yet follow after the ranked ones. */
  showRanking(hits: readonly RankedHit[]): void {
    const ranked: Tile[] = [];
    hits.forEach((hit, rank) => {
      const tile = this.#tiles.get(hit.id);
      if (!tile) return;
      this.#setScore(tile, hit, rank);
      ranked.push(tile);
    });
    const known = new Set(ranked);
    const waiting = Array.from(this.#tiles.values()).filter((tile) => !known.has(tile));
    for (const tile of waiting) this.#clearScore(tile);
    this.#arrange(ranked.slice(0, topCount), [...ranked.slice(topCount), ...waiting]);
  }

  /** Leaves in the document which text the order answers. */
  markAnswered(text: string): void {
    this.#grid.dataset["answered"] = text;
  }

  #arrange(top: readonly Tile[], rest: readonly Tile[]): void {
    const items = Array.from(this.#tiles.values(), (tile) => tile.item);
    const focused = document.activeElement;
    glide(items, () => {
      this.#top.replaceChildren(...top.map((tile) => tile.item));
      this.#rest.replaceChildren(...rest.map((tile) => tile.item));
      this.#top.hidden = top.length === 0;
      // Moving an element takes its focus away; give it back to the same picture.
      if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    });
    this.#keys.reset();
  }

  #setScore(tile: Tile, hit: RankedHit, rank: number): void {
    tile.score.textContent = formatScore(hit.score);
    tile.item.style.setProperty("--score", String(Math.max(0, Math.min(1, hit.score))));
    updateMoveMark(tile.move, hit.move);
    const details = [tile.picture.name, tile.picture.own ? "your picture" : "", `rank ${rank + 1}`, `score ${formatScore(hit.score)}`, describeMove(hit.move)];
    tile.button.setAttribute("aria-label", details.filter(Boolean).join(", "));
  }

  #clearScore(tile: Tile): void {
    tile.score.textContent = "";
    tile.item.style.removeProperty("--score");
    updateMoveMark(tile.move, 0);
    tile.button.setAttribute("aria-label", tile.picture.own ? `${tile.picture.name}, your picture` : tile.picture.name);
  }

  #makeTile(picture: Picture): Tile {
    const image = make("img", { attributes: { src: picture.url, alt: picture.name, lang: picture.language, width: "192", height: "192", decoding: "async", draggable: "false" } });
    const name = make("span", { class: "tile-name", text: picture.name, attributes: { lang: picture.language, dir: "auto" } });
    const score = make("span", { class: "tile-score numeric" });
    const move = makeMoveMark();
    const frame = make("span", { class: "tile-frame" }, image, ...(picture.own ? [make("span", { class: "tile-own", text: "yours" })] : []), move);
    const button = make("button", { class: "tile-button", attributes: { type: "button", "data-cell": "", tabindex: "-1", title: `Find pictures like “${picture.name}”` } },
      frame, make("span", { class: "tile-caption" }, name, score));
    button.addEventListener("click", () => this.#onChoose(picture));
    const item = make("li", { class: picture.own ? "tile tile-is-own" : "tile", attributes: { "data-id": picture.id } }, button);
    return { picture, item, button, score, move };
  }
}
