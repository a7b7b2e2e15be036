// The download that was begun last and is not finished: kept over visits, so that a page that was closed can offer to go on.

import { listCached, type CachedModel, type Tower } from "clipglot";
import type { HubChoice } from "./choice.ts";
import { shownName } from "./hub-models.ts";

const key = "clipglot-begun";

export interface Begun {
  readonly choice: HubChoice;
  readonly towers: readonly Tower[];
}

export function rememberBegun(begun: Begun): void {
  // Without this the browser may delete a gigabyte when it needs space. It decides, or asks the user; nothing depends on the answer.
  navigator.storage?.persist?.().catch(() => {});
  try {
    localStorage.setItem(key, JSON.stringify(begun));
  } catch {
    // Storage may be forbidden or full; then nothing is kept of the model either.
  }
}

export function forgetBegun(): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // As above.
  }
}

/** What was begun, if a part of it is still there, with the bytes of that part. */
export async function readBegun(): Promise<(Begun & { readonly bytes: number }) | undefined> {
  try {
    const begun = JSON.parse(localStorage.getItem(key) ?? "null") as Begun | null;
    if (!begun) return undefined;
    const part = (await listCached()).find((model) => isPartOf(model, begun.choice));
    return part && { ...begun, bytes: part.bytes };
  } catch {
    return undefined;
  }
}

/** Whether this is the begun conversion of a model: no tower of it can be loaded yet. */
export function isPartOf({ model, dtype, towers }: CachedModel, choice: HubChoice): boolean {
  return model === shownName(choice) && dtype === choice.dtype && towers.length === 0;
}

/** Whether this loads these towers of a model without a network. */
export function isKept(
  { model, dtype, towers }: CachedModel,
  choice: HubChoice,
  wanted: readonly Tower[],
): boolean {
  return (
    model === shownName(choice) &&
    dtype === choice.dtype &&
    wanted.every((tower) => towers.includes(tower))
  );
}
