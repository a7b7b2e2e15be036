// A plot with its title, and the same values as a table, for those who prefer it or cannot see the plot.

import { make } from "../dom.ts";
import { drawToFit } from "./svg.ts";

export interface TableContent {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function figure(
  title: string,
  draw: (width: number) => SVGElement,
  content: TableContent,
): HTMLElement {
  const plot = make("div", { class: "figure-plot" });
  const data = make("div", { class: "figure-table" }, table(content, title));
  data.hidden = true;
  const toggle = make("button", {
    class: "link-button",
    text: "Table",
    attributes: {
      type: "button",
      "aria-pressed": "false",
      "aria-label": `${title}: show the values as a table`,
    },
  });
  toggle.addEventListener("click", () => {
    data.hidden = !data.hidden;
    plot.hidden = !data.hidden;
    toggle.setAttribute("aria-pressed", String(!data.hidden));
    toggle.textContent = data.hidden ? "Table" : "Plot";
  });
  drawToFit(plot, draw);
  return make(
    "figure",
    { class: "figure" },
    make("figcaption", { class: "figure-head" }, make("h3", { text: title }), toggle),
    plot,
    data,
  );
}

export function table({ head, rows }: TableContent, caption: string): HTMLTableElement {
  return make(
    "table",
    { class: "numbers" },
    make("caption", { class: "visually-hidden", text: caption }),
    make(
      "thead",
      {},
      make("tr", {}, ...head.map((text) => make("th", { text, attributes: { scope: "col" } }))),
    ),
    make(
      "tbody",
      {},
      ...rows.map(([first, ...cells]) =>
        make(
          "tr",
          {},
          make("th", { text: first ?? "", attributes: { scope: "row" } }),
          ...cells.map((text) => make("td", { class: "numeric", text })),
        ),
      ),
    ),
  );
}
