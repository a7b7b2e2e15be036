// load(), listCached() and deleteCached() for a given platform. The two entries of the package, index.ts
// and node/index.ts, choose the platform; they are documented in index.ts.
import { deleteModel, listModels } from "./client/cached.js";
import { fenced } from "./client/fence.js";
import { cacheNames, loadNames } from "./client/option-names.js";
import { startEngine } from "./client/start.js";
import { Embedder } from "./embedder.js";
import type { PagePlatform } from "./shared/platforms.js";
import type { CachedModel, CacheOptions, HubModel, LoadOptions, ModelAddresses } from "./types.js";

export function loadOn(platform: PagePlatform, options: LoadOptions): Promise<Embedder> {
  return fenced(
    loadNames,
    options,
    async (given) => new Embedder(await startEngine(platform, given as LoadOptions)),
  );
}

export function listCachedOn(
  platform: PagePlatform,
  options: CacheOptions,
): Promise<CachedModel[]> {
  return fenced(cacheNames, options, (given) => listModels(platform, given));
}

export function deleteCachedOn(
  platform: PagePlatform,
  model: URL | string | HubModel | ModelAddresses,
  options: CacheOptions,
): Promise<boolean> {
  return fenced(cacheNames, options, (given) => deleteModel(platform, model, given));
}
