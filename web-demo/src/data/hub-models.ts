// Models by their names on Hugging Face. Of jina-clip-v2 the page knows licence and sizes, so nothing is asked before the user
// agrees; of other models the hub tells them.

import type { HubModel, Tower } from "clipglot";
import { ChoiceError, type HubChoice, type HubDType, type PackInfo } from "./choice.ts";

const publicHub = "https://huggingface.co";

/** `?hub=http://127.0.0.1:8000` in the page's address names another server with the same interface, such as a mirror. */
export const pageHub = ((): string => {
  const given = new URLSearchParams(location.search).get("hub") ?? "";
  return /^https?:\/\//.test(given) && URL.canParse(given) ? given.replace(/\/+$/, "") : publicHub;
})();

const ofHub = { kind: "hub", endpoint: pageHub, revision: "main", dtype: "q8" } as const;
export const jinaClip: HubChoice = { ...ofHub, repo: "jinaai/jina-clip-v2" };

// Bytes of the converted weights: docs/PERFORMANCE.md, "At full size".
const jinaPack: Readonly<Record<HubDType, Readonly<Record<Tower, number>>>> = {
  q8: { text: 574_800_000, vision: 313_000_000 },
  q4: { text: 328_800_000, vision: 179_900_000 },
};
// Two bytes for each of 561 and 304 million parameters.
const jinaCheckpoint: Readonly<Record<Tower, number>> = {
  text: 1_122_000_000,
  vision: 608_500_000,
};

const towerMap = ({ text, vision }: Readonly<Record<Tower, number>>) =>
  new Map<Tower, number>([
    ["text", text],
    ["vision", vision],
  ]);

/** From "hf:OWNER/NAME", with "@REVISION" if need be, as `listCached` names it, or from a model's page; nothing for other texts. */
export function hubChoice(typed: string): HubChoice | undefined {
  const name = typed.trim();
  const [, repoOfPage] = /^https:\/\/huggingface\.co\/([\w.-]+\/[\w.-]+)\/?$/.exec(name) ?? [];
  if (repoOfPage) return { ...ofHub, repo: repoOfPage };
  if (!/^hf:/i.test(name)) return undefined;
  const [, repo, revision = ofHub.revision, endpoint] =
    /^hf:([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?(?: at (https?:\/\/\S+))?$/i.exec(name) ?? [];
  if (!repo)
    throw new ChoiceError(
      'A name on Hugging Face is expected: "hf:OWNER/NAME", such as hf:jinaai/jina-clip-v2.',
    );
  return { ...ofHub, repo, revision, endpoint: endpoint ?? pageHub };
}

/** As the package takes it. */
export function hubModel({ repo, revision, endpoint }: HubChoice): HubModel {
  return { hub: { repo, revision, endpoint } };
}

/** As `listCached` names it. */
export function shownName({ repo, revision, endpoint }: HubChoice): string {
  const at = revision === ofHub.revision ? "" : `@${revision}`;
  return `hf:${repo}${at}${endpoint === publicHub ? "" : ` at ${endpoint}`}`;
}

/** The same model with its weights in another format. */
export function packAs(pack: PackInfo, dtype: HubDType): PackInfo {
  const towers = pack.modelId === jinaClip.repo ? towerMap(jinaPack[dtype]) : pack.towers;
  return { ...pack, dtype, towers };
}

export async function readHubInfo(
  choice: HubChoice,
  signal: AbortSignal | undefined,
): Promise<PackInfo> {
  const { endpoint, repo, revision, dtype } = choice;
  const about = { modelId: repo, dtype, sha256: "", tokenizerBytes: 0 };
  const page = `${publicHub}/${repo}`;
  if (repo === jinaClip.repo)
    return {
      ...about,
      revision: revision === ofHub.revision ? "" : revision,
      license: "CC-BY-NC-4.0",
      fullDimensions: 1024,
      towers: towerMap(jinaPack[dtype]),
      checkpoint: {
        page,
        bytes: jinaCheckpoint.text + jinaCheckpoint.vision,
        towers: towerMap(jinaCheckpoint),
      },
    };
  const asked = `${endpoint}/api/models/${repo}`;
  const model = await ask<HubAnswer>(`${asked}/revision/${encodeURIComponent(revision)}`, signal);
  const files = await ask<{ path: string; size: number }[]>(`${asked}/tree/${model.sha}`, signal);
  const tensors = files.find(({ path }) => path === "model.safetensors");
  if (!tensors)
    throw new ChoiceError("This model has no model.safetensors, so it cannot be converted here.");
  const license = model.cardData?.license;
  return {
    ...about,
    revision: model.sha,
    license: typeof license === "string" ? license : "not named",
    fullDimensions: undefined,
    towers: towerMap({ text: 0, vision: 0 }),
    checkpoint: { page: `${endpoint}/${repo}`, bytes: tensors.size },
  };
}

interface HubAnswer {
  readonly sha: string;
  readonly cardData?: { readonly license?: unknown };
}

async function ask<T>(address: string, signal: AbortSignal | undefined): Promise<T> {
  const { host } = new URL(address);
  let response: Response;
  try {
    response = await fetch(address, { cache: "no-cache", ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ChoiceError(`${host} does not answer.`);
  }
  if ([401, 403, 404].includes(response.status))
    throw new ChoiceError(`${host} has no public model of this name and version.`);
  if (!response.ok) throw new ChoiceError(`${host} answers ${response.status}. Try again later.`);
  return (await response.json()) as T;
}
