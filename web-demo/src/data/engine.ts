// Loads a model through the package, as any page would.

import { load, type Embedder, type Tower, type Variant } from "clipglot";
import type { ModelChoice } from "./model-choice.ts";

export interface LoadedEngine {
  readonly embedder: Embedder;
  readonly loadMs: number;
  /** Bytes of the model that were read. */
  readonly modelBytes: number;
}

export interface LoadState {
  readonly percent: number;
  readonly loaded: number;
  readonly total: number | undefined;
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
  const embedder = await load({
    model: choice.kind === "folder" ? choice.files : choice.url,
    towers,
    signal,
    ...overrides(),
    onProgress: (event) => {
      if (event.status !== "progress_total") return;
      modelBytes = event.loaded;
      onProgress({ percent: event.progress, loaded: event.loaded, total: event.total });
    },
  });
  return { embedder, loadMs: performance.now() - began, modelBytes };
}
