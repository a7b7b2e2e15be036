// Writes opaque 8-bit RGB PNG files: no alpha channel, because the model's preprocessing drops alpha
// instead of blending it, so what is embedded must be exactly what is seen.

import { deflateSync } from "node:zlib";

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type, body) {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, "latin1");
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

function paeth(left, up, upLeft) {
  const estimate = left + up - upLeft;
  const a = Math.abs(estimate - left);
  const b = Math.abs(estimate - up);
  const c = Math.abs(estimate - upLeft);
  return a <= b && a <= c ? left : b <= c ? up : upLeft;
}

/** One row under PNG filter `filter` (0 … 4), filter byte first. */
function filteredRow(filter, row, previous) {
  const out = Buffer.alloc(row.length + 1);
  out[0] = filter;
  for (let i = 0; i < row.length; i++) {
    const left = i >= 3 ? row[i - 3] : 0;
    const up = previous[i];
    const upLeft = i >= 3 ? previous[i - 3] : 0;
    const guess = [0, left, up, (left + up) >> 1, paeth(left, up, upLeft)][filter];
    out[i + 1] = row[i] - guess;
  }
  return out;
}

/** Rows by the usual rule: the filter with the smallest sum of absolute differences. */
function adaptiveRows(rgb, width, height) {
  const stride = width * 3;
  let previous = Buffer.alloc(stride);
  const rows = [];
  for (let y = 0; y < height; y++) {
    const row = rgb.subarray(y * stride, (y + 1) * stride);
    let best;
    let bestCost = Infinity;
    for (let filter = 0; filter < 5; filter++) {
      const candidate = filteredRow(filter, row, previous);
      let cost = 0;
      for (let i = 1; i < candidate.length; i++) cost += Math.min(candidate[i], 256 - candidate[i]);
      if (cost < bestCost) [best, bestCost] = [candidate, cost];
    }
    rows.push(best);
    previous = row;
  }
  return Buffer.concat(rows);
}

/**
 * @param {Uint8Array} rgba width * height * 4 bytes, opaque
 * @returns {Buffer} a PNG file, colour type 2
 */
export function encodeOpaquePng(rgba, width, height) {
  const rgb = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    if (rgba[i * 4 + 3] !== 255) throw new Error(`pixel ${i} is not opaque`);
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = rgba[i * 4 + c];
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(adaptiveRows(rgb, width, height), { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
