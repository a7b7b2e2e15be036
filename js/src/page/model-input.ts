// The kinds of models that callers hand over, as the worker wants them described.
import type { PagePlatform } from "../shared/platforms.js";
import type { SourceDescription } from "../shared/protocol.js";
import type { FileLike, LoadOptions, ModelAddresses, ModelSource } from "../types.js";
import { readBlob, readPart, type NamedBlob } from "../loading/blob-source.js";
import { isUrl } from "../shared/values.js";
import { invalid, shown } from "./arguments.js";
import { readOptions, reading } from "./fence.js";
import { addressNames } from "./option-names.js";

export interface ModelInput {
  readonly name: string; // for progress events
  /** Asked once, when the load begins. */
  describe(): Promise<SourceDescription>;
  readonly source: ModelSource | undefined;
}

export function readModel(model: LoadOptions["model"], platform: PagePlatform): ModelInput {
  return reading("model", () => read(model, platform));
}

function read(model: LoadOptions["model"] | undefined, platform: PagePlatform): ModelInput {
  if (model === undefined) throw invalid("model is missing: a URL, files, addresses or a ModelSource");
  if (model === "") throw invalid("model must not be an empty string");
  if (typeof model === "string" || isUrl(model)) {
    const name = typeof model === "string" ? model : model.href;
    const folder = platform.describeFolder(name);
    return { name, describe: async () => folder, source: undefined };
  }
  if (typeof model !== "object" || model === null) throw invalid(`model must be a URL, files, addresses or a ModelSource, not ${shown(model)}`);
  if ("list" in model && "read" in model) {
    const source = model as ModelSource;
    return { name: "ModelSource", source, describe: async () => ({ kind: "custom", files: checkList(await source.list()) }) };
  }
  if ("files" in model) {
    const files = describeAddresses(model as ModelAddresses, platform);
    return { name: "files", describe: async () => files, source: undefined };
  }
  if (typeof (model as ArrayLike<FileLike>).length === "number") {
    const files = chosenFiles(model as ArrayLike<FileLike>);
    if (files.every(({ blob }) => platform.sendsBlob(blob))) return { name: "files", describe: async () => ({ kind: "blobs", files }), source: undefined };
    // What cannot be sent to the worker is read here, piece by piece.
    return { name: "files", describe: async () => ({ kind: "custom", files: await sizesOf(files) }), source: sourceOf(files) };
  }
  throw invalid(`model must be a URL, files, addresses or a ModelSource, not ${shown(model)}`);
}

// Paths of a chosen folder begin with its own name; they become relative to the folder that holds the model's first file.
function chosenFiles(files: ArrayLike<FileLike>): NamedBlob[] {
  const named: NamedBlob[] = [];
  for (let i = 0; i < files.length; i++) { // one by one: what says that it is endless ends at its first wrong item
    const file = files[i];
    if (typeof file !== "object" || file === null || typeof file.slice !== "function" || typeof file.arrayBuffer !== "function" || typeof file.name !== "string")
      throw invalid(`model[${i}] must be a File, not ${shown(file)}`);
    named.push({ path: file.webkitRelativePath || file.name, blob: file });
  }
  const root = ["manifest.json", "config.json"]
    .flatMap((name) => named.filter(({ path }) => path === name || path.endsWith(`/${name}`)).map(({ path }) => path.slice(0, -name.length)))
    .sort((a, b) => a.length - b.length)[0];
  if (root === undefined) throw invalid(`model: none of the ${files.length} files is manifest.json or config.json`);
  return named.filter(({ path }) => path.startsWith(root)).map(({ path, blob }) => ({ path: path.slice(root.length), blob }));
}

// In browsers a file that was removed says that it is empty; only reading it tells.
function sizesOf(files: readonly NamedBlob[]): Promise<{ path: string; byteLength: number }[]> {
  return Promise.all(files.map(async ({ path, blob }) => {
    if (blob.size === 0) await readBlob(path, blob, 0, 0);
    return { path, byteLength: blob.size };
  }));
}

function sourceOf(files: readonly NamedBlob[]): ModelSource {
  const blobOf = new Map(files.map(({ path, blob }) => [path, blob]));
  return {
    list: () => sizesOf(files),
    async read(path, offset, length) {
      const blob = blobOf.get(path);
      if (!blob) throw new Error("there is no such file");
      return readPart(blob, offset, length);
    },
  };
}

/** What `{ files }` stands for. */
export function describeAddresses(model: ModelAddresses, platform: PagePlatform): SourceDescription {
  const { files } = readOptions("model", model, addressNames);
  if (typeof files !== "object" || files === null) throw invalid(`model.files must be an object, not ${shown(files)}`);
  const addresses = Object.entries(files).map(([path, address]) => {
    if (typeof address !== "string" && !isUrl(address)) throw invalid(`model.files["${path}"] must be a URL, not ${shown(address)}`);
    return [path, typeof address === "string" ? address : address.href] as const;
  });
  if (!("manifest.json" in files || "config.json" in files)) throw invalid("model.files has neither manifest.json nor config.json");
  return platform.describeFiles(addresses);
}

function checkList(files: unknown): readonly { readonly path: string; readonly byteLength: number }[] {
  if (!Array.isArray(files)) throw invalid(`model.list() must give an array, not ${shown(files)}`);
  return files.map((file: { path?: unknown; byteLength?: unknown }, i) => {
    if (typeof file?.path !== "string" || !Number.isSafeInteger(file.byteLength) || (file.byteLength as number) < 0)
      throw invalid(`model.list()[${i}] must have a path and a byteLength`);
    return { path: file.path, byteLength: file.byteLength as number };
  });
}
