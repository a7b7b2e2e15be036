// What Hugging Face's own tools have downloaded: DIR/models--OWNER--NAME/refs/REVISION names a commit, and snapshots/COMMIT/ holds
// its files (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isCommit } from "../shared/hub-address.js";

/** Where those tools keep them, by the variables of the environment that they read. */
export function defaultHubCache(environment: NodeJS.ProcessEnv = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, "hub");
}

/** The folder of a revision and its commit, if all of the checkpoint's files are there. */
export function findInHubCache(
  cache: string,
  repo: string,
  revision: string,
): { readonly folder: string; readonly commit: string } | undefined {
  const model = join(cache, `models--${repo.split("/").join("--")}`);
  const commit = isCommit(revision)
    ? revision
    : readRef(join(model, "refs", ...revision.split("/")));
  if (commit === undefined) return undefined;
  const folder = join(model, "snapshots", commit);
  const has = (name: string) => existsSync(join(folder, name)); // of a link: what it leads to
  const isWhole =
    ["config.json", "preprocessor_config.json", "model.safetensors"].every(has) &&
    (has("tokenizer.json") || has("sentencepiece.bpe.model"));
  return isWhole ? { folder, commit } : undefined;
}

function readRef(path: string): string | undefined {
  try {
    const commit = readFileSync(path, "utf8").trim();
    return isCommit(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}
