// Lets tiles glide from their old place to the new one when a ranking changes.

import { prefersReducedMotion } from "../dom.ts";

const duration = 220;

/** Runs `change`, then moves the elements that are in sight from where they were. */
export function glide(elements: readonly HTMLElement[], change: () => void): void {
  if (prefersReducedMotion() || document.hidden) return change();
  const before = new Map(elements.map((element) => [element, element.getBoundingClientRect()]));
  change();
  const height = innerHeight;
  const moves: [HTMLElement, string][] = [];
  for (const [element, from] of before) {
    const to = element.getBoundingClientRect();
    if (to.width === 0 || from.width === 0 || to.top > height || to.bottom < 0) continue;
    if (Math.abs(from.left - to.left) < 1 && Math.abs(from.top - to.top) < 1) continue;
    const scale = from.width / to.width;
    moves.push([
      element,
      `translate(${from.left - to.left}px, ${from.top - to.top}px) scale(${scale})`,
    ]);
  }
  for (const [element, transform] of moves) {
    element.animate(
      [
        { transform, transformOrigin: "0 0" },
        { transform: "none", transformOrigin: "0 0" },
      ],
      {
        duration,
        easing: "cubic-bezier(0.2, 0.8, 0.2, 1)",
      },
    );
  }
}
