// The kinds of pictures that callers hand over, as messages. Callers keep what they gave: bytes are copied, and the copy
// moves to the worker.
import type { ImagePayload } from "../shared/protocol.js";
import type { BitmapLike, BlobLike, EncodedImage, ImageInput, RgbaImage } from "../types.js";
import { isByteArray } from "../shared/values.js";
import { invalid, shown } from "./arguments.js";

export interface PackedImage {
  readonly image: ImagePayload;
  readonly transfer: ArrayBuffer[];
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const isBlob = (value: object): value is BlobLike => typeof (value as BlobLike).arrayBuffer === "function";
const isBuffer = (value: unknown): value is ArrayBuffer | SharedArrayBuffer =>
  /^(Shared)?ArrayBuffer$/.test(Object.prototype.toString.call(value).slice(8, -1));

/** Throws "invalid-argument" when `input` is none of the kinds; `name` is how the caller would call it. */
export function checkImage(name: string, input: unknown): void {
  if (!isObject(input)) throw invalid(`${name} must be a Blob, bytes, pixels or an ImageBitmap, not ${shown(input)}`);
  if (isBlob(input) || isBuffer(input) || ArrayBuffer.isView(input)) return;
  if ("bytes" in input) {
    if (!ArrayBuffer.isView(input.bytes)) throw invalid(`${name}.bytes must be a Uint8Array, not ${shown(input.bytes)}`);
    return;
  }
  if ("data" in input) {
    const { data, width, height } = input as { data: unknown; width: unknown; height: unknown };
    if (!isByteArray(data))
      throw invalid(`${name}.data must be a Uint8ClampedArray or Uint8Array, not ${shown(data)}`);
    for (const [side, value] of Object.entries({ width, height })) {
      if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
        throw invalid(`${name}.${side} must be an integer that is not negative, not ${shown(value)}`);
    }
    const bytes = (width as number) * (height as number) * 4;
    if (data.length !== bytes) throw invalid(`${name}.data must have width × height × 4 = ${bytes} bytes, not ${data.length}`);
    return;
  }
  if (typeof (input as BitmapLike).close === "function" && "width" in input) return;
  throw invalid(`${name} must be a Blob, bytes, pixels or an ImageBitmap, not ${shown(input)}`);
}

/** `input` must have passed checkImage. */
export function packImage(input: ImageInput): PackedImage {
  if (isBlob(input)) return { image: { kind: "blob", blob: input.slice() }, transfer: [] };
  if (isBuffer(input)) return packBytes(new Uint8Array(input));
  if (ArrayBuffer.isView(input)) return packBytes(new Uint8Array(input.buffer, input.byteOffset, input.byteLength));
  if ("bytes" in input) {
    const { bytes } = input as EncodedImage;
    return packBytes(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
  if ("data" in input) {
    const { data, width, height } = input as RgbaImage;
    const bytes = new Uint8Array(data);
    return { image: { kind: "rgba", bytes, width, height }, transfer: [bytes.buffer] };
  }
  return { image: { kind: "bitmap", bitmap: input }, transfer: [] };
}

function packBytes(view: Uint8Array): PackedImage {
  const bytes = new Uint8Array(view); // a copy, in a buffer that is not shared
  return { image: { kind: "bytes", bytes }, transfer: [bytes.buffer] };
}
