// What is to be read about a model before anything large is fetched: a pack's manifest, or what is known of a model on the hub.

import type { FileLike, Tower } from "clipglot";
import { ChoiceError, type ModelChoice, type PackInfo } from "./choice.ts";
import { hubChoice, readHubInfo } from "./hub-models.ts";

const longestManifest = 4 << 20; // docs/FORMAT.md

/** What a person types or pastes: a model's name on the hub, or the address of a pack's folder. */
export function typedChoice(typed: string): ModelChoice {
  return hubChoice(typed) ?? { kind: "address", url: packAddress(typed) };
}

/** The folder of a pack from what a person types or pastes: with or without manifest.json, query and last slash. */
function packAddress(typed: string): URL {
  let url: URL;
  try {
    url = new URL(typed.trim(), document.baseURI);
  } catch {
    throw new ChoiceError("This is not an address.");
  }
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new ChoiceError("The address must begin with https:// or http://.");
  url.search = url.hash = "";
  url.pathname = url.pathname.replace(/manifest\.json$/, "").replace(/\/?$/, "/");
  return url;
}

export async function readPackInfo(choice: ModelChoice, signal?: AbortSignal): Promise<PackInfo> {
  if (choice.kind === "hub") return readHubInfo(choice, signal);
  const text =
    choice.kind === "folder"
      ? await manifestOfFolder(choice.files)
      : await manifestOfAddress(choice.url, signal);
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new ChoiceError(
      "The manifest.json there is no JSON: this is not a model pack, or it is damaged.",
    );
  }
  return describeManifest(manifest);
}

async function manifestOfAddress(url: URL, signal: AbortSignal | undefined): Promise<string> {
  const response = await reach(new URL("manifest.json", url), signal);
  if (response.status === 404)
    throw new ChoiceError("There is no manifest.json at this address, so no model pack.");
  if (!response.ok)
    throw new ChoiceError(
      `The server answers ${response.status} ${response.statusText} for manifest.json.`.replace(
        "  ",
        " ",
      ),
    );
  return response.text();
}

/** A fetch whose failure says what a person can do about it. */
async function reach(url: URL, signal: AbortSignal | undefined): Promise<Response> {
  try {
    return await fetch(url, { cache: "no-cache", ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (url.protocol === "http:" && location.protocol === "https:")
      throw new ChoiceError("A page of https:// may not fetch from http://.");
    throw new ChoiceError(
      url.origin === location.origin
        ? "The server does not answer."
        : `${url.host} does not answer, or does not let other pages read its files (it would have to send Access-Control-Allow-Origin).`,
    );
  }
}

async function manifestOfFolder(files: readonly FileLike[]): Promise<string> {
  const named = (name: string) =>
    files
      .filter((file) => file.name === name)
      .sort((a, b) => pathOf(a).length - pathOf(b).length)[0];
  const file = named("manifest.json") as (FileLike & Blob) | undefined;
  if (!file) {
    throw new ChoiceError(
      named("model.safetensors")
        ? "This is an original checkpoint. Make a pack of it first: npx clipglot convert FOLDER --out PACK"
        : "There is no manifest.json in this folder, so no model pack.",
    );
  }
  if (file.size > longestManifest)
    throw new ChoiceError("The manifest.json there is too large to be that of a model pack.");
  return file.text();
}

function pathOf(file: FileLike): string {
  return file.webkitRelativePath || file.name;
}

type Json = { readonly [name: string]: unknown };
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === "string" ? value : "");
const count = (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0;

/** Reads what the page shows. Whether the pack is sound is for the engine to say. */
function describeManifest(manifest: unknown): PackInfo {
  if (
    !isObject(manifest) ||
    !Array.isArray(manifest["shards"]) ||
    text(manifest["modelId"]) === ""
  ) {
    throw new ChoiceError("The manifest.json there is not that of a model pack.");
  }
  const towers = new Map<Tower, number>();
  for (const shard of manifest["shards"] as unknown[]) {
    if (!isObject(shard)) continue;
    const tower = shard["tower"];
    if (tower === "text" || tower === "vision")
      towers.set(tower, (towers.get(tower) ?? 0) + count(shard["bytes"]));
  }
  if (towers.size === 0)
    throw new ChoiceError("The manifest.json there names no files of a model.");
  const config = isObject(manifest["config"]) ? manifest["config"] : {};
  return {
    modelId: text(manifest["modelId"]),
    revision: text(manifest["revision"]),
    license: text(manifest["license"]) || "not named",
    dtype: text(manifest["dtype"]),
    fullDimensions: count(config["projection_dim"]) || undefined,
    sha256: text(manifest["sha256"]),
    towers,
    tokenizerBytes: isObject(manifest["tokenizer"]) ? count(manifest["tokenizer"]["bytes"]) : 0,
  };
}
