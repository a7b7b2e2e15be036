// Recall by vector length, one plot a style: English and the mean of all languages, first result and first ten.

import type { LengthResult, StyleResult } from "../data/report.ts";
import { percent, scale, svg } from "./svg.ts";

export interface Series {
  readonly name: string;
  /** Of the colour and of the shape of its marks. */
  readonly className: string;
  readonly value: (result: LengthResult) => number;
}

export const series: readonly Series[] = [
  { name: "R@10 English", className: "series-a", value: ({ en }) => en[2] },
  { name: "R@10 mean of languages", className: "series-b", value: ({ listed }) => listed[2] },
  { name: "R@1 English", className: "series-a series-dashed", value: ({ en }) => en[0] },
  {
    name: "R@1 mean of languages",
    className: "series-b series-dashed",
    value: ({ listed }) => listed[0],
  },
];

const height = 270;
const [left, right, top, bottom] = [34, 46, 12, 44];

export function matryoshkaPlot({ lengths }: StyleResult, title: string, width: number): SVGElement {
  const first = lengths[0]?.length ?? 1;
  const last = Math.max(lengths.at(-1)?.length ?? 2, first + 1);
  const x = scale(
    { from: Math.log2(first), to: Math.log2(last) },
    { from: left, to: width - right },
  );
  const y = scale({ from: 0, to: 100 }, { from: height - bottom, to: top });
  const best = lengths.at(-1);
  const plot = svg("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": `${title}: recall by vector length${best ? `; at ${best.length} dimensions ${series.map(({ name, value }) => `${name} ${percent(value(best))}`).join(", ")}` : ""}`,
  });
  for (const tick of [0, 20, 40, 60, 80, 100]) {
    plot.append(
      svg("line", { class: "plot-grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      svg(
        "text",
        { class: "plot-label", x: left - 6, y: y(tick) + 4, "text-anchor": "end" },
        String(tick),
      ),
    );
  }
  for (const { length } of lengths) {
    plot.append(
      svg("line", {
        class: "plot-grid",
        x1: x(Math.log2(length)),
        x2: x(Math.log2(length)),
        y1: y(0),
        y2: y(0) + 4,
      }),
      svg(
        "text",
        { class: "plot-label", x: x(Math.log2(length)), y: y(0) + 18, "text-anchor": "middle" },
        String(length),
      ),
    );
  }
  plot.append(
    svg(
      "text",
      {
        class: "plot-label",
        x: (left + width - right) / 2,
        y: height - 6,
        "text-anchor": "middle",
      },
      "dimensions",
    ),
  );
  const ends = spread(
    series.map(({ value }) => (best ? y(value(best)) : 0)),
    13,
  );
  series.forEach(({ name, className, value }, i) => {
    const line = svg("g", { class: `plot-series ${className}` });
    line.append(
      svg("polyline", {
        points: lengths
          .map(
            (result) => `${x(Math.log2(result.length)).toFixed(1)},${y(value(result)).toFixed(1)}`,
          )
          .join(" "),
      }),
    );
    for (const result of lengths) {
      const label = `${name}, ${result.length} dimensions: ${percent(value(result))}`;
      line.append(
        svg("circle", {
          class: "plot-mark",
          cx: x(Math.log2(result.length)),
          cy: y(value(result)),
          r: 4,
        }),
        svg(
          "circle",
          { class: "plot-reach", cx: x(Math.log2(result.length)), cy: y(value(result)), r: 12 },
          svg("title", {}, label),
        ),
      );
    }
    if (best)
      line.append(
        svg(
          "text",
          { class: "plot-end", x: width - right + 9, y: ends[i]! + 4 },
          value(best).toFixed(1),
        ),
      );
    plot.append(line);
  });
  return plot;
}

/** Moves what would overlap apart, in its order from top to bottom. */
function spread(places: readonly number[], gap: number): number[] {
  const order = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place);
  for (let i = 1; i < order.length; i++)
    order[i]!.place = Math.max(order[i]!.place, order[i - 1]!.place + gap);
  const out = places.slice();
  for (const { place, index } of order) out[index] = place;
  return out;
}
