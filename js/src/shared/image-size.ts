// Width and height of a picture by its header, so that a file of few bytes that stands for a huge picture is refused before
// anybody decodes it. For decoders that are not ours: the engine looks by itself.
import { latin1, type ImageFormat } from "./image-format.js";

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The size that the header promises, the largest where it names several; before any turning. Nothing when the header cannot be
 * read. `file`: all bytes.
 */
export function pictureSize(file: Uint8Array, format: ImageFormat): PictureSize | undefined {
  const sizes = sizesIn(file, format);
  return sizes
    .filter(({ width, height }) => width > 0 && height > 0)
    .sort((a, b) => b.width * b.height - a.width * a.height)[0];
}

function sizesIn(file: Uint8Array, { mime }: ImageFormat): PictureSize[] {
  try {
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    switch (mime) {
      case "image/jpeg":
        return jpeg(file, view);
      case "image/png":
        return [{ width: view.getUint32(16), height: view.getUint32(20) }];
      case "image/gif":
        return [{ width: view.getUint16(6, true), height: view.getUint16(8, true) }];
      case "image/bmp":
        return view.getUint32(14, true) === 12
          ? [{ width: view.getUint16(18, true), height: view.getUint16(20, true) }]
          : [
              {
                width: Math.abs(view.getInt32(18, true)),
                height: Math.abs(view.getInt32(22, true)),
              },
            ];
      case "image/webp":
        return webp(file, view);
      case "image/avif":
      case "image/heic":
      case "image/heif":
        return isoImage(view);
      case "image/tiff":
      case "image/x-canon-cr2":
        return tiff(view);
      case "image/x-icon":
        return icon(view);
      case "image/jxl":
        return jxl(file, view);
      default:
        return [];
    }
  } catch (error) {
    if (error instanceof RangeError) return []; // the header ends early
    throw error;
  }
}

// Every frame header, wherever it is: these files may be damaged. In entropy-coded data ff is never followed by such a byte.
function jpeg(file: Uint8Array, view: DataView): PictureSize[] {
  const found: PictureSize[] = [];
  for (
    let at = file.indexOf(0xff, 2);
    at >= 0 && at + 10 <= file.length;
    at = file.indexOf(0xff, at + 1)
  ) {
    const marker = file[at + 1]!;
    if (marker < 0xc0 || marker > 0xcf || marker === 0xc4 || marker === 0xc8 || marker === 0xcc)
      continue;
    const components = file[at + 9]!;
    if (components < 1 || components > 4 || view.getUint16(at + 2) !== 8 + 3 * components) continue;
    found.push({ width: view.getUint16(at + 7), height: view.getUint16(at + 5) });
  }
  return found;
}

function webp(file: Uint8Array, view: DataView): PictureSize[] {
  const found: PictureSize[] = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const kind = latin1(file.subarray(at, at + 4));
    const data = at + 8;
    const u24 = (place: number) => view.getUint16(place, true) | (view.getUint8(place + 2) << 16);
    if (kind === "VP8X") found.push({ width: u24(data + 4) + 1, height: u24(data + 7) + 1 });
    if (kind === "ANMF") found.push({ width: u24(data + 6) + 1, height: u24(data + 9) + 1 });
    if (kind === "VP8L") {
      const bits = view.getUint32(data + 1, true);
      found.push({ width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 });
    }
    if (kind === "VP8 ")
      found.push({
        width: view.getUint16(data + 6, true) & 0x3fff,
        height: view.getUint16(data + 8, true) & 0x3fff,
      });
    const length = view.getUint32(at + 4, true);
    at = data + length + (length & 1);
  }
  return found;
}

// All "ispe" boxes (sizes of items) in meta → iprp → ipco, which covers the whole picture and the tiles that it is made of.
function isoImage(view: DataView): PictureSize[] {
  const found: PictureSize[] = [];
  const inside = (from: number, end: number, path: readonly string[]) => {
    for (let at = from; at + 8 <= end; ) {
      const length = view.getUint32(at);
      const kind = latin1(new Uint8Array(view.buffer, view.byteOffset + at + 4, 4));
      const [header, next] =
        length === 1
          ? [16, at + Number(view.getBigUint64(at + 8))]
          : [8, length === 0 ? end : at + length];
      if (next < at + header || next > end) return;
      if (kind === "ispe")
        found.push({
          width: view.getUint32(at + header + 4),
          height: view.getUint32(at + header + 8),
        });
      else if (kind === path[0])
        inside(at + header + (kind === "meta" ? 4 : 0), next, path.slice(1));
      at = next;
    }
  };
  inside(0, view.byteLength, ["meta", "iprp", "ipco"]);
  return found;
}

// The first directory's width (256) and height (257).
function tiff(view: DataView): PictureSize[] {
  const little = view.getUint8(0) === 0x49;
  const big = view.getUint16(2, little) === 43;
  const offset = (at: number) =>
    big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  const directory = offset(big ? 8 : 4);
  const count = big ? offset(directory) : view.getUint16(directory, little);
  let width = 0;
  let height = 0;
  for (
    let i = 0, at = directory + (big ? 8 : 2);
    i < Math.min(count, 4096);
    i++, at += big ? 20 : 12
  ) {
    const tag = view.getUint16(at, little);
    if (tag !== 256 && tag !== 257) continue;
    const place = at + (big ? 12 : 8);
    const value =
      view.getUint16(at + 2, little) === 3
        ? view.getUint16(place, little)
        : view.getUint32(place, little);
    if (tag === 256) width = value;
    else height = value;
  }
  return [{ width, height }];
}

// The directory's own numbers go to 256 only; PNGs inside may be larger.
function icon(view: DataView): PictureSize[] {
  const found: PictureSize[] = [];
  for (let i = 0, at = 6; i < view.getUint16(4, true); i++, at += 16) {
    found.push({ width: view.getUint8(at) || 256, height: view.getUint8(at + 1) || 256 });
    const place = view.getUint32(at + 12, true);
    if (view.getUint32(place) === 0x89504e47)
      found.push({ width: view.getUint32(place + 16), height: view.getUint32(place + 20) });
    else
      found.push({
        width: Math.abs(view.getInt32(place + 4, true)),
        height: Math.abs(view.getInt32(place + 8, true)) / 2,
      });
  }
  return found;
}

function jxl(file: Uint8Array, view: DataView): PictureSize[] {
  let at = 0;
  if (file[0] === 0) {
    // A container: the code stream is in the box "jxlc", or begins in the first "jxlp" after its number.
    for (;;) {
      const length = view.getUint32(at);
      const kind = latin1(file.subarray(at + 4, at + 8));
      const header = length === 1 ? 16 : 8;
      if (kind === "jxlc" || kind === "jxlp") {
        at += header + (kind === "jxlp" ? 4 : 0);
        break;
      }
      const whole = length === 1 ? Number(view.getBigUint64(at + 8)) : length;
      if (whole < header) return [];
      at += whole;
    }
  }
  if (view.getUint16(at) !== 0xff0a) return [];
  let bit = (at + 2) * 8;
  const bits = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++, bit++)
      value += ((view.getUint8(bit >> 3) >> (bit & 7)) & 1) * 2 ** i;
    return value;
  };
  const small = bits(1) === 1;
  const side = () => (small ? 8 * (bits(5) + 1) : bits([9, 13, 18, 30][bits(2)]!) + 1);
  const height = side();
  const ratio = bits(3);
  const width =
    ratio === 0
      ? side()
      : Math.floor(height * [0, 1, 12 / 10, 4 / 3, 3 / 2, 16 / 9, 5 / 4, 2][ratio]!);
  return [{ width, height }];
}
