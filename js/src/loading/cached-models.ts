// The cached models, for listCached() and deleteCached().
import type { CachedModel, Tower } from "../shared/engine-types.js";
import type { ModelStore } from "../shared/store.js";
import {
  completeTowers,
  nameOf,
  readAccounts,
  removeAccount,
  sizesOf,
  sweep,
} from "./cache-accounts.js";
import { downloadedBytes, readConversions, removeConversion } from "./conversions.js";
import type { ModelKey } from "./model-key.js";

/** Errors: those of the store. */
export async function listCachedModels(store: ModelStore): Promise<CachedModel[]> {
  const models: CachedModel[] = [];
  for (const { model, versions } of (await readAccounts(store)).values()) {
    const newest = versions[0];
    if (!newest) continue;
    let [bytes, totalBytes] = [newest.manifest.length, newest.manifest.length];
    for (const [file, held] of await sizesOf(store, newest.files)) {
      bytes += held;
      totalBytes += file.byteLength;
    }
    const towers = new Set<Tower>();
    for (const { files } of versions)
      for (const tower of completeTowers(files, await sizesOf(store, files))) towers.add(tower);
    const { modelId, revision, license, dtype } = newest.about;
    models.push({
      model,
      modelId,
      revision,
      license,
      dtype,
      bytes,
      totalBytes,
      towers: (["text", "vision"] as const).filter((tower) => towers.has(tower)),
    });
  }
  for (const [name, conversion] of await readConversions(store)) {
    const { model, modelId, revision, license, dtype, files, totalBytes } = conversion;
    let bytes = await downloadedBytes(store, name);
    for (const held of (await sizesOf(store, files)).values()) bytes += held;
    models.push({ model, modelId, revision, license, dtype, bytes, totalBytes, towers: [] });
  }
  return models.sort((a, b) => (a.model < b.model ? -1 : 1));
}

/** `address`: as `listCachedModels` names it, or its key. Whether something was there. Errors: those of the store, e.g. of a file in use. */
export async function deleteCachedModel(
  store: ModelStore,
  address: string | ModelKey,
): Promise<boolean> {
  const accounts = await readAccounts(store);
  const conversions = await readConversions(store);
  const isMeant = (name: string, model: string) =>
    typeof address === "string" ? model === address : name === address.name;
  const gone = [...accounts].filter(([name, { model }]) => isMeant(name, model));
  const ended = [...conversions].filter(([name, { model }]) => isMeant(name, model));
  if (gone.length === 0 && ended.length === 0) return false;
  const names = new Set<string>();
  for (const [name, { files }] of ended) {
    await removeConversion(store, name);
    for (const file of files) names.add((await nameOf(file)) ?? "");
  }
  for (const [name, { versions }] of gone) {
    accounts.delete(name);
    for (const file of versions.flatMap(({ files }) => files))
      names.add((await nameOf(file)) ?? "");
  }
  names.delete("");
  await sweep(store, names, [...accounts.values()], true);
  for (const [name] of gone) await removeAccount(store, name);
  return true;
}
