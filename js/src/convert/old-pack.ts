// The end of an older pack in the folder of a new one.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { manifestName } from "../shared/model-files.js";
import { ConvertError } from "./disk.js";

/** Removes an older pack from `folder`, its manifest first, but for the files in `kept`. A manifest that is not a pack's is refused. */
export function removeOldPack(folder: string, kept: readonly string[]): void {
  const path = join(folder, manifestName);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return;
  }
  let files: string[];
  try {
    const {
      shards,
      tokenizer,
      formatVersion: version,
    } = JSON.parse(text) as {
      shards: { path: string }[];
      tokenizer?: { path: string };
      formatVersion: unknown;
    };
    if (typeof version !== "number") throw new Error("no formatVersion");
    files = [...shards, ...(tokenizer ? [tokenizer] : [])]
      .map((entry) => entry.path)
      .filter((name) => /^[\w-][\w.-]*$/.test(name));
  } catch (cause) {
    throw new ConvertError(
      "usage",
      `${path} is not the manifest of a pack; choose another folder, or remove it`,
      { cause },
    );
  }
  rmSync(path);
  for (const name of files) if (!kept.includes(name)) rmSync(join(folder, name), { force: true });
}
