// The gallery's vectors, computed beforehand: a safetensors file with one F32 matrix "pictures" [count, dimensions] and
// the metadata `packSha256` (the hash in the manifest of the pack that made them) and `emoji` (JSON, the row order).

import type { Item } from "./corpus.ts";

/** The file is not there, not whole, or of another pack; `message` says which, for people. */
export class VectorsRefused extends Error {}

const longestHeader = 1 << 20;

export async function fetchPictureVectors(packSha256: string, dimensions: number): Promise<Item[]> {
  const response = await fetch(
    new URL("models/emoji/gallery/vectors.safetensors", document.baseURI),
  );
  if (!response.ok) throw new VectorsRefused(`there are none beside the page (${response.status})`);
  return readPictureVectors(await response.arrayBuffer(), packSha256, dimensions);
}

/** Rows as items. Everything in the file is checked: a page must not search vectors of another model. */
export function readPictureVectors(
  file: ArrayBuffer,
  packSha256: string,
  dimensions: number,
): Item[] {
  const damaged = (what: string) => new VectorsRefused(`the file is damaged (${what})`);
  if (file.byteLength < 8) throw damaged("no header");
  const headerLength = Number(new DataView(file).getBigUint64(0, true));
  if (headerLength > longestHeader || 8 + headerLength > file.byteLength)
    throw damaged("the header's length");
  let header: Header;
  let emoji: unknown;
  try {
    header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, headerLength))) as Header;
    emoji = JSON.parse(header.__metadata__?.["emoji"] ?? "");
  } catch {
    throw damaged("the header is no JSON");
  }
  if (header.__metadata__?.["packSha256"] !== packSha256 || packSha256 === "")
    throw new VectorsRefused("they were made with another version of the model");
  const { dtype, shape, data_offsets: [begin, end] = [0, 0] } = header.pictures ?? {};
  if (dtype !== "F32" || !Array.isArray(emoji) || !emoji.every((id) => typeof id === "string"))
    throw damaged("no matrix, or no list of emoji");
  if (
    shape?.[0] !== emoji.length ||
    shape[1] !== dimensions ||
    end - begin !== emoji.length * dimensions * 4
  )
    throw damaged("the matrix has another shape");
  if (8 + headerLength + end !== file.byteLength) throw damaged("its length");
  const numbers = new Float32Array(file.slice(8 + headerLength + begin));
  if (!numbers.every(Number.isFinite)) throw damaged("not a number");
  return emoji.map((id: string, row) => ({
    id,
    vector: numbers.slice(row * dimensions, (row + 1) * dimensions),
  }));
}

interface Header {
  readonly __metadata__?: Readonly<Record<string, string>>;
  readonly pictures?: {
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly data_offsets: readonly [number, number];
  };
}
