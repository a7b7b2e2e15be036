// What a conversion that was cut short leaves behind: one file in the pack's folder, replaced as a whole after each shard. It
// holds which conversion it was, which shards are finished, and what the core needs to continue after them.
import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { FileEntry } from "../worker/convert/pack-maker.js";
import { isIntact, writeWhole, type Write } from "./disk.js";

export const stateName = ".clipglot-convert.state";
/** What came of a download and is still needed lies here. */
export const downloadFolder = ".clipglot-download";
const version = 2;

export interface ConvertState {
  /** Source, options and program; another conversion has another. */
  readonly identity: string;
  /** Finished shards, in order. */
  readonly shards: readonly FileEntry[];
  /** From the core. */
  readonly core: Uint8Array;
  /** From the source, if its download can be continued. */
  readonly source?: unknown;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export function saveState(
  folder: string,
  { identity, shards, core, source }: ConvertState,
  write: Write,
): void {
  const line = JSON.stringify({
    version,
    identity,
    shards,
    source,
    coreBytes: core.length,
    coreSha256: sha256(core),
  });
  writeWhole(folder, stateName, [Buffer.from(`${line}\n`), core], write);
}

/**
 * The state of the conversion `identity`, if there is one and all its shards are as they were written. Another state goes, and
 * its shards with it.
 */
export function loadState(folder: string, identity: string): ConvertState | undefined {
  let shards: FileEntry[] = [];
  try {
    const file = readFileSync(join(folder, stateName));
    const end = file.indexOf(10);
    const head = JSON.parse(file.toString("utf8", 0, end)) as {
      version: number;
      identity: string;
      shards: FileEntry[];
      source?: unknown;
      coreSha256: string;
    };
    const core = file.subarray(end + 1);
    shards = head.shards.filter(({ path }) => /^[\w-]+\.safetensors$/.test(path));
    if (
      head.version === version &&
      head.identity === identity &&
      head.coreSha256 === sha256(core) &&
      head.shards.every((entry) => isIntact(folder, entry))
    )
      return { identity, shards: head.shards, core, source: head.source };
  } catch {
    // None, or not one.
  }
  for (const { path } of shards) rmSync(join(folder, path), { force: true });
  removeState(folder);
  return undefined;
}

export function removeState(folder: string): void {
  rmSync(join(folder, downloadFolder), { recursive: true, force: true });
  rmSync(join(folder, stateName), { force: true });
}
