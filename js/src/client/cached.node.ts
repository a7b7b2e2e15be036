// The models that lie in a folder that load() was given as `cache`.
import { nodePlatform } from "../platform/node.js";
import { nodeStore } from "../platform/node-store.js";
import type { CachedModel, CacheOptions, ModelAddresses } from "../types.js";
import { checkAddress, invalid } from "./arguments.js";
import { reading } from "./fence.js";
import { deleteIn, listIn } from "./cached.js";

function storeOf({ cache }: CacheOptions) {
  const folder =
    cache === undefined
      ? false
      : reading("cache", () => nodePlatform.describeCache(checkAddress("cache", cache)));
  if (typeof folder !== "string") throw invalid("cache must be the folder that load() was given");
  return nodeStore(folder);
}

export async function listHere(options: CacheOptions): Promise<CachedModel[]> {
  return listIn(storeOf(options));
}

export async function deleteHere(
  model: URL | string | ModelAddresses,
  options: CacheOptions,
): Promise<boolean> {
  return deleteIn(storeOf(options), model, nodePlatform);
}
