// Starting an engine in Node.
import { EmbedError } from "../errors.js";
import { nodePlatform } from "../platform/node.js";
import { reasonOf } from "../shared/reason.js";
import type { LoadOptions } from "../types.js";
import { startEngine, type StartedEngine } from "./start.js";

export async function startHere(options: LoadOptions): Promise<StartedEngine> {
  try {
    return await startEngine(nodePlatform, options);
  } catch (error) {
    throw isHubName(options.model) && isMissing(error)
      ? new EmbedError(
          error.code,
          `${error.detail}; "${options.model}" was taken for a folder, since names of model hubs are not looked up: give a path or the URL of a folder`,
          { cause: error.cause },
        )
      : error;
  }
}

// "jinaai/jina-clip-v2" is how other packages name a model.
const isHubName = (model: unknown): model is string =>
  typeof model === "string" && /^[\w.-]+\/[\w.-]+$/.test(model) && !model.startsWith(".");
const isMissing = (error: unknown): error is EmbedError =>
  error instanceof EmbedError &&
  error.code === "unreadable" &&
  /ENOENT/.test(reasonOf(error.cause));
