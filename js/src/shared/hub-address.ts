// Names of models on a hub: "hf:OWNER/NAME" or "hf:OWNER/NAME@REVISION".

/** Where the hub is that "hf:" means. */
export const defaultEndpoint = "https://huggingface.co";
export const defaultRevision = "main";

export interface HubAddress {
  /** The hub's address, without a slash at its end. */
  readonly endpoint: string;
  /** "OWNER/NAME". */
  readonly repo: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

const name = /^(?!\.)[\w.-]{1,96}(?<!\.)$/;

export const isHubName = (text: string): boolean => /^hf:/i.test(text);

/** Whether this can be the name of a repository: one or two names, and none that leads elsewhere in an address. */
export function isRepo(text: string): boolean {
  const names = text.split("/");
  return names.length <= 2 && names.every((part) => name.test(part) && !part.includes(".."));
}

/** Branches may have slashes in their names ("refs/pr/1"). */
export function isRevision(text: string): boolean {
  return (
    text.length <= 200 && text.split("/").every((part) => name.test(part) && !part.includes(".."))
  );
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** The parts of "hf:OWNER/NAME@REVISION", or of what `shownHub` gives; nothing when it is not such a name. */
export function parseHubName(text: string): HubAddress | undefined {
  if (!isHubName(text)) return undefined;
  const [name = "", endpoint, ...others] = text.slice("hf:".length).split(" at ");
  const [repo = "", revision = defaultRevision, ...more] = name.split("@");
  const address = endpoint === undefined ? defaultEndpoint : readEndpoint(endpoint);
  return others.length + more.length === 0 && isRepo(repo) && isRevision(revision) && address
    ? { endpoint: address, repo, revision }
    : undefined;
}

/** A hub's address without a slash at its end; nothing for what no hub has: another protocol, a name and a password, a query. */
export function readEndpoint(text: string): string | undefined {
  const parts = /^(https?:\/\/[^/?#@\s]+)(\/[^?#\s]*)?$/i.exec(text);
  return parts ? `${parts[1]?.toLowerCase()}${parts[2] ?? ""}`.replace(/\/+$/, "") : undefined;
}

/** For people, and for `listCached` and `deleteCached`. */
export function shownHub({ endpoint, repo, revision }: HubAddress): string {
  const at = revision === defaultRevision ? "" : `@${revision}`;
  return `hf:${repo}${at}${endpoint === defaultEndpoint ? "" : ` at ${endpoint}`}`;
}
