// The kinds of models that callers hand over, as the worker wants them described.
import type { PagePlatform } from "../shared/platforms.js";
import type { SourceDescription } from "../shared/protocol.js";
import type { FileLike, LoadOptions, ModelAddresses, ModelSource } from "../types.js";
import { isUrl, member } from "../shared/values.js";
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
    const { source, files } = openFiles(Array.from(model as ArrayLike<FileLike>));
    return { name: "files", source, describe: async () => ({ kind: "custom", files }) };
  }
  throw invalid(`model must be a URL, files, addresses or a ModelSource, not ${shown(model)}`);
}

type Listed = readonly { readonly path: string; readonly byteLength: number }[];

// Picked files are read here: one that is gone or cannot be read is an error of the read that needs it, and no platform has to
// send a Blob to a worker. Paths of a chosen folder begin with its own name; they become relative to the folder that holds the
// model's first file.
function openFiles(files: readonly FileLike[]): { source: ModelSource; files: Listed } {
  const named = files.flatMap((file, i) => {
    const name = member(file, "name");
    if (typeof name !== "string" || typeof member(file, "slice") !== "function") throw invalid(`model[${i}] must be a File, not ${shown(file)}`);
    const [inFolder, byteLength] = [member(file, "webkitRelativePath"), member(file, "size")];
    // Something odd beside the model does not matter.
    return isSize(byteLength) ? [{ path: typeof inFolder === "string" && inFolder !== "" ? inFolder : name, byteLength, file }] : [];
  });
  const root = modelNames
    .flatMap((name) => named.filter(({ path }) => path === name || path.endsWith(`/${name}`)).map(({ path }) => path.slice(0, -name.length)))
    .sort((a, b) => a.length - b.length)[0];
  if (root === undefined) throw invalid(`model: none of the ${files.length} files is manifest.json or config.json`);
  const inside = new Map(named.filter(({ path }) => path.startsWith(root)).map((entry) => [entry.path.slice(root.length), entry]));
  const listed = [...inside].map(([path, { byteLength }]) => ({ path, byteLength }));
  const read: ModelSource["read"] = async (path, offset, length) => {
    const bytes = await inside.get(path)?.file.slice(offset, offset + length).arrayBuffer();
    if (bytes?.byteLength !== length) throw new Error(`no ${length} bytes at ${offset}: was the file changed or deleted?`);
    return new Uint8Array(bytes);
  };
  return { source: { list: async () => listed, read }, files: listed };
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

/** One of these is the beginning of a model. */
const modelNames = ["manifest.json", "config.json"];
const isSize = (bytes: unknown): bytes is number => Number.isSafeInteger(bytes) && (bytes as number) >= 0;

// An odd entry beside a model is left out. If no model is left, it is the fault.
function checkList(files: unknown): Listed {
  if (!Array.isArray(files)) throw invalid(`model.list() must give an array, not ${shown(files)}`);
  const listed = files.map((file) => ({ path: member(file, "path"), byteLength: member(file, "byteLength") }));
  const isEntry = (entry: { path: unknown; byteLength: unknown }): entry is Listed[number] => typeof entry.path === "string" && isSize(entry.byteLength);
  const good = listed.filter(isEntry);
  const odd = listed.findIndex((entry) => !isEntry(entry));
  if (odd >= 0 && !good.some(({ path }) => modelNames.includes(path))) throw invalid(`model.list()[${odd}] must have a path and a byteLength`);
  return good;
}
