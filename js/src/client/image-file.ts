// The bytes of a picture's file, on the caller's side: its first bytes, and all of them, which are then ours to send.
//
// Blobs are read here and never sent: Node ends with an abort when a Blob that stands for a file on disk is read in another
// thread, and Blobs of polyfills cannot be sent at all.
import { EmbedError } from "../errors.js";
import { headBytes } from "../shared/image-format.js";
import { reasonOf } from "../shared/reason.js";
import { isBuffer, member, tagOf } from "../shared/values.js";
import type { BlobLike } from "../types.js";
import { invalid, shown } from "./arguments.js";
import type { PictureInput } from "./image-kind.js";

export interface PictureFile {
  /** As messages call it: the file's name in quotes, or nothing. */
  readonly name: string;
  /** The type that the Blob says it has, or "". */
  readonly type: string;
  readonly size: number;
  /** The first bytes, `headBytes` or all; not to be kept or changed. */
  head(): Uint8Array | Promise<Uint8Array>;
  /** All bytes, in a buffer of their own that is not shared. */
  copy(): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
}

/** Errors, also of the two functions: EmbedError "unreadable", "invalid-argument" or "out-of-memory". */
export function openPicture(
  input: PictureInput & { readonly kind: "blob" | "bytes" },
): PictureFile {
  if (input.kind === "blob") return blobFile(input.blob);
  const bytes = viewOf(input.bytes);
  return {
    name: "",
    type: "",
    size: bytes.length,
    head: () => bytes.subarray(0, headBytes),
    copy: () => copyOf(bytes),
  };
}

function viewOf(given: ArrayBuffer | SharedArrayBuffer | ArrayBufferView): Uint8Array {
  try {
    return ArrayBuffer.isView(given)
      ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
      : new Uint8Array(given);
  } catch (cause) {
    throw new EmbedError(
      "invalid-argument",
      "the image's bytes are gone: their buffer was detached (transferred) or made smaller",
      { cause },
    );
  }
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new EmbedError("out-of-memory", `no room for a copy of ${bytes.length} bytes`, { cause });
  }
}

function blobFile(blob: BlobLike): PictureFile {
  const [name, type] = [member(blob, "name"), member(blob, "type")];
  const file =
    typeof name === "string" && name !== ""
      ? JSON.stringify(name.length > 80 ? `…${name.slice(-80)}` : name)
      : "";
  const label = file || "the image's Blob";
  const { size } = blob;
  const read = async (part: BlobLike, expected: number) => {
    let buffer: unknown;
    try {
      buffer = await part.arrayBuffer();
    } catch (cause) {
      throw new EmbedError(
        "unreadable",
        `${label} cannot be read; was it removed or changed since it was chosen? ${reasonOf(cause)}`,
        { cause },
      );
    }
    if (!isBuffer(buffer))
      throw invalid(`${label}: arrayBuffer() must give an ArrayBuffer, not ${shown(buffer)}`);
    const bytes = viewOf(buffer);
    if (bytes.length !== expected || member(blob, "size") !== size)
      throw new EmbedError(
        "unreadable",
        `${label} changed while it was read: ${bytes.length} bytes came where there were ${expected}`,
      );
    return bytes;
  };
  return {
    name: file,
    type: typeof type === "string" ? type : "",
    size,
    async head() {
      // Of an empty one all is read: in browsers a file that was removed says that it is empty, and only reading it tells.
      return size === 0
        ? read(blob, 0)
        : read(sliceOf(blob, label, Math.min(size, headBytes)), Math.min(size, headBytes));
    },
    async copy() {
      const bytes = await read(blob, size);
      // The platform's own Blobs give a fresh buffer; others, and those of other realms, may give the one that they keep.
      const fresh =
        typeof Blob === "function" && blob instanceof Blob && tagOf(bytes.buffer) === "ArrayBuffer";
      return fresh ? (bytes as Uint8Array<ArrayBuffer>) : copyOf(bytes);
    },
  };
}

function sliceOf(blob: BlobLike, label: string, end: number): BlobLike {
  let part: unknown;
  try {
    part = blob.slice(0, end);
  } catch (cause) {
    throw new EmbedError("unreadable", `${label} cannot be read: ${reasonOf(cause)}`, { cause });
  }
  if (
    typeof part !== "object" ||
    part === null ||
    typeof member(part, "arrayBuffer") !== "function"
  )
    throw invalid(`${label}: slice() must give a Blob, not ${shown(part)}`);
  return part as BlobLike;
}
