// The table of engine builds, and the choice among them. Pure: what the platform can do comes as an argument.
import { EmbedError } from "../errors.js";
import type { Variant } from "./engine-types.js";

export interface VariantTraits {
  readonly relaxedSimd: boolean;
  readonly threads: boolean;
}

export const variants: { readonly [V in Variant]: VariantTraits } = {
  simd: { relaxedSimd: false, threads: false },
  "relaxed-simd": { relaxedSimd: true, threads: false },
  "simd-threads": { relaxedSimd: false, threads: true },
  "relaxed-simd-threads": { relaxedSimd: true, threads: true },
};

export const variantNames = Object.keys(variants) as readonly Variant[];

export interface Capabilities {
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  /** Memory can be shared between workers. */
  readonly threads: boolean;
  /** Why not, and what would help. */
  readonly noThreadsBecause: string;
  readonly noRelaxedSimdBecause: string;
  /** Logical processors. */
  readonly processors: number;
}

/** Most threads the engine takes. */
export const maxThreads = 64;

/**
 * Half of the logical processors, at most 4, since two hyperthreads share one multiplier and more threads than fast cores
 * slow each other down. But two where there are two: on such machines they are mostly real cores, and a page thread that
 * waits for the engine needs none.
 */
export function defaultThreads(processors: number): number {
  return Math.max(1, Math.min(4, Math.max(Math.floor(processors / 2), Math.min(2, processors))));
}

/**
 * The build to run. "auto" takes the best that the platform can run, and one thread where it cannot share memory; a build
 * asked for by name is taken, or refused with the reason. `threads`: undefined means the default.
 */
export function chooseVariant(
  wanted: "auto" | Variant,
  threads: number | undefined,
  can: Capabilities,
): { readonly variant: Variant; readonly threads: number } {
  if (!can.simd) throw new EmbedError("invalid-argument", "variant: this platform has no WebAssembly SIMD, which every build needs");
  if (wanted === "auto") {
    const count = can.threads ? (threads ?? defaultThreads(can.processors)) : 1;
    const simd = can.relaxedSimd ? "relaxed-simd" : "simd";
    return count > 1 ? { variant: `${simd}-threads`, threads: count } : { variant: simd, threads: 1 };
  }
  const traits = variants[wanted];
  if (traits.relaxedSimd && !can.relaxedSimd)
    throw new EmbedError("invalid-argument", `variant "${wanted}" cannot run here: ${can.noRelaxedSimdBecause}`);
  if (traits.threads && !can.threads)
    throw new EmbedError("invalid-argument", `variant "${wanted}" cannot run here: ${can.noThreadsBecause}`);
  if (!traits.threads && threads !== undefined && threads > 1)
    throw new EmbedError("invalid-argument", `threads: ${threads}, but variant "${wanted}" has one thread`);
  return { variant: wanted, threads: traits.threads ? (threads ?? defaultThreads(can.processors)) : 1 };
}

// Two tiny modules. (module (func (result v128) i32.const 0 i8x16.splat))
const simdModule = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
  0x01, 5, 1, 0x60, 0, 1, 0x7b, // one type: () -> v128
  0x03, 2, 1, 0, // one function of that type
  0x0a, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b, // i32.const 0, i8x16.splat, end
]);
// The same with three splats and f32x4.relaxed_madd, an instruction of relaxed SIMD.
const relaxedSimdModule = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  0x01, 5, 1, 0x60, 0, 1, 0x7b,
  0x03, 2, 1, 0,
  0x0a, 19, 1, 17, 0, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x85, 0x02, 0x0b,
]);

/** Asks `validate` (WebAssembly.validate) what it accepts. */
export function probeSimd(validate: (module: Uint8Array<ArrayBuffer>) => boolean): { simd: boolean; relaxedSimd: boolean } {
  return { simd: validate(simdModule), relaxedSimd: validate(relaxedSimdModule) };
}
