// Starting an engine in Node.
import { nodePlatform } from "../platform/node.js";
import type { LoadOptions } from "../types.js";
import { startEngine, type StartedEngine } from "./start.js";

export function startHere(options: LoadOptions): Promise<StartedEngine> {
  return startEngine(nodePlatform, options);
}
