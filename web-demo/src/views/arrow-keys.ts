// Arrow keys among the buttons of a grid or list: one tab stop, left and right by order, up and down by place.

export interface ArrowKeys {
  /** Makes the first button the tab stop; call it after the order changed. */
  reset(): void;
  focusFirst(): void;
}

/** `reveal`: for containers that hold only what is in sight; adds the first or last button to the document. */
export function enableArrowKeys(
  container: HTMLElement,
  onLeaveTop: () => void,
  reveal?: (edge: "first" | "last") => void,
): ArrowKeys {
  let current: HTMLElement | undefined;
  const buttons = () => Array.from(container.querySelectorAll<HTMLElement>("[data-cell]"));

  function select(button: HTMLElement | undefined): void {
    if (current) current.tabIndex = -1;
    current = button;
    if (current) current.tabIndex = 0;
  }

  container.addEventListener("focusin", (event) => {
    const button =
      event.target instanceof HTMLElement ? event.target.closest<HTMLElement>("[data-cell]") : null;
    if (button) select(button);
  });

  container.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !current || event.target !== current)
      return;
    if (event.key === "Home" || event.key === "End")
      reveal?.(event.key === "Home" ? "first" : "last");
    const all = buttons();
    const target = neighbour(all, current, event.key);
    if (target === undefined) return;
    event.preventDefault();
    if (target === "above") onLeaveTop();
    else target?.focus();
  });

  return {
    reset: () => {
      const focused = document.activeElement;
      const keep =
        focused instanceof HTMLElement &&
        container.contains(focused) &&
        focused.matches("[data-cell]");
      select(keep ? (focused as HTMLElement) : buttons()[0]);
    },
    focusFirst: () => buttons()[0]?.focus(),
  };
}

/** undefined: not our key; null: nowhere to go; "above": out of the top row. */
function neighbour(
  all: readonly HTMLElement[],
  from: HTMLElement,
  key: string,
): HTMLElement | null | "above" | undefined {
  const position = all.indexOf(from);
  switch (key) {
    case "ArrowLeft":
      return all[position - 1] ?? null;
    case "ArrowRight":
      return all[position + 1] ?? null;
    case "Home":
      return all[0] ?? null;
    case "End":
      return all.at(-1) ?? null;
    case "ArrowUp":
      return nearest(all, from, -1) ?? "above";
    case "ArrowDown":
      return nearest(all, from, 1);
    default:
      return undefined;
  }
}

/** The button in the closest row above (−1) or below (1), and of that row the one most in line. */
function nearest(
  all: readonly HTMLElement[],
  from: HTMLElement,
  direction: -1 | 1,
): HTMLElement | null {
  const own = from.getBoundingClientRect();
  const ownX = own.left + own.width / 2;
  let best: HTMLElement | null = null;
  let bestGap = Infinity;
  let bestShift = Infinity;
  for (const button of all) {
    const rect = button.getBoundingClientRect();
    if (rect.width === 0) continue; // hidden
    const gap = direction === 1 ? rect.top - own.bottom : own.top - rect.bottom;
    if (gap < -1) continue;
    const shift = Math.abs(rect.left + rect.width / 2 - ownX);
    if (gap < bestGap - 1 || (gap < bestGap + 1 && shift < bestShift))
      [best, bestGap, bestShift] = [button, gap, shift];
  }
  return best;
}
