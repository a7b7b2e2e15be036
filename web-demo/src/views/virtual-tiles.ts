// Thousands of tiles of which only those in sight are in the document. Each section has a heading and a list as high
// as all of its rows; tiles stand in it by coordinates.

import { make } from "../dom.ts";

export interface Section {
  /** Empty: no heading. */
  readonly heading: string;
  readonly ids: readonly string[];
}

export interface TileLayout {
  /** Narrowest tile, space between tiles, and what a tile is higher than wide, in pixels. */
  readonly minimum: number;
  readonly gap: number;
  readonly caption: number;
}

interface Placed {
  readonly ids: readonly string[];
  readonly list: HTMLOListElement;
}

const overscan = 400; // pixels above and below the window, so that arrow keys and quick scrolling find tiles

export class VirtualTiles {
  readonly #container: HTMLElement;
  readonly #itemOf: (id: string) => HTMLElement;
  #layout: TileLayout = { minimum: 96, gap: 8, caption: 26 };
  #sections: readonly Placed[] = [];
  #columns = 1;
  #width = 0;
  #frame = 0;

  /** `itemOf` makes the element of a tile or gives the one it made; it is asked whenever a tile comes into sight. */
  constructor(container: HTMLElement, itemOf: (id: string) => HTMLElement) {
    this.#container = container;
    this.#itemOf = itemOf;
    addEventListener("scroll", () => this.#soon(), { passive: true });
    addEventListener("resize", () => this.#soon(), { passive: true });
    new ResizeObserver(() => this.#soon()).observe(container);
  }

  show(sections: readonly Section[], layout: TileLayout): void {
    this.#layout = layout;
    this.#width = 0; // measure again
    const filled = sections.filter(({ ids }) => ids.length > 0);
    const heads = this.#container.querySelectorAll<HTMLElement>(":scope > section");
    // Lists stay where their number does, so that tiles can glide inside; what is left over goes.
    for (let i = filled.length; i < heads.length; i++) heads[i]!.remove();
    this.#sections = filled.map(({ heading, ids }, i) => {
      const section =
        heads[i] ??
        this.#container.appendChild(
          make(
            "section",
            {},
            make("h2", { class: "grid-heading" }),
            make("ol", { class: "grid-list" }),
          ),
        );
      const title = section.querySelector("h2")!;
      const list = section.querySelector("ol")!;
      title.hidden = heading === "";
      title.replaceChildren(
        heading,
        make("span", { class: "grid-heading-count numeric", text: String(ids.length) }),
      );
      list.setAttribute("aria-label", heading || "All other pictures");
      return { ids, list };
    });
    this.render();
  }

  /** Scrolls to the first or last tile and returns it. */
  reveal(edge: "first" | "last"): HTMLElement | undefined {
    const placed = edge === "first" ? this.#sections[0] : this.#sections.at(-1);
    const id = edge === "first" ? placed?.ids[0] : placed?.ids.at(-1);
    if (!placed || id === undefined) return undefined;
    placed.list.scrollIntoView({ block: edge === "first" ? "start" : "end" });
    this.render();
    return this.#itemOf(id);
  }

  render(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const width = this.#container.clientWidth;
    if (width === 0) return; // not shown
    const { minimum, gap, caption } = this.#layout;
    const measure = width !== this.#width;
    this.#width = width;
    this.#columns = Math.max(1, Math.floor((width + gap) / (minimum + gap)));
    const tile = (width - gap * (this.#columns - 1)) / this.#columns;
    const row = tile + caption + gap;
    if (measure) {
      this.#container.style.setProperty("--tile", `${tile}px`);
      for (const { ids, list } of this.#sections)
        list.style.height = `${Math.ceil(ids.length / this.#columns) * row - gap}px`;
    }
    const tops = this.#sections.map(({ list }) => list.getBoundingClientRect().top);
    for (const [i, placed] of this.#sections.entries()) this.#fill(placed, tops[i]!, tile, row);
  }

  #soon(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.render());
  }

  #fill({ ids, list }: Placed, top: number, tile: number, row: number): void {
    const first = Math.max(0, Math.floor((-overscan - top) / row)) * this.#columns;
    const last = Math.min(
      ids.length,
      Math.max(0, Math.ceil((innerHeight + overscan - top) / row)) * this.#columns,
    );
    const wanted: number[] = [];
    for (let i = first; i < last; i++) wanted.push(i);
    const focused = document.activeElement?.closest<HTMLElement>("li[data-id]");
    if (focused && list.contains(focused)) {
      const at = ids.indexOf(focused.dataset["id"] ?? "");
      if (at >= 0 && at < first) wanted.unshift(at); // the focus must not vanish when it is scrolled away
      if (at >= Math.max(first, last)) wanted.push(at);
    }
    const items = wanted.map((index) => {
      const item = this.#itemOf(ids[index]!);
      const column = index % this.#columns;
      item.style.translate = `${column * (tile + this.#layout.gap)}px ${((index - column) / this.#columns) * row}px`;
      item.setAttribute("aria-posinset", String(index + 1));
      item.setAttribute("aria-setsize", String(ids.length));
      return item;
    });
    replaceItems(list, items);
  }
}

/** The list's children become `items`, in this order; what stays is not moved, so it keeps its focus. */
export function replaceItems(list: HTMLElement, items: readonly HTMLElement[]): void {
  const wanted = new Set<Element>(items);
  for (const child of Array.from(list.children)) if (!wanted.has(child)) child.remove();
  let cursor = list.firstChild;
  for (const item of items) {
    if (item === cursor) cursor = cursor.nextSibling;
    else list.insertBefore(item, cursor);
  }
}

/** A tile that leaves the virtual lists for an ordinary one. */
export function unplace(item: HTMLElement): void {
  item.style.removeProperty("translate");
  item.removeAttribute("aria-posinset");
  item.removeAttribute("aria-setsize");
}
