// The one error class of the package, and the table of codes.

/**
 * Codes of the engine. The place in this list is the number in `src/base/status.h`; a test compares the two.
 * "ok" and "cancelled" never reach the user: a cancelled call rejects with the reason of its signal.
 */
export const engineCodes = [
  "ok",
  "invalid-argument",
  "unsupported-version",
  "unsupported-model",
  "corrupt-model",
  "out-of-memory",
  "invalid-text",
  "invalid-image",
  "too-long",
  "not-loaded",
  "cancelled",
  "internal",
] as const;

/** Codes that exist only on this side. */
export const scriptCodes = ["network", "disposed", "engine-lost", "model-mismatch"] as const;

export type EngineCode = (typeof engineCodes)[number];

/**
 * What went wrong, and who can mend it:
 * - `invalid-argument`, `invalid-text`, `invalid-image`, `too-long`, `not-loaded`, `disposed`, `model-mismatch`: the caller
 * - `corrupt-model`, `network`: load again, from a source that works
 * - `unsupported-version`, `unsupported-model`: another version of this package, or another model
 * - `out-of-memory`: one tower instead of two, a smaller model
 * - `engine-lost`: the engine is gone (its worker ended or trapped); load again
 * - `internal`: a bug of ours
 */
export type ErrorCode = Exclude<EngineCode, "ok" | "cancelled"> | (typeof scriptCodes)[number];

export class EmbedError extends Error {
  override readonly name = "EmbedError";
  /** For programs. */
  readonly code: ErrorCode;
  /** For people: names the offending thing (argument, file, tensor, place). */
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }
}

/** The engine's number as a code; unknown numbers are bugs. */
export function engineCode(code: number): EngineCode {
  return engineCodes[code] ?? "internal";
}
