// Which files a model's folder holds, for sources that cannot list one (a URL). The engine asks for what it needs; here it
// only matters that nothing it may ask for is missing.
import { EmbedError } from "../errors.js";
import type { Tower } from "./engine-types.js";
import { chunkBytes } from "./limits.js";
import { reasonOf } from "./reason.js";

export const manifestName = "manifest.json";
/** One of these is the beginning of a model: of a pack, of an upstream checkpoint. */
export const modelNames: readonly string[] = [manifestName, "config.json"];

/** Text files of an upstream checkpoint, small enough to be fetched whole; the first must be there. */
export const checkpointTexts = [
  "config.json",
  "preprocessor_config.json",
  "tokenizer.json",
] as const;
export const checkpointBinaries = ["model.safetensors", "sentencepiece.bpe.model"] as const;

/** A file that a manifest names. */
export interface ManifestFile {
  readonly path: string;
  readonly byteLength: number;
  /** Of each 4 MiB; left out where the manifest has no such list. */
  readonly sha256?: readonly string[];
  /** That needs it. */
  readonly tower: Tower;
}

/** The files that a pack's manifest lists. Only enough is read for that; the engine verifies the manifest. */
export function filesOfManifest(text: string, where: string): readonly ManifestFile[] {
  const damaged = (why: string) => new EmbedError("corrupt-model", `${where}: ${why}`);
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    throw damaged(`not JSON (${reasonOf(error)})`);
  }
  if (typeof manifest !== "object" || manifest === null) throw damaged("not a JSON object");
  const { tokenizer, shards } = manifest as { tokenizer?: unknown; shards?: unknown };
  const entries = [
    ...(Array.isArray(shards) ? (shards as unknown[]) : []),
    ...(tokenizer == null ? [] : [tokenizer]),
  ];
  return entries.flatMap((entry) => {
    const { path, bytes, sha256, tower } = (entry ?? {}) as {
      path?: unknown;
      bytes?: unknown;
      sha256?: unknown;
      tower?: unknown;
    };
    if (path === "" || path === undefined) return []; // a pack without a text tower has no tokenizer
    // A path must not lead out of the folder. The engine refuses such a manifest too, but it has not seen it yet.
    if (
      typeof path !== "string" ||
      !/^[\w.-]+(\/[\w.-]+)*$/.test(path) ||
      path.split("/").some((name) => /^\.+$/.test(name))
    )
      throw damaged(`not a plain relative path: ${JSON.stringify(path)?.slice(0, 100)}`);
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw damaged(`no size for ${path}`);
    const byteLength = bytes as number;
    const file: ManifestFile = { path, byteLength, tower: tower === "vision" ? "vision" : "text" }; // the tokenizer is text's
    return [areHashes(sha256, byteLength) ? { ...file, sha256 } : file];
  });
}

function areHashes(value: unknown, bytes: number): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length === Math.ceil(bytes / chunkBytes) &&
    value.every((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash))
  );
}
