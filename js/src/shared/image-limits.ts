// Bounds that pictures meet on both sides, before they are copied or decoded.
import { EmbedError } from "../errors.js";
import type { PictureSize } from "./image-size.js";

/** Largest file of a picture that is read, in bytes. */
export const maxFileBytes = 512 << 20;

/** Throws "invalid-image" for a size without pixels or with more than `maxPixels`. */
export function checkPictureSize({ width, height }: PictureSize, maxPixels: number): void {
  if (width === 0 || height === 0)
    throw new EmbedError("invalid-image", `the picture has no pixels: ${width} × ${height}`);
  if (width * height > maxPixels)
    throw new EmbedError(
      "invalid-image",
      `${width} × ${height} pixels are more than the limit of ${maxPixels} (maxPixels)`,
    );
}
