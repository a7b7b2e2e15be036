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
export const scriptCodes = [
  "network",
  "unreadable",
  "start-failed",
  "disposed",
  "engine-lost",
  "model-mismatch",
] as const;

export type EngineCode = (typeof engineCodes)[number];

/**
 * What went wrong, and how to recover:
 * - `invalid-argument`, `invalid-text`, `invalid-image`, `too-long`, `not-loaded`, `disposed`,
 *   `model-mismatch`: correct the call or its input
 * - `network`: an address did not answer, or refused; try again, or check what `detail` names
 * - `unreadable`: a file, folder, Blob or `ModelSource` of the caller's cannot be read; give another
 * - `corrupt-model`: get the model again
 * - `start-failed`: the engine cannot start here; `detail` names the file, header or policy to fix
 * - `unsupported-version`, `unsupported-model`: another version of this package, or another model
 * - `out-of-memory`: load one tower instead of two, or a smaller model
 * - `engine-lost`: the engine is gone (its worker ended or trapped); load again
 * - `internal`: a bug in this package
 */
export type ErrorCode = Exclude<EngineCode, "ok" | "cancelled"> | (typeof scriptCodes)[number];

/** The only class of errors with which the package's promises reject, beside the reason of a signal. */
export class EmbedError extends Error {
  /** Always "EmbedError": for values of another realm, where `instanceof` does not help. */
  override readonly name = "EmbedError";
  /** For programs. */
  readonly code: ErrorCode;
  /** For people: names the offending thing (argument, file, tensor, place). */
  readonly detail: string;

  /** Makes an error; the message is made of code and detail. */
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
