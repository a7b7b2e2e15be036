// Loads a model through the package, as any page would.

import { load, type Embedder, type LoadOptions, type Tower, type Variant } from "clipglot";
import type { ModelChoice } from "./choice.ts";
import { hubModel } from "./hub-models.ts";

export interface LoadedEngine {
  readonly embedder: Embedder;
  readonly loadMs: number;
  /** Bytes of the model that were read. */
  readonly modelBytes: number;
  /** Why the model is not kept for the next visit; absent when it is. */
  readonly notKept?: string;
}

export interface LoadState {
  readonly percent: number;
  readonly loaded: number;
  readonly total: number | undefined;
  /** At the speed so far. */
  readonly secondsLeft: number | undefined;
  readonly license: string | undefined;
  readonly fromCache: boolean;
}

/** `?variant=simd&threads=1` in the address overrides what the package would choose, to compare variants. */
function overrides(): { variant?: Variant; threads?: number } {
  const parameters = new URLSearchParams(location.search);
  const variant = parameters.get("variant");
  const threads = Number(parameters.get("threads"));
  return {
    ...(variant !== null && { variant: variant as Variant }), // the package refuses a name it does not know
    ...(Number.isInteger(threads) && threads > 0 && { threads }),
  };
}

export async function loadEngine(
  choice: ModelChoice,
  towers: readonly Tower[],
  signal: AbortSignal,
  onProgress: (state: LoadState) => void,
): Promise<LoadedEngine> {
  const began = performance.now();
  let modelBytes = 0;
  let notKept: string | undefined;
  const embedder = await load({
    ...modelOf(choice),
    towers,
    signal,
    ...overrides(),
    onWarning: ({ code, detail }) => {
      if (code === "not-kept") notKept = detail;
    },
    onProgress: ({ status, progress, loaded, total, secondsLeft, license, fromCache }) => {
      if (status !== "progress_total") return;
      modelBytes = loaded;
      onProgress({ percent: progress, loaded, total, secondsLeft, license, fromCache });
    },
  });
  const loadMs = performance.now() - began;
  return { embedder, loadMs, modelBytes, ...(notKept !== undefined && { notKept }) };
}

function modelOf(choice: ModelChoice): Pick<LoadOptions, "model" | "dtype"> {
  if (choice.kind === "folder") return { model: choice.files };
  if (choice.kind !== "hub") return { model: choice.url };
  return { model: hubModel(choice), dtype: choice.dtype };
}
