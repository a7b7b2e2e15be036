// listCached() and deleteCached(), whatever the platform.
import { EmbedError } from "../errors.js";
import { deleteKept, listKept } from "../loading/cached-models.js";
import { cacheAddress } from "../loading/url-source.js";
import type { PagePlatform } from "../shared/platforms.js";
import type { SourceDescription } from "../shared/protocol.js";
import type { ModelStore } from "../shared/store.js";
import type { CachedModel, ModelAddresses } from "../types.js";
import { reasonOf } from "../shared/reason.js";
import { checkAddress } from "./arguments.js";
import { reading } from "./fence.js";
import { describeAddresses } from "./model-input.js";

export async function listIn(store: ModelStore | undefined): Promise<CachedModel[]> {
  try {
    return store ? await listKept(store) : [];
  } catch (cause) {
    throw new EmbedError("invalid-argument", `cache cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

export async function deleteIn(store: ModelStore | undefined, model: URL | string | ModelAddresses, platform: PagePlatform): Promise<boolean> {
  const addresses = reading("model", () => addressesOf(model, platform));
  if (!store) return false;
  try {
    let found = false;
    for (const address of addresses) found = (await deleteKept(store, address)) || found;
    return found;
  } catch (cause) {
    throw new EmbedError("invalid-argument", `model: ${addresses[0]} cannot be deleted, perhaps because it is being loaded`, { cause });
  }
}

function addressesOf(model: URL | string | ModelAddresses, platform: PagePlatform): readonly string[] {
  const of = (source: SourceDescription) => (source.kind === "url" ? [source.href] : source.kind === "addresses" ? [cacheAddress(source.addresses)] : []);
  if (typeof model === "object" && model !== null && "files" in model) return of(describeAddresses(model, platform));
  const address = checkAddress("model", model);
  // A name of listCached() is one already; anything else is a folder, as in load().
  return [address, ...of(platform.describeFolder(address))];
}
