// The kinds of pictures that callers hand over, as messages. Callers keep what they gave: bytes are copied, and the copy
// moves to the worker. Before a copy is made, the first bytes, the sizes and the limits are looked at.
import { EmbedError } from "../errors.js";
import { hexOf, sniff, type ImageFormat } from "../shared/image-format.js";
import { checkPictureSize, maxFileBytes } from "../shared/image-limits.js";
import { pictureSize } from "../shared/image-size.js";
import type { ImagePayload } from "../shared/protocol.js";
import { isUint8Array } from "../shared/values.js";
import type { BitmapLike, DecodeHook, DecodeRequest, ImageInput, RgbaImage } from "../types.js";
import { decodeByHook } from "./image-hook.js";
import { openPicture, type PictureFile } from "./image-file.js";
import { kindOf } from "./image-kind.js";

export interface PackedImage {
  readonly image: ImagePayload;
  readonly transfer: ArrayBuffer[];
}

/** How this embedder takes pictures. */
export interface PictureRules {
  readonly maxPixels: number;
  readonly decode: DecodeHook | undefined;
  /** The platform has a decoder of its own, for what the engine does not know. */
  readonly platformDecodes: boolean;
}

/**
 * `input` must have passed checkImage. A promise only where something must be waited for.
 * Errors: EmbedError "unreadable", "invalid-image", "invalid-argument" or "out-of-memory".
 */
export function packImage(
  input: ImageInput,
  rules: PictureRules,
  orientation: "exif" | "ignore",
): PackedImage | Promise<PackedImage> {
  const given = kindOf("image", input);
  if (given.kind === "pixels") return packPixels(given.pixels, rules.maxPixels);
  if (given.kind === "bitmap") return packBitmap(given.bitmap, rules);
  const file = openPicture(given);
  const request = { orientation, maxPixels: rules.maxPixels };
  const head = file.head();
  return isUint8Array(head)
    ? packFile(file, head, rules, request)
    : head.then((bytes) => packFile(file, bytes, rules, request));
}

/**
 * Where the engine refused a file of a format of its own: the pixels that the user's decoder makes of it. Nothing when
 * there is none, or it does not want to, or the picture is beyond the limit.
 */
export async function packRefused(
  input: ImageInput,
  rules: PictureRules,
  orientation: "exif" | "ignore",
): Promise<PackedImage | undefined> {
  const given = kindOf("image", input);
  if (!rules.decode || given.kind === "pixels" || given.kind === "bitmap") return undefined;
  const file = openPicture(given);
  const format = sniff(await file.head(), file.size);
  if (format?.decoder !== "core" || file.size > maxFileBytes) return undefined;
  const bytes = await file.copy();
  const size = pictureSize(bytes, format);
  if (size && size.width * size.height > rules.maxPixels) return undefined;
  const pixels = await decodeByHook(rules.decode, bytes, format.mime, format.name, {
    orientation,
    maxPixels: rules.maxPixels,
  });
  return pixels && packPixels(pixels, rules.maxPixels, "custom");
}

function packFile(
  file: PictureFile,
  head: Uint8Array,
  rules: PictureRules,
  request: DecodeRequest,
): PackedImage | Promise<PackedImage> {
  const refuse = (what: string) =>
    new EmbedError("invalid-image", file.name ? `${what} (${file.name})` : what);
  if (file.size === 0) throw refuse("the image file is empty");
  const format = sniff(head, file.size);
  if (format?.damage) throw refuse(`cut ${format.name}: ${format.damage}`);
  const { decode } = rules;
  const known =
    format?.decoder === "core" || (format?.decoder === "other" && rules.platformDecodes);
  if (!known && !decode) throw refuse(nobodyDecodes(format, head, rules));
  if (file.size > maxFileBytes)
    throw refuse(
      `${format?.name ?? "a file"} of ${file.size} bytes: files of pictures are read up to ${maxFileBytes} bytes`,
    );
  if (format?.decoder !== "core" && decode)
    return packForeign(file, head, format, decode, rules, request, refuse);
  const bytes = file.copy();
  return isUint8Array(bytes) ? packBytes(bytes) : bytes.then(packBytes);
}

// A file that the engine does not know, and the user's decoder may. What that one leaves goes to the platform's.
async function packForeign(
  file: PictureFile,
  head: Uint8Array,
  format: ImageFormat | undefined,
  decode: DecodeHook,
  rules: PictureRules,
  request: DecodeRequest,
  refuse: (what: string) => EmbedError,
): Promise<PackedImage> {
  const bytes = await file.copy();
  const what = format?.name ?? "file of an unknown format";
  const size = format && pictureSize(bytes, format);
  if (size) checkPictureSize(size, rules.maxPixels);
  const pixels = await decodeByHook(
    decode,
    bytes,
    format?.mime ?? (file.type || "application/octet-stream"),
    what,
    request,
  );
  if (pixels) return packPixels(pixels, rules.maxPixels, "custom");
  if (format?.decoder !== "other" || !rules.platformDecodes)
    throw refuse(`${nobodyDecodes(format, head, rules)}; decode gave nothing`);
  return packBytes(await file.copy()); // the hook may have changed what it got
}

function nobodyDecodes(
  format: ImageFormat | undefined,
  head: Uint8Array,
  { platformDecodes }: PictureRules,
): string {
  if (!format)
    return `unknown image format: none of JPEG, PNG, GIF, BMP${platformDecodes ? ", WebP, AVIF …" : ""}; the file begins with ${hexOf(head)}`;
  if (format.decoder === "other")
    return `${format.name}: this Node has no decoder for it; give load the option decode, or sharpDecoder() of clipglot/sharp`;
  return `${format.name}: not a picture that can be decoded here`;
}

function packBytes(bytes: Uint8Array<ArrayBuffer>): PackedImage {
  return { image: { kind: "bytes", bytes }, transfer: [bytes.buffer] };
}

function packPixels(
  { data, width, height }: RgbaImage,
  maxPixels: number,
  decoder?: "custom",
): PackedImage {
  checkPictureSize({ width, height }, maxPixels);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(data);
  } catch (cause) {
    throw new EmbedError("out-of-memory", `no room for a copy of ${data.length} bytes`, { cause });
  }
  // A buffer that was detached since it was checked gives an empty copy.
  if (bytes.length !== width * height * 4)
    throw new EmbedError(
      "invalid-argument",
      "the image's pixels are gone: their buffer was detached or changed its length",
    );
  return { image: { kind: "rgba", bytes, width, height, decoder }, transfer: [bytes.buffer] };
}

function packBitmap(bitmap: BitmapLike, { maxPixels, platformDecodes }: PictureRules): PackedImage {
  if (!platformDecodes)
    throw new EmbedError(
      "invalid-image",
      "ImageBitmaps are taken in browsers only; give its pixels, { data, width, height }",
    );
  const { width, height } = bitmap;
  if (width === 0 || height === 0)
    throw new EmbedError(
      "invalid-image",
      "the ImageBitmap was closed or transferred: it has no pixels",
    );
  checkPictureSize({ width, height }, maxPixels);
  return { image: { kind: "bitmap", bitmap }, transfer: [] };
}
