// The name of the model that runs, on the button that changes it; parts of the page that need a tower come and go with it.

import type { Tower } from "clipglot";
import { byId } from "../dom.ts";

export function showModelName(modelId: string, dtype: string): void {
  const button = byId("model-open", HTMLButtonElement);
  byId("model-name", HTMLElement).textContent = modelId;
  button.title = `The model that runs: ${modelId}, ${dtype}. Choose another one.`;
}

export function showTowers(towers: readonly Tower[]): void {
  const vision = towers.includes("vision");
  byId("own", HTMLElement).hidden = !vision;
  byId("query-picture-part", HTMLElement).hidden = !vision;
}
