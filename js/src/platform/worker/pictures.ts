// The browser's image decoder, in the worker.
import type { Pixels } from "../../shared/platforms.js";
import { upright } from "../../shared/upright.js";
import { webpOrientation } from "../../shared/webp-orientation.js";

export async function decodePicture(file: Uint8Array, ignoreOrientation: boolean): Promise<Pixels> {
  // Browsers pass over the orientation in WebP's EXIF, which PIL does not; so it is taken from them where it is there.
  const turned = webpOrientation(file);
  const fromImage = !ignoreOrientation && turned === 1;
  const bitmap = await createImageBitmap(new Blob([file as Uint8Array<ArrayBuffer>]), {
    imageOrientation: fromImage ? "from-image" : "none",
    premultiplyAlpha: "none",
    colorSpaceConversion: "none",
  });
  try {
    const pixels = await readPixels(bitmap);
    return ignoreOrientation ? pixels : upright(pixels, turned);
  } finally {
    bitmap.close();
  }
}

/** The pixels, with the colours that lie below transparency where the bitmap has them. */
export async function readPixels(bitmap: ImageBitmap): Promise<Pixels> {
  const { width, height } = bitmap;
  if (width === 0 || height === 0) return { bytes: new Uint8Array(0), width, height };
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no canvas for it");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  canvas.width = canvas.height = 0; // gives its memory back
  const bytes = new Uint8Array(data.buffer);
  if (!isOpaque(data)) await readHidden(bitmap, bytes);
  return { bytes, width, height };
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}

const tileSide = 2048;

// A canvas multiplies colours by alpha and so loses them where alpha is small. Textures do not: the bitmap is read again
// through them, in tiles, since they have a largest side. Where there is no WebGL, what the canvas gave stays.
async function readHidden(bitmap: ImageBitmap, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl", {
    premultipliedAlpha: false,
    antialias: false,
    depth: false,
  });
  if (!gl) return;
  const { width, height } = bitmap;
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  try {
    for (let y = 0; y < height; y += tileSide) {
      for (let x = 0; x < width; x += tileSide) {
        const [w, h] = [Math.min(tileSide, width - x), Math.min(tileSide, height - y)];
        const whole = w === width && h === height;
        const part = whole
          ? bitmap
          : await createImageBitmap(bitmap, x, y, w, h, {
              premultiplyAlpha: "none",
              colorSpaceConversion: "none",
            });
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, part);
        if (!whole) part.close();
        gl.framebufferTexture2D(
          gl.FRAMEBUFFER,
          gl.COLOR_ATTACHMENT0,
          gl.TEXTURE_2D,
          gl.getParameter(gl.TEXTURE_BINDING_2D) as WebGLTexture,
          0,
        );
        if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return;
        const tile = new Uint8Array(w * h * 4);
        gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, tile);
        if (gl.getError() !== gl.NO_ERROR || gl.isContextLost()) return;
        takeColours(tile, w, bytes, width, x, y);
      }
    }
  } finally {
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

// Where the texture agrees with the canvas about alpha; a driver that gives something else is not believed.
function takeColours(
  tile: Uint8Array,
  tileWidth: number,
  bytes: Uint8Array,
  width: number,
  x: number,
  y: number,
): void {
  for (let i = 0; i < tile.length; i += 4) {
    const at = 4 * ((y + Math.floor(i / 4 / tileWidth)) * width + x + ((i / 4) % tileWidth));
    if (bytes[at + 3] === tile[i + 3]) bytes.set(tile.subarray(i, i + 3), at);
  }
}
