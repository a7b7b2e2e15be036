// An upstream checkpoint at a URL: which of its files are there, and how long they are. Nothing verifies their bytes, so
// all of them are asked for past old answers in caches, and their versions are looked at again at the end.
import { EmbedError } from "../errors.js";
import type { HttpReader } from "./http-reader.js";
import { textBytes, wholeBytes } from "../shared/limits.js";
import { checkpointBinaries, checkpointTexts, manifestName } from "../shared/model-files.js";
import { addressOf, type ModelAddress } from "./model-key.js";
import { shownAddress } from "./answers.js";

export interface CheckpointFile {
  readonly path: string;
  readonly href: string;
  readonly byteLength: number;
  /** Of files that came whole. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** Of files that came whole: what tells their version, if anything does. */
  readonly version: string;
}

/** `noManifest`: why it is not a pack. `absent`: path → reason. Errors: "network" when there is no model. */
export async function findCheckpoint(
  address: ModelAddress,
  http: HttpReader,
  noManifest: string,
): Promise<{ files: CheckpointFile[]; absent: Map<string, string> }> {
  const files: CheckpointFile[] = [];
  const absent = new Map<string, string>();
  for (const path of [...checkpointTexts, ...checkpointBinaries]) {
    const href = addressOf(address, path);
    const why = href === undefined ? "has no address" : await find(path, href, http, files);
    if (why === undefined) continue;
    absent.set(path, why);
    const where = typeof address === "string" ? shownAddress(address) : "the given addresses";
    if (path === checkpointTexts[0])
      throw new EmbedError(
        "network",
        `no model at ${where}: ${manifestName}: ${noManifest}; ${path}: ${why}`,
      );
  }
  return { files, absent };
}

async function find(
  path: string,
  href: string,
  http: HttpReader,
  files: CheckpointFile[],
): Promise<string | undefined> {
  if ((checkpointTexts as readonly string[]).includes(path)) {
    const came = await http.whole(href, textBytes, "no-cache");
    if (!came.bytes) return came.why;
    files.push({
      path,
      href,
      byteLength: came.bytes.length,
      bytes: came.bytes,
      version: came.version,
    });
    return undefined;
  }
  const size = await http.size(href, wholeBytes);
  if (size.byteLength === undefined) return size.why;
  files.push({
    path,
    href,
    byteLength: size.byteLength,
    ...(size.bytes ? { bytes: size.bytes } : {}),
    version: "",
  });
  return undefined;
}
