// What a hub (huggingface.co, or a mirror of it) tells of a repository: the commit of a revision, its licence, and of each file
// the size and a hash. Documented at https://huggingface.co/docs/hub/api and /docs/hub/rate-limits.
import { EmbedError } from "../errors.js";
import { isCommit, shownHub, type HubAddress } from "../shared/hub-address.js";
import { manifestBytes } from "../shared/limits.js";
import { reasonOf } from "../shared/reason.js";
import { networkError } from "./answers.js";
import type { HttpReader, NoFile } from "./http-reader.js";

export interface HubFile {
  readonly path: string;
  readonly byteLength: number;
  /** Of its content, as 64 hexadecimal digits: for files in large-file storage. */
  readonly sha256?: string;
  /** SHA-1 of the git object, as 40 hexadecimal digits: for the others. */
  readonly gitOid?: string;
}

export interface HubRevision {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** SPDX identifier as the repository gives it, or "unknown". */
  readonly license: string;
  /** Of the repository's top folder. */
  readonly files: readonly HubFile[];
}

/** A page of a list has up to 1000 entries, and a model's top folder a few dozen. */
const maxPages = 20;

/** Errors: "network" naming what to do, "corrupt-model" for answers that make no sense. */
export async function readRevision(http: HttpReader, hub: HubAddress): Promise<HubRevision> {
  const about = await ask(http, hub, apiAddress(hub, "revision", hub.revision));
  const { sha, cardData, tags } = about.json as {
    sha?: unknown;
    cardData?: unknown;
    tags?: unknown;
  };
  if (typeof sha !== "string" || !isCommit(sha)) throw senseless(hub, "no commit in its answer");
  const files: HubFile[] = [];
  let next: string | undefined = apiAddress(hub, "tree", sha);
  for (let page = 0; next !== undefined; page++) {
    if (page === maxPages) throw senseless(hub, `more than ${maxPages} pages of files`);
    const answer = await ask(http, hub, next);
    if (!Array.isArray(answer.json)) throw senseless(hub, "its list of files is not a list");
    for (const entry of answer.json as unknown[]) {
      const file = readFile(entry);
      if (file) files.push(file);
    }
    next = nextPage(answer.link, next);
  }
  return { commit: sha, license: licenseOf(cardData, tags), files };
}

/** Where the bytes of a file are to be had: always asked anew, since what it leads to is signed for a short time only. */
export function resolveAddress(
  { endpoint, repo }: HubAddress,
  commit: string,
  path: string,
): string {
  return `${endpoint}/${repo}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

const apiAddress = ({ endpoint, repo }: HubAddress, what: string, revision: string) =>
  `${endpoint}/api/models/${repo}/${what}/${encodeURIComponent(revision)}`;

async function ask(
  http: HttpReader,
  hub: HubAddress,
  href: string,
): Promise<{ readonly json: unknown; readonly link: string }> {
  const came = await http.whole(href, manifestBytes, "no-cache");
  if (!came.bytes) throw refusal(hub, came);
  try {
    return { json: JSON.parse(new TextDecoder().decode(came.bytes)) as unknown, link: came.link };
  } catch (error) {
    throw senseless(hub, `its answer is not JSON (${reasonOf(error)})`);
  }
}

/** Why a hub gives nothing, and what to do. */
export function refusal(hub: HubAddress, { why, status, errorCode }: NoFile): EmbedError {
  const where = shownHub(hub);
  if (errorCode === "GatedRepo")
    return networkError(
      where,
      `its owner gives it only to people who have accepted its conditions: accept them at ${hub.endpoint}/${hub.repo}, and give a token of that account (model: { hub: { repo, token } })`,
    );
  if (errorCode === "RevisionNotFound" || errorCode === "EntryNotFound")
    return networkError(where, `there is no revision "${hub.revision}" (${why})`);
  if (status === 401 || status === 404 || status === 410)
    return networkError(
      where,
      `there is no such model, or it is private: check the name, or give a token that may read it (model: { hub: { repo, token } }) (${why})`,
    );
  if (status === 403)
    return networkError(where, `the token that was given may not read it (${why})`);
  return networkError(where, why);
}

const senseless = (hub: HubAddress, why: string) =>
  new EmbedError("corrupt-model", `${shownHub(hub)}: ${why}; is ${hub.endpoint} a hub?`);

function readFile(entry: unknown): HubFile | undefined {
  const { type, path, size, oid, lfs } = (entry ?? {}) as { [name: string]: unknown };
  if (
    type !== "file" ||
    typeof path !== "string" ||
    !Number.isSafeInteger(size) ||
    (size as number) < 0
  )
    return undefined;
  const sha256 = (lfs as { oid?: unknown } | undefined)?.oid;
  const byteLength = size as number;
  if (typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256))
    return { path, byteLength, sha256 };
  return typeof oid === "string" && /^[0-9a-f]{40}$/.test(oid)
    ? { path, byteLength, gitOid: oid }
    : undefined;
}

function licenseOf(cardData: unknown, tags: unknown): string {
  const { license } = (cardData ?? {}) as { license?: unknown };
  if (typeof license === "string" && license !== "") return license.slice(0, 100);
  const tag = (Array.isArray(tags) ? (tags as unknown[]) : []).find(
    (value): value is string => typeof value === "string" && value.startsWith("license:"),
  );
  return tag?.slice("license:".length, 100) || "unknown";
}

// The header Link, of which only an address of the same origin is followed: a token goes with the request.
function nextPage(link: string, current: string): string | undefined {
  const target = /<([^>]+)>\s*;[^,]*\brel="?next"?/i.exec(link)?.[1];
  if (target === undefined) return undefined;
  const next = new URL(target, current);
  return next.origin === new URL(current).origin ? next.href : undefined;
}
