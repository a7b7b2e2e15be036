// Which model the page is to run, and what the page shows about it before it is loaded.

import type { FileLike, Tower } from "clipglot";

/** Formats of weights that the page offers where it converts a model. */
export type HubDType = "q8" | "q4";

/** A checkpoint on a hub that is converted here. */
export interface HubChoice {
  readonly kind: "hub";
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  readonly repo: string;
  readonly revision: string;
  readonly dtype: HubDType;
}

export type ModelChoice =
  | { readonly kind: "embedded"; readonly url: URL }
  | { readonly kind: "address"; readonly url: URL }
  | { readonly kind: "folder"; readonly name: string; readonly files: readonly FileLike[] }
  | HubChoice;

export const embeddedModel: ModelChoice = {
  kind: "embedded",
  url: new URL("models/emoji/", document.baseURI),
};

export interface PackInfo {
  readonly modelId: string;
  readonly revision: string;
  readonly license: string;
  readonly dtype: string;
  readonly fullDimensions: number | undefined;
  /** The manifest's own hash: two packs with the same one are the same. */
  readonly sha256: string;
  /** Bytes of each tower's files, 0 where that is not known; a tower that the pack does not have is absent. */
  readonly towers: ReadonlyMap<Tower, number>;
  readonly tokenizerBytes: number;
  /** Of a checkpoint that is converted here. */
  readonly checkpoint?: Checkpoint;
}

export interface Checkpoint {
  /** Its page, to be linked. */
  readonly page: string;
  readonly bytes: number;
  /** Bytes of each tower's part, if they are known. */
  readonly towers?: ReadonlyMap<Tower, number>;
}

/** Something is wrong with the chosen place, said in a sentence. */
export class ChoiceError extends Error {}

/** Bytes of the pack's files for these towers; 0 where that is not known. */
export function packBytes(pack: PackInfo, towers: readonly Tower[]): number {
  const shards = towers.reduce((sum, tower) => sum + (pack.towers.get(tower) ?? 0), 0);
  return shards > 0 && towers.includes("text") ? shards + pack.tokenizerBytes : shards;
}

/** Bytes that are fetched for these towers; at most so many where the towers' parts are not known. */
export function downloadBytes(pack: PackInfo, towers: readonly Tower[]): number {
  if (!pack.checkpoint) return packBytes(pack, towers);
  const { bytes, towers: parts } = pack.checkpoint;
  return parts ? towers.reduce((sum, tower) => sum + (parts.get(tower) ?? 0), 0) : bytes;
}
