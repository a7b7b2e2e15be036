// Under which name a model is known in the cache: its address, without what changes while the model stays the same.
import { shownAddress } from "./answers.js";
import type { DType, Tower } from "../shared/engine-types.js";
import { shownHub, type HubAddress } from "../shared/hub-address.js";
import { manifestName } from "../shared/model-files.js";
import { hexSha256 } from "./sha256.js";

/** A folder's address, with "/" at the end of its path, or an address for each path. */
export type ModelAddress = string | { readonly [path: string]: string };

export interface ModelKey {
  /** Name of its account in the cache. */
  readonly name: string;
  /** For people, without its query: there may be a secret in it. */
  readonly shown: string;
}

// Signatures and their dates, of the large stores and by their usual names. Anything else in a query may choose between models,
// and is part of the key. A signature that is not known here costs no download, since files are known by their content.
const volatile =
  /^(x-(amz|goog|oss|cos|ms)-.*|awsaccesskeyid|googleaccessid|ossaccesskeyid|(access|auth|id|sas)?[-_]?token|sig|signature|expires?|exp|policy|key-pair-id|auth|authorization|hdnea|hdnts|jwt|hmac|nonce|sv|se|sr|sp|st|spr|sip|skoid|sktid|skt|ske|sks|skv|_)$/i;

/** Nothing when there is no manifest's address. */
export async function keyOf(address: ModelAddress): Promise<ModelKey | undefined> {
  const href = typeof address === "string" ? address : (address[manifestName] ?? "");
  if (href === "") return undefined;
  return { name: (await hexSha256(lasting(href))).slice(0, 32), shown: shownAddress(href) };
}

/** Of a pack that is made here of a hub's model: one for each number format and choice of towers. */
export async function hubKeyOf(
  hub: HubAddress,
  dtype: DType,
  towers: readonly Tower[],
): Promise<ModelKey> {
  const { endpoint, repo, revision } = hub;
  const parts = ["hub", endpoint, repo, revision, dtype, ...[...towers].sort()];
  return { name: (await hexSha256(JSON.stringify(parts))).slice(0, 32), shown: shownHub(hub) };
}

function lasting(href: string): string {
  try {
    const url = new URL(href);
    const names: string[] = [];
    url.searchParams.forEach((_, name) => {
      names.push(name);
    });
    for (const name of names) if (volatile.test(name)) url.searchParams.delete(name);
    url.hash = "";
    return url.href;
  } catch {
    return href;
  }
}

/** The address of a file of the model; a query of the folder's address goes with it. Nothing when it has none. */
export function addressOf(address: ModelAddress, path: string): string | undefined {
  if (typeof address !== "string") return Object.hasOwn(address, path) ? address[path] : undefined;
  const end = address.search(/[?#]/);
  const [folder, query] =
    end < 0 ? [address, ""] : [address.slice(0, end), address.slice(end).replace(/#.*$/s, "")];
  return folder + path.split("/").map(encodeURIComponent).join("/") + query;
}
