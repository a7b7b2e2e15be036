// A model in files that the user picked. They are read on the caller's side, piece by piece: a file that is gone or cannot be
// read is an error of the read that needs it, and no platform has to send a Blob to a worker, which ends a Node process when the
// Blob stands for a file on disk.
import { EmbedError } from "../errors.js";
import { modelNames } from "../shared/model-files.js";
import { reasonOf } from "../shared/reason.js";
import { member } from "../shared/values.js";
import type { FileLike, ModelSource } from "../types.js";
import { invalid, shown } from "./arguments.js";

interface Picked {
  readonly path: string;
  readonly byteLength: number;
  readonly file: FileLike;
}

/**
 * Paths of a chosen folder begin with its own name; they become relative to the folder that holds the model's first file.
 * Errors: "invalid-argument" for what is no file, or when no file begins a model; later "unreadable", naming the file.
 */
export function pickedFiles(files: ArrayLike<FileLike>): ModelSource {
  const named: Picked[] = [];
  for (let i = 0; i < files.length; i++) {
    // one by one: what says that it is endless ends at its first wrong item
    const file = files[i] as FileLike;
    const name = member(file, "name");
    if (
      typeof name !== "string" ||
      typeof member(file, "slice") !== "function" ||
      typeof member(file, "arrayBuffer") !== "function"
    )
      throw invalid(`model[${i}] must be a File, not ${shown(file)}`);
    const [inFolder, byteLength] = [member(file, "webkitRelativePath"), member(file, "size")];
    // Something odd beside the model does not matter.
    if (!Number.isSafeInteger(byteLength) || (byteLength as number) < 0) continue;
    named.push({
      path: typeof inFolder === "string" && inFolder !== "" ? inFolder : name,
      byteLength: byteLength as number,
      file,
    });
  }
  const root = modelNames
    .flatMap((name) =>
      named
        .filter(({ path }) => path === name || path.endsWith(`/${name}`))
        .map(({ path }) => path.slice(0, -name.length)),
    )
    .sort((a, b) => a.length - b.length)[0];
  if (root === undefined)
    throw invalid(`model: none of the ${files.length} files is ${modelNames.join(" or ")}`);
  const inside = new Map(
    named
      .filter(({ path }) => path.startsWith(root))
      .map((entry) => [entry.path.slice(root.length), entry]),
  );
  return {
    async list() {
      // In browsers a file that was removed says that it is empty; only reading it tells.
      for (const name of modelNames) {
        const entry = inside.get(name);
        if (entry?.byteLength === 0) await readNamed(entry, 0, 0);
      }
      return [...inside].map(([path, { byteLength }]) => ({ path, byteLength }));
    },
    async read(path, offset, length) {
      const entry = inside.get(path);
      if (!entry) throw new Error("there is no such file");
      return readPart(entry, offset, length);
    },
  };
}

async function readNamed(entry: Picked, offset: number, length: number): Promise<Uint8Array> {
  try {
    return await readPart(entry, offset, length);
  } catch (cause) {
    throw new EmbedError("unreadable", `${entry.path}: ${reasonOf(cause)}`, { cause });
  }
}

// Errors do not name the file: whoever asked for it does.
async function readPart(
  { file, byteLength }: Picked,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    const part = offset === 0 && length === byteLength ? file : file.slice(offset, offset + length);
    bytes = new Uint8Array(await part.arrayBuffer());
  } catch (cause) {
    throw new Error(
      `cannot be read; was it removed or changed since it was chosen? ${reasonOf(cause)}`,
      { cause },
    );
  }
  if (bytes.length !== length)
    throw new Error(
      `${bytes.length} bytes came where there were ${length}; it changed since it was chosen`,
    );
  return bytes;
}
