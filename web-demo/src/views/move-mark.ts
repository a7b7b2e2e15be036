// "▲ 3": what a shorter vector did to one result.

import { make } from "../dom.ts";

export function describeMove(move: number): string {
  const places = Math.abs(move);
  return move === 0
    ? ""
    : `${move > 0 ? "up" : "down"} ${places} ${places === 1 ? "place" : "places"}`;
}

export function updateMoveMark(mark: HTMLElement, move: number): void {
  mark.hidden = move === 0;
  mark.className = `move ${move > 0 ? "move-up" : "move-down"}`;
  mark.textContent = move === 0 ? "" : `${move > 0 ? "▲" : "▼"}${Math.abs(move)}`;
}

export function makeMoveMark(): HTMLElement {
  const mark = make("span", { class: "move", attributes: { "aria-hidden": "true" } });
  mark.hidden = true;
  return mark;
}
