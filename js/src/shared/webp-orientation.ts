// The orientation in the EXIF of a WebP file.
import { latin1 } from "./image-format.js";

/** 1 … 8; 1 where the file is no WebP or has none. */
export function webpOrientation(file: Uint8Array): number {
  if (latin1(file.subarray(0, 4)) !== "RIFF" || latin1(file.subarray(8, 12)) !== "WEBP") return 1;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  try {
    for (let at = 12; at + 8 <= file.length; ) {
      const length = view.getUint32(at + 4, true);
      if (latin1(file.subarray(at, at + 4)) === "EXIF")
        return orientationIn(file.subarray(at + 8, at + 8 + length));
      at += 8 + length + (length & 1);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // it ends early
  }
  return 1;
}

// Bytes of a number by its TIFF type: BYTE, SHORT, LONG and their signed kinds.
const widths: { readonly [type: number]: 1 | 2 | 4 } = { 1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4 };

// In a TIFF directory, with or without the words that JPEG puts before it.
function orientationIn(exif: Uint8Array): number {
  const tiff = latin1(exif.subarray(0, 6)) === "Exif\0\0" ? exif.subarray(6) : exif;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = view.getUint16(0) === 0x4949;
  if (!little && view.getUint16(0) !== 0x4d4d) return 1;
  const directory = view.getUint32(4, little);
  for (let i = 0, at = directory + 2; i < view.getUint16(directory, little); i++, at += 12) {
    if (view.getUint16(at, little) !== 0x112) continue;
    const width = widths[view.getUint16(at + 2, little)];
    const value =
      width === 1
        ? view.getUint8(at + 8)
        : width === 2
          ? view.getUint16(at + 8, little)
          : width === 4
            ? view.getUint32(at + 8, little)
            : 1;
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
