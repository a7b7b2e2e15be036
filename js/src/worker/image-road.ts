// What happens to a picture in the worker: the engine decodes what it knows. What it does not know, and what it cannot read of its
// own formats, goes through the platform's decoder, under the same limits.
import { EmbedError } from "../errors.js";
import { headBytes, sniff, type ImageFormat } from "../shared/image-format.js";
import { checkPictureSize } from "../shared/image-limits.js";
import { pictureSize } from "../shared/image-size.js";
import type { Pixels, WorkerPlatform } from "../shared/platforms.js";
import type { EmbeddingAnswer, ImagePayload, ImageSettings } from "../shared/protocol.js";
import { reasonOf } from "../shared/reason.js";
import type { EngineAdapter, VectorResult } from "./engine-adapter.js";

export interface TimedVector {
  readonly answer: EmbeddingAnswer;
  readonly transfer: ArrayBuffer[];
}

type Decoders = Pick<WorkerPlatform, "decode" | "readBitmap">;

/** Errors: EmbedError; "invalid-image" names all decoders that were asked, and why they refused. */
export async function embedPicture(
  engine: EngineAdapter,
  platform: Decoders,
  maxPixels: number,
  image: ImagePayload,
  settings: ImageSettings,
): Promise<TimedVector> {
  if (image.kind === "rgba")
    return timed(
      () => engine.embedPixels(image.bytes, image.width, image.height, settings),
      image.decoder,
    );
  const embedPixels = ({ bytes, width, height }: Pixels) => {
    checkPictureSize({ width, height }, maxPixels);
    return timed(() => engine.embedPixels(bytes, width, height, settings), "browser");
  };
  if (image.kind === "bitmap") {
    if (!platform.readBitmap)
      throw new EmbedError("invalid-image", "there are no ImageBitmaps here");
    return embedPixels(
      await platform.readBitmap(image.bitmap).catch(refused("the ImageBitmap cannot be read")),
    );
  }
  const file = image.bytes;
  const format = sniff(file.subarray(0, headBytes), file.length);
  if (format?.decoder === "other" && platform.decode) {
    checkHeader(file, format, maxPixels);
    return embedPixels(
      await platform
        .decode(file, settings.ignoreOrientation)
        .catch(refused(`${format.name}: the browser's decoder refuses it`)),
    );
  }
  try {
    return timed(() => engine.embedEncodedImage(file, settings), "core");
  } catch (error) {
    const refusal =
      error instanceof EmbedError && error.code === "invalid-image" ? error : undefined;
    if (!refusal || !format || !platform.decode || !fits(file, format, maxPixels)) throw error;
    // Damaged, or of a kind that the engine does not read: browsers show more.
    return embedPixels(
      await platform
        .decode(file, settings.ignoreOrientation)
        .catch(refused(`${refusal.detail}; the browser's decoder refuses it too`)),
    );
  }
}

export function timed(embed: () => VectorResult, decoder: EmbeddingAnswer["decoder"]): TimedVector {
  const start = performance.now();
  const result = embed();
  return {
    answer: { ...result, milliseconds: performance.now() - start, decoder },
    transfer: [result.vector.buffer],
  };
}

// A decoder that is not ours gets only what it can be trusted with: few bytes may stand for many pixels.
function checkHeader(file: Uint8Array, format: ImageFormat, maxPixels: number): void {
  const size = pictureSize(file, format);
  if (!size)
    throw new EmbedError("invalid-image", `${format.name}: its header does not tell its size`);
  checkPictureSize(size, maxPixels);
}

function fits(file: Uint8Array, format: ImageFormat, maxPixels: number): boolean {
  const size = pictureSize(file, format);
  return size !== undefined && size.width * size.height <= maxPixels;
}

function refused(what: string): (cause: unknown) => never {
  return (cause) => {
    throw new EmbedError("invalid-image", `${what}: ${reasonOf(cause)}`, { cause });
  };
}
