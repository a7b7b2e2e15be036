// The report on the emoji model, as `npm run emoji-report` writes it: the parts that the page shows, checked.

import { fetchJson } from "./files.ts";

/** Percent of queries whose answer is the first result, among the first five, among the first ten. */
export type Recalls = readonly [r1: number, r5: number, r10: number];

export interface LengthResult {
  readonly length: number;
  readonly en: Recalls;
  /** Mean of the listed languages. */
  readonly listed: Recalls;
}

export interface StyleResult {
  readonly style: string;
  /** By vector length, ascending. */
  readonly lengths: readonly LengthResult[];
}

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly engine: string;
  readonly modelId: string;
  readonly concepts: number | undefined;
  readonly languages: number | undefined;
  /** "f32", "q8", "q4" → results of each style; always at least one. */
  readonly dtypes: ReadonlyMap<string, readonly StyleResult[]>;
  /** The dtype of the model that is shipped. */
  readonly shipped: string;
  readonly nearest: readonly {
    readonly style: string;
    readonly vectors: number;
    readonly pixels: number;
  }[];
}

type Json = { readonly [name: string]: unknown };

export async function fetchReport(): Promise<Report> {
  return parseReport(await fetchJson<unknown>("models/emoji/report.json"));
}

export function parseReport(json: unknown): Report {
  const report = object(json, "the report");
  const dtypes = new Map(
    Object.entries(object(report["dtypes"], "dtypes")).map(([dtype, styles]) => [
      dtype,
      parseStyles(object(styles, dtype), dtype),
    ]),
  );
  if (dtypes.size === 0) throw new Error("report.json: no results");
  const pack = isObject(report["pack"]) ? report["pack"] : {};
  const shipped = text(pack["dtype"]);
  return {
    date: text(report["date"]),
    machine: text(report["machine"]),
    engine: text(report["engine"]),
    modelId: text(pack["modelId"]) || "the emoji model",
    concepts: amount(report["concepts"]),
    languages: amount(report["listed"]),
    dtypes,
    shipped: dtypes.has(shipped)
      ? shipped
      : dtypes.has("q8")
        ? "q8"
        : Array.from(dtypes.keys())[0]!,
    nearest: isObject(report["nearest"])
      ? Object.entries(report["nearest"]).flatMap(([style, row]) => parseNearest(style, row))
      : [],
  };
}

function parseStyles(styles: Json, dtype: string): StyleResult[] {
  return Object.entries(styles).map(([style, lengths]) => ({
    style,
    lengths: Object.entries(object(lengths, `${dtype}.${style}`))
      .map(([length, row]) => {
        const where = `${dtype}.${style}.${length}`;
        const { en, listed } = object(row, where) as { en: unknown; listed: unknown };
        return {
          length: number(Number(length), where),
          en: recalls(en, where),
          listed: recalls(listed, where),
        };
      })
      .sort((a, b) => a.length - b.length),
  }));
}

function parseNearest(style: string, row: unknown): Report["nearest"] {
  if (!isObject(row)) return [];
  const first = (value: unknown) => (Array.isArray(value) ? (value as unknown[])[0] : value);
  const [vectors, pixels] = [first(row["pictures"]), first(row["pixels"])];
  return typeof vectors === "number" && typeof pixels === "number"
    ? [{ style, vectors, pixels }]
    : [];
}

function recalls(value: unknown, where: string): Recalls {
  if (!Array.isArray(value) || value.length < 3)
    throw new Error(`report.json: ${where} has no three recalls`);
  return [0, 1, 2].map((i) => number((value as unknown[])[i], where)) as unknown as Recalls;
}

function number(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new Error(`report.json: ${where} is no number`);
  return value;
}

function object(value: unknown, where: string): Json {
  if (!isObject(value)) throw new Error(`report.json: ${where} is missing`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A number, or how many a list holds. */
function amount(value: unknown): number | undefined {
  return Array.isArray(value) ? value.length : typeof value === "number" ? value : undefined;
}
