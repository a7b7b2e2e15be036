// What a file is, told by its first bytes, so that nothing is copied, and nothing large asked for, only to be refused.

export interface ImageFormat {
  /** As people call it, for messages. */
  readonly name: string;
  readonly mime: string;
  /**
   * "core": the engine decodes it. "other": pictures that some browsers, and decoders of the user's own, know.
   * "none": no picture, or one that no browser decodes here.
   */
  readonly decoder: "core" | "other" | "none";
  /** Why it cannot be a whole picture, where the first bytes say so: "it ends at byte 972 of 1240". */
  readonly damage?: string;
}

/** As many first bytes as `sniff` looks at, or fewer if the file is shorter. */
export const headBytes = 256;

type Decoder = ImageFormat["decoder"];
type Row = readonly [name: string, mime: string, decoder: Decoder, bytes: string];

// Bytes as Latin-1. The first row that fits is taken.
const rows: readonly Row[] = [
  ["JPEG", "image/jpeg", "core", "\xff\xd8\xff"],
  ["PNG", "image/png", "core", "\x89PNG"],
  ["GIF", "image/gif", "core", "GIF8"],
  ["BMP", "image/bmp", "core", "BM"],
  ["JPEG XL", "image/jxl", "other", "\xff\x0a"],
  ["JPEG XL", "image/jxl", "other", "\0\0\0\x0cJXL \r\n\x87\n"],
  ["JPEG 2000", "image/jp2", "other", "\0\0\0\x0cjP  \r\n\x87\n"],
  ["JPEG 2000", "image/jp2", "other", "\xff\x4f\xff\x51"],
  ["camera RAW (CR2)", "image/x-canon-cr2", "other", "II*\0\x10\0\0\0CR"],
  ["TIFF", "image/tiff", "other", "II*\0"],
  ["TIFF", "image/tiff", "other", "MM\0*"],
  ["TIFF (BigTIFF)", "image/tiff", "other", "II+\0"],
  ["TIFF (BigTIFF)", "image/tiff", "other", "MM\0+"],
  ["camera RAW (RAF)", "image/x-fuji-raf", "none", "FUJIFILMCCD-RAW"],
  ["camera RAW (ORF)", "image/x-olympus-orf", "none", "IIRO"],
  ["camera RAW (RW2)", "image/x-panasonic-rw2", "none", "IIU\0"],
  ["ICO", "image/x-icon", "other", "\0\0\x01\0"],
  ["ICO (cursor)", "image/x-icon", "other", "\0\0\x02\0"],
  ["PSD (Photoshop)", "image/vnd.adobe.photoshop", "none", "8BPS"],
  ["PDF", "application/pdf", "none", "%PDF"],
  ["PostScript", "application/postscript", "none", "%!PS"],
  ["OpenEXR", "image/x-exr", "none", "v/1\x01"],
  ["Radiance HDR", "image/vnd.radiance", "none", "#?RADIANCE"],
  ["DDS", "image/vnd-ms.dds", "none", "DDS "],
  ["KTX", "image/ktx", "none", "\xabKTX "],
  ["QOI", "image/qoi", "none", "qoif"],
  ["DjVu", "image/vnd.djvu", "none", "AT&TFORM"],
  ["video (Matroska or WebM)", "video/webm", "none", "\x1aE\xdf\xa3"],
  ["video (Flash)", "video/x-flv", "none", "FLV\x01"],
  ["video (Windows Media)", "video/x-ms-asf", "none", "0&\xb2u\x8ef\xcf\x11"],
  ["video (MPEG)", "video/mpeg", "none", "\0\0\x01\xba"],
  ["video (MPEG)", "video/mpeg", "none", "\0\0\x01\xb3"],
  ["audio or video (Ogg)", "application/ogg", "none", "OggS"],
  ["audio (FLAC)", "audio/flac", "none", "fLaC"],
  ["audio (MP3)", "audio/mpeg", "none", "ID3"],
  ["audio (MP3)", "audio/mpeg", "none", "\xff\xfb"],
  ["audio (MP3)", "audio/mpeg", "none", "\xff\xf3"],
  ["audio (MIDI)", "audio/midi", "none", "MThd"],
  ["zip archive (or an office document)", "application/zip", "none", "PK\x03\x04"],
  ["zip archive", "application/zip", "none", "PK\x05\x06"],
  ["gzip archive", "application/gzip", "none", "\x1f\x8b"],
  ["7z archive", "application/x-7z-compressed", "none", "7z\xbc\xaf\x27\x1c"],
  ["RAR archive", "application/vnd.rar", "none", "Rar!\x1a\x07"],
  ["xz archive", "application/x-xz", "none", "\xfd7zXZ\0"],
  ["Zstandard archive", "application/zstd", "none", "\x28\xb5\x2f\xfd"],
  ["bzip2 archive", "application/x-bzip2", "none", "BZh"],
  ["SQLite database", "application/vnd.sqlite3", "none", "SQLite format 3\0"],
  ["WebAssembly module", "application/wasm", "none", "\0asm"],
  ["font", "font/woff2", "none", "wOF2"],
  ["program", "application/octet-stream", "none", "\x7fELF"],
  ["Git LFS pointer, not the file itself", "text/plain", "none", "version https://git-lfs"],
  ["data URL as text; decode its base64", "text/plain", "none", "data:image/"],
  ["base64 as text (JPEG); decode it", "text/plain", "none", "/9j/"],
  ["base64 as text (PNG); decode it", "text/plain", "none", "iVBORw0KGgo"],
];

/**
 * What the file is whose first bytes (up to `headBytes`) are `head` and which has `byteLength` bytes. Nothing when no format
 * fits.
 */
export function sniff(head: Uint8Array, byteLength: number): ImageFormat | undefined {
  const start = latin1(head.subarray(0, headBytes));
  if (start.startsWith("RIFF") && start.length >= 12) return riff(head, start, byteLength);
  if (start.startsWith("ftyp", 4)) return isoMedia(head, start);
  const row = rows.find(([, , , bytes]) => start.startsWith(bytes));
  if (row) return { name: row[0], mime: row[1], decoder: row[2] };
  if (start.length > 188 && start[0] === "G" && start[188] === "G")
    return { name: "video (MPEG transport stream)", mime: "video/mp2t", decoder: "none" };
  return text(start);
}

/** The first bytes, for messages about files that nobody knows. */
export function hexOf(head: Uint8Array): string {
  return Array.from(head.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function riff(head: Uint8Array, start: string, byteLength: number): ImageFormat {
  const kind = start.slice(8, 12);
  if (kind === "AVI ") return { name: "video (AVI)", mime: "video/x-msvideo", decoder: "none" };
  if (kind === "WAVE") return { name: "audio (WAV)", mime: "audio/wav", decoder: "none" };
  if (kind !== "WEBP")
    return {
      name: `RIFF file of kind "${kind.trim()}"`,
      mime: "application/octet-stream",
      decoder: "none",
    };
  const end = new DataView(head.buffer, head.byteOffset).getUint32(4, true) + 8;
  const webp = { name: "WebP", mime: "image/webp", decoder: "other" } as const;
  return byteLength < end ? { ...webp, damage: `it ends at byte ${byteLength} of ${end}` } : webp;
}

const brandOf: { readonly [brand: string]: readonly [name: string, mime: string] } = {
  avif: ["AVIF", "image/avif"],
  avis: ["AVIF", "image/avif"],
  heic: ["HEIC photo", "image/heic"],
  heix: ["HEIC photo", "image/heic"],
  heim: ["HEIC photo", "image/heic"],
  heis: ["HEIC photo", "image/heic"],
  hevc: ["HEIC photo", "image/heic"],
  hevx: ["HEIC photo", "image/heic"],
  hevm: ["HEIC photo", "image/heic"],
  hevs: ["HEIC photo", "image/heic"],
  crx: ["camera RAW (CR3)", "image/x-canon-cr3"],
};

// The brand, and the brands that it is compatible with: a picture may begin with the general "mif1".
function isoMedia(head: Uint8Array, start: string): ImageFormat {
  const length = Math.min(
    start.length,
    Math.max(16, new DataView(head.buffer, head.byteOffset).getUint32(0)),
  );
  const brands = [start.slice(8, 12)];
  for (let at = 16; at + 4 <= length; at += 4) brands.push(start.slice(at, at + 4));
  for (const brand of brands) {
    const known = brandOf[brand.trim()];
    if (known) return { name: known[0], mime: known[1], decoder: "other" };
  }
  if (brands.some((brand) => brand === "mif1" || brand === "msf1"))
    return { name: "HEIF photo", mime: "image/heif", decoder: "other" };
  const major = brands[0]!.trim();
  if (major === "qt") return { name: "video (MOV)", mime: "video/quicktime", decoder: "none" };
  if (/^M4A|^M4B|^F4A/.test(major))
    return { name: "audio (M4A)", mime: "audio/mp4", decoder: "none" };
  if (/^3g/.test(major)) return { name: "video (3GP)", mime: "video/3gpp", decoder: "none" };
  return { name: "video (MP4)", mime: "video/mp4", decoder: "none" };
}

function text(start: string): ImageFormat | undefined {
  if (/^P[1-7]\s/.test(start))
    return { name: "PNM", mime: "image/x-portable-anymap", decoder: "none" };
  if (/^\0+$/.test(start))
    return {
      name: "file of zeros only, perhaps a download that did not end",
      mime: "application/octet-stream",
      decoder: "none",
    };
  const words = start.replace(/^(\xef\xbb\xbf)?\s*/, "");
  if (/^(<\?xml[\s\S]*)?<svg[\s>]/i.test(words) || /^<!DOCTYPE svg/i.test(words))
    return { name: "SVG", mime: "image/svg+xml", decoder: "none" };
  if (/^<(!DOCTYPE html|html|head|body|script)/i.test(words))
    return { name: "HTML page", mime: "text/html", decoder: "none" };
  if (/^<\?xml/i.test(words)) return { name: "XML", mime: "text/xml", decoder: "none" };
  if (
    words.length > 0 &&
    /^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(words) &&
    !/[\x80-\xff]/.test(words.slice(0, 4))
  ) {
    return /^[{[]/.test(words)
      ? { name: "JSON or other text", mime: "text/plain", decoder: "none" }
      : { name: "text", mime: "text/plain", decoder: "none" };
  }
  return undefined;
}
