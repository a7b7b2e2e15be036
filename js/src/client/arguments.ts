// Checks what callers give and turns it into what the engine takes. The engine checks again; these messages come sooner
// and name the argument.
import { EmbedError } from "../errors.js";
import type { EngineInfo } from "../shared/engine-types.js";
import type { ImageSettings, TextSettings, VectorSettings } from "../shared/protocol.js";
import { unpairedSurrogate } from "../shared/unicode.js";
import { isUrl, tagOf } from "../shared/values.js";
import type { EmbedOptions, ImageOptions, TextOptions } from "../types.js";
import type { Lane } from "./queue.js";

/** Max bytes of UTF-8 that the tokenizer reads (kMaxTextBytes in src/text/tokenizer.cc); a longer text is not sent to it. */
export const maxTextBytes = 16 << 20;
/** Max bytes of an index (kMaxBytes in src/index/flat_index.cc). */
export const maxIndexBytes = 2 ** 31;

export function invalid(detail: string): EmbedError {
  return new EmbedError("invalid-argument", detail);
}

/** How a wrong value is shown in a message. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (value === null || (typeof value !== "object" && typeof value !== "function"))
    return String(value);
  return tagOf(value);
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
    throw invalid(`${name} must be an integer from ${min} to ${max}, not ${shown(value)}`);
  return value;
}

/** An optional argument that is one of a few words. */
export function checkWord<T extends string>(
  name: string,
  value: unknown,
  words: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback;
  if (!words.includes(value as T))
    throw invalid(
      `${name} must be one of ${words.map((w) => `"${w}"`).join(", ")}, not ${shown(value)}`,
    );
  return value as T;
}

export function checkBoolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== "boolean")
    throw invalid(`${name} must be true or false, not ${shown(value)}`);
  return value;
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function")
    throw invalid(`${name} must be a function, not ${shown(value)}`);
}

export function checkOptions(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null)
    throw invalid(`${name} must be an object, not ${shown(value)}`);
}

export function checkSignal(value: unknown): void {
  if (value === undefined) return;
  if (
    typeof value !== "object" ||
    value === null ||
    typeof (value as AbortSignal).addEventListener !== "function" ||
    typeof (value as AbortSignal).aborted !== "boolean"
  )
    throw invalid(`signal must be an AbortSignal, not ${shown(value)}`);
}

/** An address or a path, given as text or as URL. */
export function checkAddress(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  if (isUrl(value)) return value.href;
  throw invalid(`${name} must be a URL or a string that is not empty, not ${shown(value)}`);
}

/** A text that UTF-8 can express. `name` is how the caller would call it, e.g. "texts[3]". */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(`${name} must be a string, not ${shown(value)}`);
  if (value.length > maxTextBytes)
    throw invalid(
      `${name} has ${value.length} characters; texts have at most ${maxTextBytes} bytes in UTF-8`,
    );
  const place = unpairedSurrogate(value);
  if (place >= 0)
    throw new EmbedError("invalid-text", `${name} has an unpaired surrogate at position ${place}`);
  return value;
}

function vectorSettings(options: EmbedOptions, info: EngineInfo): VectorSettings {
  const dimensions =
    options.dimensions === undefined
      ? 0
      : checkInteger("dimensions", options.dimensions, 1, info.fullDimensions);
  return { dimensions, normalized: checkBoolean("normalized", options.normalized, true) };
}

export function textSettings(options: TextOptions, info: EngineInfo): TextSettings {
  return {
    ...vectorSettings(options, info),
    task: checkWord("task", options.task, ["", "retrieval.query"], ""),
    maxTokens:
      options.maxTokens === undefined
        ? 0
        : checkInteger("maxTokens", options.maxTokens, 2, info.maxTokens),
    errorWhenTooLong:
      checkWord("tooLong", options.tooLong, ["truncate", "error"], "truncate") === "error",
    normalizeNfc: checkWord("normalizeText", options.normalizeText, ["", "NFC"], "") === "NFC",
  };
}

export function imageSettings(options: ImageOptions, info: EngineInfo): ImageSettings {
  return {
    ...vectorSettings(options, info),
    ignoreOrientation:
      checkWord("orientation", options.orientation, ["exif", "ignore"], "exif") === "ignore",
    grid: options.grid === undefined ? 0 : checkInteger("grid", options.grid, 1, info.imageGrid),
    scaleGray16: checkWord("gray16", options.gray16, ["clip", "scale"], "clip") === "scale",
  };
}

export function lane(options: EmbedOptions, fallback: Lane): Lane {
  return checkWord("priority", options.priority, ["interactive", "background"], fallback);
}
