// What load() does: checks the options, chooses the build, starts the worker, waits for the model.
import { EmbedError } from "../errors.js";
import { assetUrls } from "../platform/client/assets.js";
import type { EngineInfo, Tower } from "../shared/engine-types.js";
import type { PagePlatform } from "../shared/platforms.js";
import type { BuildRequest } from "../shared/protocol.js";
import { reasonOf } from "../shared/reason.js";
import { chooseVariant, fallbackChoices, maxThreads, variantNames } from "../shared/variants.js";
import type { LoadOptions } from "../types.js";
import { abortable } from "./abort.js";
import {
  checkAddress,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOptions,
  checkSignal,
  checkWord,
  invalid,
  shown,
} from "./arguments.js";
import { EngineClient } from "./client.js";
import { reading } from "./fence.js";
import type { PictureRules } from "./image-input.js";
import { readModel } from "./model-input.js";
import { openWorker } from "./open-worker.js";
import { readHeaders } from "./user-fetch.js";

export interface StartedEngine {
  readonly client: EngineClient;
  readonly info: EngineInfo;
  readonly profiled: boolean;
  readonly pictures: PictureRules;
}

/** Errors: EmbedError, or the reason of the signal; nothing is left running then. */
export async function startEngine(
  platform: PagePlatform,
  options: LoadOptions,
): Promise<StartedEngine> {
  checkOptions("options", options);
  checkSignal(options.signal);
  checkFunction("onProgress", options.onProgress);
  checkFunction("onWarning", options.onWarning);
  checkFunction("decode", options.decode);
  options.signal?.throwIfAborted();
  const towers = reading("towers", () => checkTowers(options.towers));
  const wanted = checkWord("variant", options.variant, ["auto", ...variantNames], "auto");
  const threads =
    options.threads === undefined
      ? undefined
      : checkInteger("threads", options.threads, 1, maxThreads);
  const dtype = checkWord("dtype", options.dtype, ["f32", "q8", "q4"], "q8");
  const maxTokens = checkInteger("maxTokens", options.maxTokens ?? 512, 2, 8192);
  const maxPixels = checkInteger("maxPixels", options.maxPixels ?? 64_000_000, 1, 2 ** 31);
  const assetBase =
    options.assetBase === undefined
      ? undefined
      : reading("assetBase", () =>
          platform.resolveFolder(checkAddress("assetBase", options.assetBase)),
        );
  const model = readModel(options.model, platform, assetBase);
  const { cache: keep } = options;
  const cache = reading("cache", () =>
    platform.describeCache(
      keep === undefined || typeof keep === "boolean" ? keep : checkAddress("cache", keep),
    ),
  );
  const headers = reading("headers", () => readHeaders(options.headers));
  checkFunction("fetch", options.fetch);
  const selfTest = checkBoolean("selfTest", options.selfTest, true);
  const profile = checkBoolean("profile", options.profile, false);
  checkFunction("createWorker", options.createWorker);
  const startTimeout = checkInteger("startTimeout", options.startTimeout ?? 10_000, 100, 3_600_000);
  const can = platform.capabilities();
  const choice = chooseVariant(wanted, threads, can);
  const locate = (build: typeof choice) => ({
    ...build,
    ...(assetBase === undefined ? assetUrls(build.variant) : movedAssets(assetBase, build.variant)),
  });
  const builds = [
    locate(choice),
    ...(wanted === "auto" ? fallbackChoices(choice).map(locate) : []),
  ] as [BuildRequest, ...BuildRequest[]];

  const ways = platform.workerWays(options.createWorker);
  const source = await abortable(describe(model), options.signal);
  const port = await openWorker(ways, startTimeout, options.signal);
  const client = new EngineClient(port);
  const request = {
    source,
    sourceName: model.name,
    builds,
    startTimeout,
    cache,
    headers,
    fetches: (model.fetch ?? options.fetch) !== undefined,
    selfTest,
    profile,
    towers,
    dtype,
    maxTokens,
    maxPixels,
  };
  const info = await client.load(request, {
    signal: options.signal,
    onProgress: options.onProgress,
    onWarning: options.onWarning,
    source: model.source,
    fetch: model.fetch ?? options.fetch,
  });
  return {
    client,
    info,
    profiled: profile,
    pictures: { maxPixels, decode: options.decode, platformDecodes: platform.decodesPictures },
  };
}

async function describe(model: ReturnType<typeof readModel>) {
  try {
    return await model.describe();
  } catch (error) {
    if (error instanceof EmbedError) throw error;
    throw new EmbedError("unreadable", `model.list() failed: ${reasonOf(error)}`, { cause: error });
  }
}

function checkTowers(towers: readonly Tower[] | undefined): readonly Tower[] {
  if (towers === undefined) return ["text", "vision"];
  if (!Array.isArray(towers) || towers.length === 0)
    throw invalid('towers must be an array with "text", "vision" or both');
  for (const tower of towers as unknown[]) {
    if (tower !== "text" && tower !== "vision")
      throw invalid(`towers: there is no tower ${shown(tower)}`);
  }
  return [...new Set(towers)];
}

function movedAssets(folder: string, variant: string): { moduleUrl: string; wasmUrl: string } {
  return {
    moduleUrl: `${folder}clipglot-${variant}.mjs`,
    wasmUrl: `${folder}clipglot-${variant}.wasm`,
  };
}
