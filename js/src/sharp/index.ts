// clipglot/sharp: in Node, a decoder for what the engine does not know, by the package sharp, which users install themselves.
import { EmbedError } from "../errors.js";
import type { DecodeHook } from "../types.js";

/** What is used of sharp. */
export interface SharpPipeline {
  /** Turns the image upright, by its EXIF orientation. */
  rotate(): SharpPipeline;
  /** Converts the colours. */
  toColourspace(name: string): SharpPipeline;
  /** Adds an opaque alpha channel where there is none. */
  ensureAlpha(): SharpPipeline;
  /** Asks for pixels instead of a file. */
  raw(options: { depth: "uchar" }): SharpPipeline;
  /** Runs the pipeline. */
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Uint8Array; info: { width: number; height: number; channels: number } }>;
}
/** What the package sharp exports, as far as it is used. */
export type SharpFunction = (
  input: Uint8Array,
  options: { limitInputPixels: number; ignoreIcc: boolean },
) => SharpPipeline;

/** Options of `sharpDecoder`. */
export interface SharpDecoderOptions {
  /** Your own sharp, e.g. one built with more formats. Default: the package "sharp", loaded when a file needs it. */
  readonly sharp?: unknown;
}

// Those that the engine refused come as well: damaged ones.
const taken = /^image\/(webp|avif|hei[cf]|tiff|jxl|jp2|jpeg|png|gif)$/;

/**
 * A `decode` for `load`: WebP, AVIF and TIFF, and HEIC, JPEG XL and JPEG 2000 where sharp was built with them. Pixels as PIL
 * gives them: upright (or as stored, by the option `orientation`), colours below transparency kept, colour profiles passed over.
 * In Node only. Errors, when a file comes: "invalid-argument" where sharp is not installed.
 */
export function sharpDecoder(options: SharpDecoderOptions = {}): DecodeHook {
  if (options.sharp !== undefined && typeof options.sharp !== "function")
    throw new EmbedError("invalid-argument", "sharp must be what the package sharp exports");
  let loading: Promise<SharpFunction> | undefined;
  const find = () =>
    (loading ??= options.sharp ? Promise.resolve(options.sharp as SharpFunction) : loadSharp());
  return async (bytes, mime, { orientation, maxPixels }) => {
    if (!taken.test(mime)) return undefined;
    const sharp = await find();
    const opened = sharp(bytes, { limitInputPixels: maxPixels, ignoreIcc: true });
    const pipeline = orientation === "ignore" ? opened : opened.rotate();
    const { data, info } = await pipeline
      .toColourspace("srgb")
      .ensureAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 4) throw new Error(`${info.channels} channels instead of 4`);
    return { data, width: info.width, height: info.height };
  };
}

async function loadSharp(): Promise<SharpFunction> {
  try {
    // biome-ignore lint/suspicious/noTsIgnore: with @ts-expect-error it would not compile where sharp is installed
    // @ts-ignore: an optional peer, which need not be there; what is used of it is declared above
    const found = (await import("sharp")) as { default: SharpFunction };
    return found.default;
  } catch (cause) {
    throw new EmbedError(
      "invalid-argument",
      "clipglot/sharp needs the package sharp: npm install sharp",
      { cause },
    );
  }
}
