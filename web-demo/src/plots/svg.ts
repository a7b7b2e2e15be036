// Small SVG plots without a library: elements, a linear scale, and drawing again when the width changes.

type Attributes = Readonly<Record<string, string | number>>;

export function svg(
  tag: string,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes))
    element.setAttribute(
      name,
      typeof value === "number" ? String(Math.round(value * 100) / 100) : value,
    );
  element.append(...children);
  return element;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

export function scale(values: Range, pixels: Range): (value: number) => number {
  return (value) =>
    pixels.from + ((value - values.from) / (values.to - values.from)) * (pixels.to - pixels.from);
}

/** Round steps over a range, about `wanted` of them. */
export function ticks({ from, to }: Range, wanted: number): number[] {
  const rough = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const found: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i++) found.push(i * step);
  return found;
}

/** Puts `draw(width)` into the container, again whenever its width changes, so that letters keep their size. */
export function drawToFit(container: HTMLElement, draw: (width: number) => SVGElement): void {
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.floor(container.clientWidth);
    if (width === 0 || width === drawn) return;
    drawn = width;
    container.replaceChildren(draw(width));
  }).observe(container);
}

export function percent(value: number): string {
  return `${value.toFixed(1)} %`;
}

/** Percentage points with their sign. */
export function points(value: number): string {
  const rounded = Math.abs(value) < 0.005 ? 0 : value;
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded).toFixed(2)}`;
}
