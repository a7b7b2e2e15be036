// Starting an engine in a browser.
import { browserPlatform } from "../platform/browser.js";
import type { LoadOptions } from "../types.js";
import { startEngine, type StartedEngine } from "./start.js";

export function startHere(options: LoadOptions): Promise<StartedEngine> {
  return startEngine(browserPlatform, options);
}
