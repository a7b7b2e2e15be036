// The table of engine builds, and the choice among them. Pure: what the platform can do comes as an argument.
import { EmbedError } from "../errors.js";
import type { Variant } from "./engine-types.js";
import type { FailedStep } from "./start-failure.js";

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
  readonly noSimdBecause: string;
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
  if (!can.simd)
    throw new EmbedError(
      "start-failed",
      `every build needs WebAssembly SIMD: ${can.noSimdBecause}`,
    );
  if (wanted === "auto") {
    const count = can.threads ? (threads ?? defaultThreads(can.processors)) : 1;
    const simd = can.relaxedSimd ? "relaxed-simd" : "simd";
    return count > 1
      ? { variant: `${simd}-threads`, threads: count }
      : { variant: simd, threads: 1 };
  }
  const traits = variants[wanted];
  if (traits.relaxedSimd && !can.relaxedSimd)
    throw new EmbedError(
      "invalid-argument",
      `variant "${wanted}" cannot run here: ${can.noRelaxedSimdBecause}`,
    );
  if (traits.threads && !can.threads)
    throw new EmbedError(
      "invalid-argument",
      `variant "${wanted}" cannot run here: ${can.noThreadsBecause}`,
    );
  if (!traits.threads && threads !== undefined && threads > 1)
    throw new EmbedError(
      "invalid-argument",
      `threads: ${threads}, but variant "${wanted}" has one thread`,
    );
  return {
    variant: wanted,
    threads: traits.threads ? (threads ?? defaultThreads(can.processors)) : 1,
  };
}

/**
 * What "auto" may take in the place of a build that does not start, in this order: the same threads with plain SIMD, then one
 * thread. Which of them depends on the failure; see `nextBuild`.
 */
export function fallbackChoices(choice: {
  readonly variant: Variant;
  readonly threads: number;
}): { readonly variant: Variant; readonly threads: number }[] {
  const { relaxedSimd, threads } = variants[choice.variant];
  const others: { variant: Variant; threads: number }[] = [];
  if (relaxedSimd && threads) others.push({ variant: "simd-threads", threads: choice.threads });
  if (relaxedSimd && threads) others.push({ variant: "relaxed-simd", threads: 1 });
  if (relaxedSimd || threads) others.push({ variant: "simd", threads: 1 });
  return others;
}

/**
 * The next of `builds` to try: their first one that has not what failed. An instruction that is not known: without relaxed SIMD,
 * and then without threads. Threads, or memory to share: with one thread. Files that do not come: any other. A policy forbids all.
 */
export function nextBuild<B extends { readonly variant: Variant }>(
  builds: readonly B[],
  failures: readonly { readonly variant: Variant; readonly step: FailedStep }[],
): B | undefined {
  const tried = new Set(failures.map(({ variant }) => variant));
  let relaxedSimd = true;
  let threads = true;
  for (const { variant, step } of failures) {
    if (step === "policy") return undefined;
    if (step === "threads" || step === "memory") threads = false;
    if (step === "compile" && variants[variant].relaxedSimd) relaxedSimd = false;
    else if (step === "compile") threads = false;
  }
  return builds.find(
    ({ variant }) =>
      !tried.has(variant) &&
      (relaxedSimd || !variants[variant].relaxedSimd) &&
      (threads || !variants[variant].threads),
  );
}

// Tiny modules that ask for instructions: a function of no arguments for each, whose operands are zeros.
//   (module (func (result v128) i32.const 0 i8x16.splat …operands… instruction))
const splat = [0x41, 0, 0xfd, 0x0f]; // i32.const 0, i8x16.splat
const header = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]; // magic, version

/** A number below 128 × 128 in LEB128. */
const leb = (value: number) => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
const section = (id: number, content: readonly number[]) => [
  id,
  ...leb(content.length),
  ...content,
];

function probeModule(bodies: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  const functions = bodies.flatMap((body) => [...leb(body.length + 2), 0, ...body, 0x0b]); // no locals, end
  return new Uint8Array([
    ...header,
    ...section(1, [1, 0x60, 0, 1, 0x7b]), // one type: () -> v128
    ...section(3, [...leb(bodies.length), ...bodies.map(() => 0)]),
    ...section(10, [...leb(bodies.length), ...functions]),
  ]);
}

const simdModule = probeModule([splat]);

/**
 * The instructions of relaxed SIMD that the modules have, from 0xfd 0x100 on, and their operands. A browser may know some of
 * relaxed SIMD and not all, and refuses a module with one that it does not know as a whole. A test compares this with the modules.
 */
export const relaxedOperands: { readonly [opcode: number]: number } = {
  0x100: 2, // i8x16.relaxed_swizzle
  0x105: 3, // f32x4.relaxed_madd
  0x10b: 3, // i32x4.relaxed_laneselect
  0x10d: 2, // f32x4.relaxed_min
  0x10e: 2, // f32x4.relaxed_max
  0x112: 2, // i16x8.relaxed_dot_i8x16_i7x16_s
  0x113: 3, // i32x4.relaxed_dot_i8x16_i7x16_add_s
};

const relaxedSimdModule = probeModule(
  Object.entries(relaxedOperands).map(([opcode, operands]) => [
    ...Array<number[]>(operands).fill(splat).flat(),
    0xfd,
    ...leb(Number(opcode)),
  ]),
);

/** Asks `validate` (WebAssembly.validate) what it accepts. */
export function probeSimd(validate: (module: Uint8Array<ArrayBuffer>) => boolean): {
  simd: boolean;
  relaxedSimd: boolean;
} {
  return { simd: validate(simdModule), relaxedSimd: validate(relaxedSimdModule) };
}
