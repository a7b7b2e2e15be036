// ARIA tabs: arrow keys move and select, Home and End jump.

import { byId } from "../dom.ts";
import { count as formatCount } from "../format.ts";

const names = ["pictures", "texts"] as const;
export type TabName = (typeof names)[number];

export class Tabs {
  #selected: TabName = "pictures";
  readonly #onSelect: (name: TabName) => void;

  constructor(onSelect: (name: TabName) => void) {
    this.#onSelect = onSelect;
    names.forEach((name, index) => {
      const tab = tabOf(name);
      tab.addEventListener("click", () => this.select(name));
      tab.addEventListener("keydown", (event) => {
        const next = {
          ArrowRight: index + 1,
          ArrowLeft: index - 1,
          Home: 0,
          End: names.length - 1,
        }[event.key];
        if (next === undefined) return;
        event.preventDefault();
        const target = names[(next + names.length) % names.length]!;
        this.select(target);
        tabOf(target).focus();
      });
    });
  }

  get selected(): TabName {
    return this.#selected;
  }

  select(name: TabName): void {
    if (name === this.#selected) return;
    this.#selected = name;
    for (const each of names) {
      tabOf(each).setAttribute("aria-selected", String(each === name));
      tabOf(each).tabIndex = each === name ? 0 : -1;
      byId(`panel-${each}`, HTMLElement).hidden = each !== name;
    }
    this.#onSelect(name);
  }

  setCount(name: TabName, count: number): void {
    byId(`count-${name}`, HTMLElement).textContent = formatCount(count);
  }
}

function tabOf(name: TabName): HTMLButtonElement {
  return byId(`tab-${name}`, HTMLButtonElement);
}
