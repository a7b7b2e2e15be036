// The names of all options, one table for each type of types.ts; a name that is in no table is refused. The compiler compares
// each table with its type, so a new option cannot be forgotten here.
import type {
  CacheOptions,
  EmbedOptions,
  HubModel,
  HubOptions,
  ImageOptions,
  IndexOptions,
  LoadOptions,
  ManyOptions,
  ModelAddresses,
  SearchOptions,
  TextOptions,
} from "../types.js";

/** How the border (fence.ts) takes an option: as it is, as the call's signal, or as a callback whose errors end the call. */
export type OptionKind = "value" | "signal" | "callback";
export type OptionNames<T> = { readonly [K in keyof Required<T>]: OptionKind };

export const loadNames: OptionNames<LoadOptions> = {
  model: "value",
  towers: "value",
  variant: "value",
  threads: "value",
  maxTokens: "value",
  maxPixels: "value",
  dtype: "value",
  assetBase: "value",
  cache: "value",
  headers: "value",
  fetch: "value",
  selfTest: "value",
  profile: "value",
  decode: "value",
  signal: "signal",
  onProgress: "callback",
  onWarning: "callback",
  createWorker: "value",
  startTimeout: "value",
};

const embedNames: OptionNames<EmbedOptions & ManyOptions> = {
  dimensions: "value",
  normalized: "value",
  priority: "value",
  signal: "signal",
  onProgress: "callback",
};

export const textNames: OptionNames<TextOptions & ManyOptions> = {
  ...embedNames,
  task: "value",
  maxTokens: "value",
  tooLong: "value",
  normalizeText: "value",
};

export const imageNames: OptionNames<ImageOptions & ManyOptions> = {
  ...embedNames,
  orientation: "value",
  grid: "value",
  gray16: "value",
};

export const indexNames: OptionNames<IndexOptions> = { dimensions: "value" };
export const searchNames: OptionNames<SearchOptions> = { k: "value", signal: "signal" };
export const cacheNames: OptionNames<CacheOptions> = { cache: "value" };
export const hubModelNames: OptionNames<HubModel> = { hub: "value" };
export const hubNames: OptionNames<HubOptions> = {
  repo: "value",
  revision: "value",
  endpoint: "value",
  token: "value",
  fetch: "value",
};
export const addressNames: OptionNames<ModelAddresses> = { files: "value" };

/** The known name that `name` was probably meant to be; nothing when none is like it. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const given = name.toLowerCase().slice(0, 40);
  let [best, least] = [
    undefined as string | undefined,
    Math.max(2, Math.ceil(given.length / 2)) + 1,
  ];
  for (const candidate of known) {
    const away = editDistance(given, candidate.toLowerCase());
    if (away < least) [best, least] = [candidate, away];
  }
  return best;
}

// Letters to put in, leave out, replace or swap with their neighbour.
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        next[j] = Math.min(next[j]!, before[j - 2]! + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
