// The kinds of models that callers hand over, as the worker wants them described.
import { shownHub } from "../shared/hub-address.js";
import { modelNames } from "../shared/model-files.js";
import type { PagePlatform } from "../shared/platforms.js";
import type { SourceDescription } from "../shared/protocol.js";
import type { FetchLike, FileLike, LoadOptions, ModelAddresses, ModelSource } from "../types.js";
import { isUrl, member } from "../shared/values.js";
import { invalid, shown } from "./arguments.js";
import { readOptions, reading } from "./fence.js";
import { describeHub, readHub } from "./hub-input.js";
import { addressNames } from "./option-names.js";
import { pickedFiles } from "./picked-files.js";

export interface ModelInput {
  readonly name: string; // for progress events
  /** Asked once, when the load begins. */
  describe(): Promise<SourceDescription>;
  readonly source: ModelSource | undefined;
  /** Fetches the model's files, before the `fetch` of `load`. */
  readonly fetch?: FetchLike | undefined;
}

/** `assetBase`: the folder of the engine's files, if they were moved. */
export function readModel(
  model: LoadOptions["model"],
  platform: PagePlatform,
  assetBase: string | undefined,
): ModelInput {
  return reading("model", () => read(model, platform, assetBase));
}

function read(
  model: LoadOptions["model"] | undefined,
  platform: PagePlatform,
  assetBase: string | undefined,
): ModelInput {
  if (model === undefined)
    throw invalid("model is missing: a URL, files, addresses or a ModelSource");
  if (model === "") throw invalid("model must not be an empty string");
  const hub = readHub(model);
  if (hub)
    return {
      name: shownHub(hub.hub),
      describe: async () => describeHub(hub, assetBase),
      source: undefined,
      fetch: hub.fetch,
    };
  if (typeof model === "string" || isUrl(model)) {
    const name = typeof model === "string" ? model : model.href;
    const folder = platform.describeFolder(name);
    return { name, describe: async () => folder, source: undefined };
  }
  if (typeof model !== "object" || model === null)
    throw invalid(`model must be a URL, files, addresses or a ModelSource, not ${shown(model)}`);
  if ("list" in model && "read" in model) {
    const source = model as ModelSource;
    return {
      name: "ModelSource",
      source,
      describe: async () => ({ kind: "custom", files: checkList(await source.list()) }),
    };
  }
  if ("files" in model) {
    const files = describeAddresses(model as ModelAddresses, platform);
    return { name: "files", describe: async () => files, source: undefined };
  }
  if (typeof (model as ArrayLike<FileLike>).length === "number") {
    const files = pickedFiles(model as ArrayLike<FileLike>);
    return {
      name: "files",
      source: files,
      describe: async () => ({ kind: "custom", files: await files.list() }),
    };
  }
  throw invalid(`model must be a URL, files, addresses or a ModelSource, not ${shown(model)}`);
}

/** What `{ files }` stands for. */
export function describeAddresses(
  model: ModelAddresses,
  platform: PagePlatform,
): SourceDescription {
  const { files } = readOptions("model", model, addressNames);
  if (typeof files !== "object" || files === null)
    throw invalid(`model.files must be an object, not ${shown(files)}`);
  const addresses = Object.entries(files).map(([path, address]) => {
    if (typeof address !== "string" && !isUrl(address))
      throw invalid(`model.files["${path}"] must be a URL, not ${shown(address)}`);
    return [path, typeof address === "string" ? address : address.href] as const;
  });
  if (!("manifest.json" in files || "config.json" in files))
    throw invalid("model.files has neither manifest.json nor config.json");
  return platform.describeFiles(addresses);
}

/** No model has so many files; a list that claims more is not walked. */
const maxFiles = 100_000;
type Listed = readonly { readonly path: string; readonly byteLength: number }[];
const isSize = (bytes: unknown): bytes is number =>
  Number.isSafeInteger(bytes) && (bytes as number) >= 0;

// An odd entry beside a model is left out. If no model is left, it is the fault.
function checkList(files: unknown): Listed {
  if (!Array.isArray(files)) throw invalid(`model.list() must give an array, not ${shown(files)}`);
  if (files.length > maxFiles)
    throw invalid(`model.list() gave ${files.length} files, at most ${maxFiles} are looked at`);
  const listed = files.map((file) => ({
    path: member(file, "path"),
    byteLength: member(file, "byteLength"),
  }));
  const isEntry = (entry: { path: unknown; byteLength: unknown }): entry is Listed[number] =>
    typeof entry.path === "string" && isSize(entry.byteLength);
  const good = listed.filter(isEntry);
  const odd = listed.findIndex((entry) => !isEntry(entry));
  if (odd >= 0 && !good.some(({ path }) => modelNames.includes(path)))
    throw invalid(`model.list()[${odd}] must have a path and a byteLength`);
  return good;
}
