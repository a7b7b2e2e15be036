// Types that client, worker and users share. No platform types here.

/** Which build of the engine runs: with or without relaxed SIMD, with or without threads. */
export type Variant = "simd" | "relaxed-simd" | "simd-threads" | "relaxed-simd-threads";
/** Half of the model: the text or the image encoder. */
export type Tower = "text" | "vision";
/** Format of the weights: 32-bit floats, or quantised to 8 or 4 bits. */
export type DType = "f32" | "q8" | "q4";

/** What was loaded, and how it runs. */
export interface EngineInfo {
  /** The model's name, e.g. "jinaai/jina-clip-v2". */
  readonly modelId: string;
  /** The model's version. */
  readonly revision: string;
  /** Licence of the weights, not of this package. */
  readonly license: string;
  /** Towers that are loaded. */
  readonly towers: readonly Tower[];
  /** The build that runs. */
  readonly variant: Variant;
  /** Threads that compute. */
  readonly threads: number;
  /** Format of the weights: "f32", "q8" or "q4". */
  readonly dtype: DType;
  /** Vector lengths that the model was trained for, ascending. Any length from 1 to `fullDimensions` may be asked for. */
  readonly dimensions: readonly number[];
  /** Length of a whole vector. */
  readonly fullDimensions: number;
  /** Tokens of the longest text that is read. */
  readonly maxTokens: number;
  /** Pixels per side of the square to which pictures are resized; 0 without the vision tower. */
  readonly imageSize: number;
  /** Patches per side of that square: the largest `grid` of `ImageOptions`; 0 without the vision tower. */
  readonly imageGrid: number;
  /** Bytes that the weights occupy in memory. */
  readonly residentBytes: number;
  /**
   * "simd": the same input gives the same bits on every machine. "relaxed-simd": rounding differs from "simd", by
   * up to 5.8e-3 in a component (cosine at least 0.99965); machines whose instructions differ (x86 with or without VNNI, Arm)
   * differ from each other in the same order.
   */
  readonly numerics: "simd" | "relaxed-simd";
  /** Builds that were tried before this one, in order, and why they did not start. Usually empty. */
  readonly fallbacks: readonly FailedBuild[];
}

/** A build that did not start here. */
export interface FailedBuild {
  /** The build. */
  readonly variant: Variant;
  /** Threads that it should have had. */
  readonly threads: number;
  /** Names the file, the status or the policy, and what to change. */
  readonly reason: string;
}

/** A feature that `load` continued without. */
export interface LoadWarning {
  /** "not-kept": the model could not be kept in the cache. "other-build": the first choice of build could not start here. */
  readonly code: "not-kept" | "other-build";
  /** For people: what failed and why. */
  readonly detail: string;
}

/** Progress of `load`, in the shape of transformers.js's events. Never goes backwards. */
export interface LoadProgress {
  /** "progress_total" is the sum over all files; the others are about `file`; "ready" comes last. */
  readonly status: "initiate" | "download" | "progress" | "done" | "ready" | "progress_total";
  /** The model, as it was given to `load`. */
  readonly name: string;
  /** Path inside the model's folder; empty for "progress_total" and "ready". */
  readonly file: string;
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes in all, once that is known. */
  readonly total: number | undefined;
  /** Percent of the bytes: 0 … 100. */
  readonly progress: number;
  /** Whether the bytes come from the cache. */
  readonly fromCache: boolean;
  /** Of "progress_total": seconds that the rest will take at the speed so far; left out while that is not known. */
  readonly secondsLeft?: number;
  /** Of "progress_total": SPDX identifier of the licence of the weights, to be shown; left out while it is not known. */
  readonly license?: string;
}

/** A model in the cache. */
export interface CachedModel {
  /** Its address: for `load` and for `deleteCached`. */
  readonly model: string;
  /** Name of the model, from its manifest. */
  readonly modelId: string;
  /** Revision of the checkpoint that the pack was made from. */
  readonly revision: string;
  /** SPDX identifier of the licence of the weights. */
  readonly license: string;
  /** Format of the weights: "f32", "q8" or "q4". */
  readonly dtype: string;
  /** Bytes in the cache. */
  readonly bytes: number;
  /** Bytes of the whole pack. */
  readonly totalBytes: number;
  /** Towers whose files are complete, so that they load without a network. */
  readonly towers: readonly Tower[];
}
