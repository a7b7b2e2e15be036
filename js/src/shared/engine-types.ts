// Words that page, worker and users share. No platform types here.

/** Which build of the engine runs: with or without relaxed SIMD, with or without threads. */
export type Variant = "simd" | "relaxed-simd" | "simd-threads" | "relaxed-simd-threads";
export type Tower = "text" | "vision";
export type DType = "f32" | "q8" | "q4";

/** What was loaded, and how it runs. */
export interface EngineInfo {
  readonly modelId: string;
  readonly revision: string;
  /** Licence of the weights, not of this package. */
  readonly license: string;
  readonly towers: readonly Tower[];
  readonly variant: Variant;
  readonly threads: number;
  readonly dtype: string;
  /** Lengths the model was trained for, ascending. Any length from 1 to `fullDimensions` may be asked for. */
  readonly dimensions: readonly number[];
  readonly fullDimensions: number;
  /** Longest text that is read, in tokens. */
  readonly maxTokens: number;
  /** Side of the square that pictures are brought to, in pixels; 0 without the vision tower. */
  readonly imageSize: number;
  readonly imageGrid: number;
  /** Bytes that the weights occupy in memory. */
  readonly residentBytes: number;
  /**
   * "simd": the same input gives the same bits on every machine. "relaxed-simd": rounded otherwise, up to 5.8e-3 in a component
   * (cosine at least 0.99965) against "simd"; machines differ among each other in the last digits.
   */
  readonly numerics: "simd" | "relaxed-simd";
  /** Builds that were tried before this one, in their order, and why they did not start. Empty as a rule. */
  readonly fallbacks: readonly FailedBuild[];
}

/** A build that did not start here. */
export interface FailedBuild {
  readonly variant: Variant;
  readonly threads: number;
  /** Names the file, the status or the policy, and what to change. */
  readonly reason: string;
}

/** Something that `load` could do without, and did. */
export interface LoadWarning {
  /** "not-kept": the model could not be kept in the cache. "other-build": the first choice of build could not start here. */
  readonly code: "not-kept" | "other-build";
  readonly detail: string;
}

/** Progress of `load`, in the shape of transformers.js's events. Never goes backwards. */
export interface LoadProgress {
  /** "progress_total" is the sum over all files; the others speak of `file`; "ready" comes last. */
  readonly status: "initiate" | "download" | "progress" | "done" | "ready" | "progress_total";
  /** The model, as it was given to `load`. */
  readonly name: string;
  /** Path inside the model's folder; empty for "progress_total" and "ready". */
  readonly file: string;
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes in all, once that is known. */
  readonly total: number | undefined;
  /** 0 … 100. */
  readonly progress: number;
  readonly fromCache: boolean;
}

/** A model in the cache. */
export interface CachedModel {
  /** Its address: for `load` and for `deleteCached`. */
  readonly model: string;
  /** The three as the pack's manifest gives them. */
  readonly modelId: string;
  readonly revision: string;
  readonly license: string;
  /** Bytes in the cache. */
  readonly bytes: number;
  /** Bytes of the whole pack. */
  readonly totalBytes: number;
  /** Towers whose files are complete, so that they load without a network. */
  readonly towers: readonly Tower[];
}
