// The manifest of a pack (docs/FORMAT.md).
import { hexSha256 } from "../../loading/sha256.js";
import type { PlannedShard } from "./shards.js";

export const formatVersion = 1;

/** What a manifest says. Of files that are not finished, `sha256` is missing. */
export interface PackContent {
  readonly about: {
    readonly modelId: string;
    readonly revision: string;
    readonly license: string;
    readonly dtype: string;
  };
  readonly config: unknown;
  readonly preprocessor: unknown;
  readonly selfTest?: unknown;
  readonly tokenizer: { readonly path: string; readonly bytes: number } | undefined;
  readonly shards: readonly (Pick<PlannedShard, "path" | "tower" | "bytes" | "tensors"> & {
    readonly sha256?: readonly string[];
  })[];
}

/** The manifest as an object, its members in their order. */
export function packManifest(content: PackContent): object {
  const { about, config, preprocessor, selfTest, tokenizer, shards } = content;
  return {
    formatVersion,
    ...about,
    config,
    preprocessor,
    ...(selfTest === undefined ? {} : { selfTest }),
    ...(tokenizer ? { tokenizer } : {}),
    shards: shards.map(({ tower, path, bytes, sha256, tensors }) => ({
      tower,
      path,
      bytes,
      ...(sha256 ? { sha256 } : {}),
      tensors: tensors.map(({ name }) => name),
    })),
  };
}

const encoder = new TextEncoder();

/** The manifest's text. It ends with the hash of everything before the hash's digits. */
export async function signedManifest(manifest: object): Promise<Uint8Array<ArrayBuffer>> {
  const body = JSON.stringify(manifest, null, 1).replace(/\n\}$/, ',\n "sha256": "');
  return encoder.encode(`${body}${await hexSha256(body)}"\n}\n`);
}
