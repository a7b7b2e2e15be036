// Looks at values of unknown origin: what callers give, what platforms throw. They may come from another realm (an iframe,
// node:vm, Jest, jsdom), where each class is another one; so nothing here asks `instanceof`. And they may be hostile: a getter that
// throws, a revoked Proxy. Nothing here throws.

const typedArrayTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get;

export type TypedArrayName =
  | "Int8Array"
  | "Uint8Array"
  | "Uint8ClampedArray"
  | "Int16Array"
  | "Uint16Array"
  | "Int32Array"
  | "Uint32Array"
  | "Float16Array"
  | "Float32Array"
  | "Float64Array"
  | "BigInt64Array"
  | "BigUint64Array";

/** What kind of typed array `value` is, in whatever realm it was made; nothing when it is none. It cannot be feigned. */
export function typedArrayName(value: unknown): TypedArrayName | undefined {
  return typedArrayTag?.call(value) as TypedArrayName | undefined;
}

export const isFloat32Array = (value: unknown): value is Float32Array =>
  typedArrayName(value) === "Float32Array";
export const isUint8Array = (value: unknown): value is Uint8Array =>
  typedArrayName(value) === "Uint8Array";

export const isByteArray = (value: unknown): value is Uint8Array | Uint8ClampedArray =>
  isUint8Array(value) || typedArrayName(value) === "Uint8ClampedArray";

/** "Object", "Array", "URL", "Blob" …, as the platform calls it. */
export function tagOf(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    return "object that cannot be looked at";
  }
}

/** A URL of the platform, of any realm. */
export function isUrl(value: unknown): value is { readonly href: string } {
  if (typeof value !== "object" || value === null || tagOf(value) !== "URL") return false;
  return typeof member(value, "href") === "string";
}

export const isBuffer = (value: unknown): value is ArrayBuffer | SharedArrayBuffer =>
  /^(Shared)?ArrayBuffer$/.test(tagOf(value));

/** A promise of ours, or anything that can be awaited. */
export const isPromise = <T>(value: T | Promise<T>): value is Promise<T> =>
  typeof member(value, "then") === "function";

/** A member of `value`; nothing when it has none or cannot be read. */
export function member(value: unknown, name: PropertyKey): unknown {
  if (value === null || value === undefined) return undefined;
  try {
    return (value as { readonly [name: PropertyKey]: unknown })[name];
  } catch {
    return undefined;
  }
}

/** For what a function of the user's gave and nobody takes: if it is a promise, its failure is told otherwise and must not be reported as unhandled. */
export function drop(given: unknown): void {
  if (typeof given === "object" && given !== null)
    new Promise((resolve) => resolve(given)).catch(() => {});
}
