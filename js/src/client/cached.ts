// listCached() and deleteCached(), whatever the platform.
import { EmbedError } from "../errors.js";
import { deleteCachedModel, listCachedModels } from "../loading/cached-models.js";
import { shownHub } from "../shared/hub-address.js";
import { keyOf, type ModelAddress } from "../loading/model-key.js";
import type { PagePlatform } from "../shared/platforms.js";
import type { SourceDescription } from "../shared/protocol.js";
import type { ModelStore } from "../shared/store.js";
import type { CachedModel, CacheOptions, HubModel, ModelAddresses } from "../types.js";
import { reasonOf } from "../shared/reason.js";
import { checkAddress } from "./arguments.js";
import { reading } from "./fence.js";
import { readHub } from "./hub-input.js";
import { describeAddresses } from "./model-input.js";

export async function listModels(
  platform: PagePlatform,
  options: CacheOptions,
): Promise<CachedModel[]> {
  const store = await openStore(platform, options);
  try {
    return store ? await listCachedModels(store) : [];
  } catch (cause) {
    throw new EmbedError("unreadable", `cache cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

export async function deleteModel(
  platform: PagePlatform,
  model: URL | string | HubModel | ModelAddresses,
  options: CacheOptions,
): Promise<boolean> {
  const store = await openStore(platform, options);
  const hub = reading("model", () => readHub(model));
  const address = hub
    ? undefined
    : reading("model", () => addressOf(model as ModelAddresses, platform));
  if (!store) return false;
  try {
    // A name of listCached() first; anything else is a folder, as in load().
    const name = hub ? shownHub(hub.hub) : model;
    if (typeof name === "string" && (await deleteCachedModel(store, name))) return true;
    const key = address && (await keyOf(address));
    return key !== undefined && (await deleteCachedModel(store, key));
  } catch (cause) {
    throw new EmbedError(
      "invalid-argument",
      "model: cannot be deleted, perhaps because it is being loaded",
      { cause },
    );
  }
}

function openStore(
  platform: PagePlatform,
  { cache }: CacheOptions,
): Promise<ModelStore | undefined> {
  return reading("cache", () =>
    platform.openStore(() => (cache === undefined ? undefined : checkAddress("cache", cache))),
  );
}

function addressOf(
  model: URL | string | ModelAddresses,
  platform: PagePlatform,
): ModelAddress | undefined {
  const of = (source: SourceDescription) =>
    source.kind === "url"
      ? source.href
      : source.kind === "addresses"
        ? source.addresses
        : undefined;
  if (typeof model === "object" && model !== null && "files" in model)
    return of(describeAddresses(model, platform));
  return of(platform.describeFolder(checkAddress("model", model)));
}
