// The page of the emoji model's quality: Matryoshka curves, the loss of smaller weights, and the plain baseline.

import { fetchReport, type Report, type StyleResult } from "./data/report.ts";
import { byId, make } from "./dom.ts";
import { count } from "./format.ts";
import { figure, table } from "./plots/figure.ts";
import { lossPlot, type LossRow } from "./plots/loss.ts";
import { matryoshkaPlot, series } from "./plots/matryoshka.ts";
import { percent, points } from "./plots/svg.ts";
import { enableThemeButton } from "./views/theme.ts";

const dtypeNames: Readonly<Record<string, string>> = {
  f32: "32-bit (f32)",
  q8: "8-bit (q8)",
  q4: "4-bit (q4)",
};
const dtypeOrder = ["f32", "q8", "q4"];
const styleNames: Readonly<Record<string, string>> = {
  twemoji: "Twemoji",
  emojione: "EmojiOne",
  openmoji: "OpenMoji",
  noto: "Noto",
};
const styleName = (style: string) => styleNames[style] ?? style;

enableThemeButton();
void start();

async function start(): Promise<void> {
  try {
    const report = await fetchReport();
    showIntro(report);
    offerDtypes(report);
    showLoss(report);
    showNearest(report);
  } catch (error) {
    const problem = byId("curve-problem", HTMLElement);
    problem.textContent = `The report cannot be shown: ${error instanceof Error ? error.message : String(error)}. It is made by: npm run emoji-report`;
    problem.hidden = false;
  } finally {
    byId("curve", HTMLElement).setAttribute("aria-busy", "false");
  }
}

function showIntro({ modelId, concepts, languages, date, machine, engine }: Report): void {
  const intro = byId("curve-intro", HTMLElement);
  const asked = [
    concepts ? `each of ${count(concepts)} emoji` : "each emoji",
    languages ? `in ${count(languages)} languages` : "in many languages",
  ].join(" ");
  intro.textContent = `${modelId} was asked for ${asked} by its Unicode name, and had to find it among all pictures of a style that it was never trained on.`;
  intro.hidden = false;
  byId("curve-source", HTMLElement).textContent = [
    "Numbers: models/emoji/report.json",
    date,
    engine,
    machine,
  ]
    .filter(Boolean)
    .join(" · ");
}

function offerDtypes(report: Report): void {
  const dtypes = dtypeOrder.filter((dtype) => report.dtypes.has(dtype));
  byId("matryoshka-choices", HTMLElement).replaceChildren(
    ...dtypes.map((dtype) => {
      const radio = make("input", { attributes: { type: "radio", name: "dtype", value: dtype } });
      radio.checked = dtype === report.shipped;
      radio.addEventListener("change", () => showCurves(report.dtypes.get(dtype)!));
      return make(
        "label",
        { class: "segment" },
        radio,
        make("span", { text: dtypeNames[dtype] ?? dtype }),
      );
    }),
  );
  byId("matryoshka-legend", HTMLElement).replaceChildren(
    ...series.map(({ name, className }) =>
      make("span", { class: `legend-item ${className}` }, make("i"), name),
    ),
  );
  showCurves(report.dtypes.get(report.shipped)!);
  byId("matryoshka", HTMLElement).hidden = false;
}

function showCurves(styles: readonly StyleResult[]): void {
  byId("matryoshka-plots", HTMLElement).replaceChildren(
    ...styles.map((result) =>
      figure(
        styleName(result.style),
        (width) => matryoshkaPlot(result, styleName(result.style), width),
        {
          head: ["Numbers", ...series.map(({ name }) => name)],
          rows: result.lengths.map((at) => [
            String(at.length),
            ...series.map(({ value }) => percent(value(at))),
          ]),
        },
      ),
    ),
  );
}

/** Rows of points against f32 at the longest vector that both have. */
function lossRows(report: Report, dtypes: readonly string[]): LossRow[] {
  const exact = report.dtypes.get("f32") ?? [];
  return exact.flatMap(({ style, lengths }) => {
    const base = lengths.at(-1);
    if (!base) return [];
    return series.map(({ name, value }) => ({
      group: styleName(style),
      label: name,
      change: new Map(
        dtypes.flatMap((dtype): [string, number][] => {
          const other = report.dtypes
            .get(dtype)
            ?.find((result) => result.style === style)
            ?.lengths.find(({ length }) => length === base.length);
          return other ? [[dtype, value(other) - value(base)]] : [];
        }),
      ),
    }));
  });
}

function showLoss(report: Report): void {
  const dtypes = dtypeOrder.filter((dtype) => dtype !== "f32" && report.dtypes.has(dtype));
  const rows = lossRows(report, dtypes);
  if (rows.length === 0 || dtypes.length === 0) return;
  byId("quantisation-legend", HTMLElement).replaceChildren(
    ...dtypes.map((dtype, i) =>
      make(
        "span",
        { class: `legend-item ${i === 0 ? "series-a" : "series-b"}` },
        make("i"),
        dtypeNames[dtype] ?? dtype,
      ),
    ),
  );
  byId("quantisation-plots", HTMLElement).replaceChildren(
    figure("Percentage points against f32", (width) => lossPlot(rows, dtypes, width), {
      head: ["Style and measure", ...dtypes],
      rows: rows.map(({ group, label, change }) => [
        `${group}, ${label}`,
        ...dtypes.map((dtype) => (change.has(dtype) ? points(change.get(dtype)!) : "–")),
      ]),
    }),
  );
  byId("quantisation", HTMLElement).hidden = false;
}

function showNearest({ nearest }: Report): void {
  if (nearest.length === 0) return;
  byId("nearest-table", HTMLElement).replaceChildren(
    table(
      {
        head: ["Style", "By our vectors", "By pixels"],
        rows: nearest.map(({ style, vectors, pixels }) => [
          styleName(style),
          percent(vectors),
          percent(pixels),
        ]),
      },
      "Nearest training picture of the same emoji",
    ),
  );
  byId("nearest", HTMLElement).hidden = false;
}
