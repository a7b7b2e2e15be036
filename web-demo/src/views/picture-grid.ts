// The gallery: the best ten large, two of them larger, and all others below by score; without a ranking, by groups.

import type { Picture } from "../data/gallery.ts";
import { topCount, type RankedHit } from "../data/ranking.ts";
import { byId } from "../dom.ts";
import { enableArrowKeys, type ArrowKeys } from "./arrow-keys.ts";
import { glide } from "./glide.ts";
import { Tile } from "./tile.ts";
import {
  replaceItems,
  unplace,
  VirtualTiles,
  type Section,
  type TileLayout,
} from "./virtual-tiles.ts";

const narrow = matchMedia("(max-width: 800px)");

export class PictureGrid {
  readonly #grid = byId("grid", HTMLElement);
  readonly #top = byId("grid-top", HTMLOListElement);
  readonly #rest: VirtualTiles;
  readonly #pictures = new Map<string, Picture>();
  readonly #tiles = new Map<string, Tile>();
  readonly #keys: ArrowKeys;
  readonly #onChoose: (picture: Picture) => void;
  #hits = new Map<string, { readonly hit: RankedHit; readonly rank: number }>();

  constructor(onChoose: (picture: Picture) => void, onLeaveTop: () => void) {
    this.#onChoose = onChoose;
    this.#rest = new VirtualTiles(byId("grid-rest", HTMLElement), (id) => this.#item(id));
    this.#keys = enableArrowKeys(this.#grid, onLeaveTop, (edge) => {
      if (edge === "last" || this.#top.hidden) this.#rest.reveal(edge);
    });
  }

  get size(): number {
    return this.#pictures.size;
  }

  focusFirst(): void {
    this.#keys.focusFirst();
  }

  add(pictures: readonly Picture[]): void {
    for (const picture of pictures) this.#pictures.set(picture.id, picture);
  }

  remove(id: string): void {
    this.#tiles.get(id)?.item.remove();
    this.#tiles.delete(id);
    this.#pictures.delete(id);
    this.#keys.reset();
  }

  picture(id: string): Picture | undefined {
    return this.#pictures.get(id);
  }

  /** The panel was hidden while the pictures changed, or the window became another. */
  refresh(): void {
    this.#rest.render();
  }

  /** Without a ranking: own pictures first, then the gallery as it comes. */
  showAll(): void {
    this.#hits = new Map();
    this.markAnswered("");
    const groups = new Map<string, string[]>([["Your pictures", []]]);
    for (const { id, own, group } of this.#pictures.values()) {
      const heading = own ? "Your pictures" : group;
      const ids = groups.get(heading) ?? [];
      ids.push(id);
      groups.set(heading, ids);
    }
    this.#arrange(
      [],
      Array.from(groups, ([heading, ids]) => ({ heading, ids })),
    );
  }

  /** Pictures that have no vector yet follow after the ranked ones. */
  showRanking(hits: readonly RankedHit[]): void {
    const ranked = hits.filter(({ id }) => this.#pictures.has(id));
    this.#hits = new Map(ranked.map((hit, rank) => [hit.id, { hit, rank }]));
    const waiting = Array.from(this.#pictures.keys()).filter((id) => !this.#hits.has(id));
    const ids = ranked.map(({ id }) => id);
    this.#arrange(ids.slice(0, topCount), [
      { heading: "", ids: [...ids.slice(topCount), ...waiting] },
    ]);
  }

  /** Leaves in the document which text the order answers. */
  markAnswered(text: string): void {
    this.#grid.dataset["answered"] = text;
  }

  #arrange(top: readonly string[], rest: readonly Section[]): void {
    const shown = Array.from(this.#grid.querySelectorAll<HTMLElement>(".tile"));
    const focused = document.activeElement;
    this.#grid.classList.toggle("grid-ranked", top.length > 0);
    glide(shown, () => {
      const items = top.map((id) => this.#item(id));
      items.forEach(unplace);
      replaceItems(this.#top, items);
      this.#top.hidden = top.length === 0;
      this.#rest.show(rest, layoutOf(top.length > 0));
      // Moving an element takes its focus away; give it back to the same picture.
      if (
        focused instanceof HTMLElement &&
        focused !== document.activeElement &&
        focused.isConnected
      )
        focused.focus({ preventScroll: true });
    });
    this.#keys.reset();
  }

  #item(id: string): HTMLLIElement {
    let tile = this.#tiles.get(id);
    if (!tile) {
      tile = new Tile(this.#pictures.get(id)!, this.#onChoose);
      this.#tiles.set(id, tile);
    }
    const ranked = this.#hits.get(id);
    tile.showHit(ranked?.hit, ranked?.rank ?? 0);
    return tile.item;
  }
}

function layoutOf(ranked: boolean): TileLayout {
  if (narrow.matches) return { minimum: ranked ? 60 : 76, gap: 6, caption: 24 };
  return { minimum: ranked ? 84 : 100, gap: 8, caption: 26 };
}
