// Which of the kinds of pictures a caller gave, told without `instanceof`: things from other realms (frames, test runners'
// windows, polyfills) are as good as our own.
import { isBuffer, isByteArray, member, tagOf } from "../shared/values.js";
import type { BitmapLike, BlobLike, EncodedImage, RgbaImage } from "../types.js";
import { invalid, shown } from "./arguments.js";

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

export const isBlob = (value: object): value is BlobLike =>
  typeof (value as BlobLike).arrayBuffer === "function" &&
  typeof (value as BlobLike).slice === "function";

export type PictureInput =
  | { readonly kind: "blob"; readonly blob: BlobLike }
  | { readonly kind: "bytes"; readonly bytes: ArrayBuffer | SharedArrayBuffer | ArrayBufferView }
  | { readonly kind: "pixels"; readonly pixels: RgbaImage }
  | { readonly kind: "bitmap"; readonly bitmap: BitmapLike };

// What is often given by mistake, by its name in the language or the platform, and what to give instead.
const canvasAdvice = 'give its pixels: getContext("2d").getImageData(0, 0, width, height)';
const advice: { readonly [tag: string]: string } = {
  HTMLImageElement:
    "give its file, await (await fetch(image.src)).blob(), or await createImageBitmap(image)",
  SVGImageElement: "give await createImageBitmap(image)",
  HTMLVideoElement: "give one frame: await createImageBitmap(video)",
  VideoFrame: "give await createImageBitmap(frame)",
  HTMLCanvasElement: canvasAdvice,
  OffscreenCanvas: canvasAdvice,
  CanvasRenderingContext2D: "give its pixels: context.getImageData(0, 0, width, height)",
  OffscreenCanvasRenderingContext2D: "give its pixels: context.getImageData(0, 0, width, height)",
  HTMLInputElement: "give one of its files: input.files[0]",
  FileList: "give one of them, or embedImages(Array.from(files))",
  FileSystemFileHandle: "give await handle.getFile()",
  Response: "give await response.blob()",
  Request: "give await (await fetch(request)).blob()",
  Promise: "await it first",
  ReadableStream: "give await new Response(stream).blob()",
  URL: "give its bytes: await (await fetch(url)).blob()",
  String:
    "give the bytes of the file: await (await fetch(url)).blob(), or those that readFile gives",
};

/** `input` as one of the kinds. Throws "invalid-argument" when it is none; `name` is how the caller would call it. */
export function kindOf(name: string, input: unknown): PictureInput {
  if (!isObject(input)) throw unknown(name, input);
  if (isBuffer(input) || ArrayBuffer.isView(input)) return { kind: "bytes", bytes: input };
  if (isBlob(input)) return { kind: "blob", blob: checkBlob(name, input) };
  const tag = tagOf(input);
  if (tag in advice || typeof member(input, "getContext") === "function")
    throw unknown(name, input);
  if ("bytes" in input) {
    const { bytes } = input as EncodedImage;
    if (!ArrayBuffer.isView(bytes))
      throw invalid(`${name}.bytes must be a Uint8Array, not ${shown(bytes)}`);
    return { kind: "bytes", bytes };
  }
  if ("data" in input) return { kind: "pixels", pixels: checkPixels(name, input as RgbaImage) };
  if (tag === "ImageBitmap") return { kind: "bitmap", bitmap: input as BitmapLike };
  throw unknown(name, input);
}

/** Throws "invalid-argument" when `input` is none of the kinds; `name` is how the caller would call it. */
export function checkImage(name: string, input: unknown): void {
  kindOf(name, input);
}

function unknown(name: string, input: unknown): Error {
  const tag = typeof member(input, "getContext") === "function" ? "OffscreenCanvas" : tagOf(input);
  const isBlobTag = tag === "Blob" || tag === "File";
  const help = isBlobTag ? "it lacks arrayBuffer() or slice(); give its bytes" : advice[tag];
  return invalid(
    `${name} must be a Blob, bytes, pixels or an ImageBitmap, not ${shown(input)}${help ? `: ${help}` : ""}`,
  );
}

function checkBlob(name: string, blob: BlobLike): BlobLike {
  const { size } = blob;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`${name}.size must be a number of bytes, not ${shown(size)}`);
  return blob;
}

function checkPixels(name: string, pixels: RgbaImage): RgbaImage {
  const { data, width, height } = pixels;
  if (!isByteArray(data))
    throw invalid(`${name}.data must be a Uint8ClampedArray or Uint8Array, not ${shown(data)}`);
  for (const [side, value] of Object.entries({ width, height })) {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
      throw invalid(`${name}.${side} must be an integer that is not negative, not ${shown(value)}`);
  }
  const bytes = width * height * 4;
  if (data.length !== bytes) {
    const three =
      data.length === width * height * 3 && data.length > 0
        ? "; 3 bytes a pixel (RGB) are not taken, add an alpha of 255"
        : "";
    throw invalid(
      `${name}.data must have width × height × 4 = ${bytes} bytes, not ${data.length}${three}`,
    );
  }
  return { data, width, height };
}

/** What decoders give must be pixels as well; throws "invalid-argument" otherwise. */
export function checkDecoded(name: string, decoded: unknown): RgbaImage {
  if (!isObject(decoded) || !("data" in decoded))
    throw invalid(`${name} must give { data, width, height }, not ${shown(decoded)}`);
  return checkPixels(name, decoded as RgbaImage);
}
