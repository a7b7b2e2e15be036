// The user's own decoder (`decode` of load), and what is asked of its answer.
import { EmbedError } from "../errors.js";
import { checkPictureSize } from "../shared/image-limits.js";
import { reasonOf } from "../shared/reason.js";
import type { DecodeHook, DecodeRequest, RgbaImage } from "../types.js";
import { checkDecoded } from "./image-kind.js";

/**
 * The pixels that the hook makes of `bytes`, which are its own; nothing when it gives undefined or null: not its format.
 * Errors: "invalid-image" when it fails, with its error as the cause; "invalid-argument" when its answer is not pixels.
 */
export async function decodeByHook(
  hook: DecodeHook,
  bytes: Uint8Array,
  mime: string,
  what: string,
  request: DecodeRequest,
): Promise<RgbaImage | undefined> {
  let decoded: unknown;
  try {
    decoded = await hook(bytes, mime, request);
  } catch (cause) {
    if (cause instanceof EmbedError)
      throw new EmbedError(cause.code, `${what}: ${cause.detail}`, { cause }); // of a decoder of ours
    throw new EmbedError("invalid-image", `${what}: decode failed: ${reasonOf(cause)}`, { cause });
  }
  if (decoded === undefined || decoded === null) return undefined;
  const pixels = checkDecoded("decode", decoded);
  checkPictureSize(pixels, request.maxPixels);
  return pixels;
}
