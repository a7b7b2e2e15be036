// What lies in the cache, for people who want to know and to clear it.
import type { Tower } from "../shared/engine-types.js";
import type { ModelStore } from "../shared/store.js";
import { folderOf, nameOf, readAbout, usable } from "./stored-model.js";

export interface KeptModel {
  readonly model: string;
  readonly modelId: string;
  readonly revision: string;
  readonly license: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly towers: readonly Tower[];
}

export async function listKept(store: ModelStore): Promise<KeptModel[]> {
  const models: KeptModel[] = [];
  for (const folder of await store.folders()) {
    const about = await readAbout(store, folder);
    if (!about) continue;
    const there = await store.files(folder);
    const missing = new Set<Tower>();
    let [bytes, totalBytes] = [about.manifest.length, about.manifest.length];
    for (const file of about.files) {
      const held = usable(file, there.get((await nameOf(file)) ?? "") ?? 0);
      bytes += held;
      totalBytes += file.byteLength;
      if (held < file.byteLength) missing.add(file.tower);
    }
    const { modelId, revision, license } = JSON.parse(new TextDecoder().decode(about.manifest)) as { [name: string]: string | undefined };
    const towers = [...new Set(about.files.map(({ tower }) => tower))].filter((tower) => !missing.has(tower));
    models.push({ model: about.model, modelId: modelId ?? "", revision: revision ?? "", license: license ?? "", bytes, totalBytes, towers });
  }
  return models.sort((a, b) => (a.model < b.model ? -1 : 1));
}

/** Whether something was there. */
export async function deleteKept(store: ModelStore, address: string): Promise<boolean> {
  return store.remove(await folderOf(address));
}
