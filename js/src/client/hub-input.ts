// Models on a hub, as callers name them: "hf:OWNER/NAME", "hf:OWNER/NAME@REVISION" or { hub: { repo, … } }.
import { converterUrls } from "../platform/client/assets.js";
import {
  defaultEndpoint,
  defaultRevision,
  isHubName,
  isRepo,
  isRevision,
  parseHubName,
  readEndpoint,
  type HubAddress,
} from "../shared/hub-address.js";
import type { SourceDescription } from "../shared/protocol.js";
import { isUrl } from "../shared/values.js";
import type { FetchLike, HubModel } from "../types.js";
import { checkFunction, invalid, shown } from "./arguments.js";
import { readOptions } from "./fence.js";
import { hubModelNames, hubNames } from "./option-names.js";

export interface HubInput {
  readonly hub: HubAddress;
  readonly token: string | undefined;
  readonly fetch: FetchLike | undefined;
}

/** What names a model on a hub; nothing for other models. Throws "invalid-argument". */
export function readHub(model: unknown): HubInput | undefined {
  const text = isUrl(model) ? model.href : model;
  if (typeof text === "string") return isHubName(text) ? readHubName(text) : undefined;
  return typeof model === "object" && model !== null && "hub" in model
    ? readHubModel(model as HubModel)
    : undefined;
}

function readHubName(text: string): HubInput {
  const parsed = parseHubName(text);
  if (!parsed)
    throw invalid(
      `model ${shown(text)}: "hf:OWNER/NAME" or "hf:OWNER/NAME@REVISION" is expected, of letters, digits and . - _`,
    );
  return { hub: parsed, token: undefined, fetch: undefined };
}

function readHubModel(model: HubModel): HubInput {
  const { hub: given } = readOptions("model", model, hubModelNames);
  if (typeof given !== "object" || given === null)
    throw invalid(`model.hub must be an object, not ${shown(given)}`);
  const {
    repo,
    revision = defaultRevision,
    endpoint,
    token,
    fetch,
  } = readOptions("model.hub", given, hubNames);
  if (typeof repo !== "string" || !isRepo(repo))
    throw invalid(`model.hub.repo must be "OWNER/NAME", not ${shown(repo)}`);
  if (typeof revision !== "string" || !isRevision(revision))
    throw invalid(
      `model.hub.revision must be the name of a branch or tag, or a commit, not ${shown(revision)}`,
    );
  // A token is never shown.
  if (token !== undefined && (typeof token !== "string" || !/^[\x21-\x7e]{1,1000}$/.test(token)))
    throw invalid("model.hub.token must be a string of visible ASCII characters");
  checkFunction("model.hub.fetch", fetch);
  return { hub: { endpoint: checkEndpoint(endpoint), repo, revision }, token, fetch };
}

function checkEndpoint(endpoint: unknown): string {
  if (endpoint === undefined) return defaultEndpoint;
  const text = isUrl(endpoint) ? endpoint.href : endpoint;
  const address = typeof text === "string" ? readEndpoint(text) : undefined;
  if (address === undefined)
    throw invalid(
      "model.hub.endpoint must be an http(s) address without a name, a password or a query",
    );
  return address;
}

/** `assetBase`: the folder of the engine's files, if they were moved. */
export function describeHub(
  { hub, token }: HubInput,
  assetBase: string | undefined,
): SourceDescription {
  return { kind: "hub", hub, token, converter: converterUrls(assetBase) };
}
