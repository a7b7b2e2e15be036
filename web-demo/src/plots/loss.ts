// What smaller weights cost: percentage points against f32, one row a style, language and measure.

import { points, scale, svg, ticks } from "./svg.ts";

export interface LossRow {
  readonly group: string;
  readonly label: string;
  /** dtype → points against f32; negative is a loss. */
  readonly change: ReadonlyMap<string, number>;
}

const rowHeight = 26;
const groupHeight = 30;
const markGap = 9; // between two dtypes of one row
const [top, bottom, right] = [6, 34, 20];

export function lossPlot(
  rows: readonly LossRow[],
  dtypes: readonly string[],
  width: number,
): SVGElement {
  const left = Math.min(190, width * 0.42);
  const all = rows.flatMap(({ change }) => Array.from(change.values()));
  const reach = {
    from: Math.min(-1, Math.floor(Math.min(...all) * 2) / 2),
    to: Math.max(0.5, Math.ceil(Math.max(...all) * 2) / 2),
  };
  const x = scale(reach, { from: left, to: width - right });
  const groups = new Set(rows.map(({ group }) => group));
  const height = top + groups.size * groupHeight + rows.length * rowHeight + bottom;
  const worst = dtypes
    .map(
      (dtype) =>
        `${dtype} ${points(Math.min(...rows.map(({ change }) => change.get(dtype) ?? 0)))}`,
    )
    .join(", ");
  const plot = svg("svg", {
    class: "plot",
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": `Change in percentage points against f32; the largest loss of each: ${worst}`,
  });
  for (const tick of ticks(reach, width < 500 ? 4 : 8)) {
    plot.append(
      svg("line", {
        class: Math.abs(tick) < 1e-9 ? "plot-zero" : "plot-grid",
        x1: x(tick),
        x2: x(tick),
        y1: top,
        y2: height - bottom,
      }),
      svg(
        "text",
        { class: "plot-label", x: x(tick), y: height - bottom + 18, "text-anchor": "middle" },
        tick === 0 ? "f32" : points(tick).replace(/0$/, ""),
      ),
    );
  }
  let y = top;
  let group = "";
  for (const row of rows) {
    if (row.group !== group) {
      group = row.group;
      y += groupHeight;
      plot.append(svg("text", { class: "plot-group", x: 0, y: y - 8 }, group));
    }
    const middle = y + rowHeight / 2;
    plot.append(svg("text", { class: "plot-label", x: 8, y: middle + 4 }, row.label));
    dtypes.forEach((dtype, i) => {
      const change = row.change.get(dtype);
      if (change === undefined) return;
      const cy = middle + (i - (dtypes.length - 1) / 2) * markGap;
      const mark = svg("g", { class: `plot-series ${i === 0 ? "series-a" : "series-b"}` });
      mark.append(
        svg("line", { class: "plot-stem", x1: x(0), x2: x(change), y1: cy, y2: cy }),
        svg("circle", { class: "plot-mark", cx: x(change), cy, r: 4.5 }),
        svg(
          "circle",
          { class: "plot-reach", cx: x(change), cy, r: 9 },
          svg("title", {}, `${group}, ${row.label}, ${dtype}: ${points(change)} points`),
        ),
      );
      plot.append(mark);
    });
    y += rowHeight;
  }
  return plot;
}
