// Writes PNG files with a palette: no alpha channel, because the model's preprocessing drops alpha
// instead of blending it, so what is embedded must be exactly what is seen.

import { crc32, deflateSync } from "node:zlib";
import { reduceColours } from "./palette.mjs";

function chunk(type, body) {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, "latin1");
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

/** Rows with filter 0, which is the best one for indices. */
function rows(indices, width, height) {
  const out = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++)
    out.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return out;
}

/**
 * @param {Uint8Array} rgba width * height * 4 bytes, opaque
 * @returns {Buffer} a PNG file, colour type 3, at most 256 colours
 */
export function encodePng(rgba, width, height) {
  for (let i = 3; i < rgba.length; i += 4)
    if (rgba[i] !== 255) throw new Error(`pixel ${(i - 3) / 4} is not opaque`);
  const { palette, indices } = reduceColours(rgba);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from(palette.flat())),
    chunk("IDAT", deflateSync(rows(indices, width, height), { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
