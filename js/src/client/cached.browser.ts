// The models that a browser keeps for this origin.
import { browserPlatform } from "../platform/browser.js";
import { browserStore } from "../platform/browser-store.js";
import type { CachedModel, CacheOptions, ModelAddresses } from "../types.js";
import { deleteIn, listIn } from "./cached.js";

export async function listHere(_options: CacheOptions): Promise<CachedModel[]> {
  return listIn(await browserStore());
}

export async function deleteHere(
  model: URL | string | ModelAddresses,
  _options: CacheOptions,
): Promise<boolean> {
  return deleteIn(await browserStore(), model, browserPlatform);
}
