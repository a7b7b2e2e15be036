// Turns pixels as an EXIF orientation asks, so that the picture stands upright.
import type { Pixels } from "./platforms.js";

/** `orientation`: 1 … 8, as EXIF counts; 1 is upright already. */
export function upright(pixels: Pixels, orientation: number): Pixels {
  if (orientation <= 1 || orientation > 8) return pixels;
  const { width, height } = pixels;
  const swapped = orientation >= 5;
  const [outWidth, outHeight] = swapped ? [height, width] : [width, height];
  const from = new Uint32Array(pixels.bytes.slice().buffer);
  const to = new Uint32Array(from.length);
  const right = [2, 3, 7, 8].includes(orientation); // the first pixel of the stored row comes from the right (or, turned, the bottom)
  const bottom = [3, 4, 6, 7].includes(orientation);
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const [storedX, storedY] = swapped ? [y, x] : [x, y];
      to[y * outWidth + x] =
        from[
          (bottom ? height - 1 - storedY : storedY) * width +
            (right ? width - 1 - storedX : storedX)
        ]!;
    }
  }
  return { bytes: new Uint8Array(to.buffer), width: outWidth, height: outHeight };
}
