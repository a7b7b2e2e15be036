// The page's foot: which model runs, how, and how fast it was ready.

import type { LoadedEngine } from "../data/engine.ts";
import { byId, make } from "../dom.ts";
import { byteSize, milliseconds, plural } from "../format.ts";

export function showFacts({ embedder, loadMs, modelBytes, notKept }: LoadedEngine): void {
  const { info } = embedder;
  setFacts([
    ["Model", `${info.modelId}, ${info.dtype}`],
    ["Licence of the model", info.license],
    ["Size", modelBytes > 0 ? byteSize(modelBytes) : "unknown"],
    ["Ready after", milliseconds(loadMs)],
    ...(notKept === undefined ? [] : [["Not kept for later", notKept] as const]),
    ["Engine", info.variant],
    ["Threads", String(info.threads)],
    ["Vector lengths", info.dimensions.join(", ")],
    ...(info.towers.includes("text")
      ? [["Longest text", plural(info.maxTokens, "token")] as const]
      : []),
  ]);
  byId("isolation-note", HTMLElement).textContent = crossOriginIsolated
    ? `The page is cross-origin isolated, so the engine may use several threads; it uses ${info.threads}.`
    : "The page is not cross-origin isolated (the server sends no COOP and COEP headers), so the engine runs on a single thread.";
}

/** Adds a fact that is known later, or replaces it. */
export function setFact(name: string, value: string): void {
  const list = byId("facts", HTMLElement);
  const id = `fact-${name.toLowerCase().replaceAll(" ", "-")}`;
  const known = document.getElementById(id);
  if (known) known.textContent = value;
  else
    list.append(
      make(
        "div",
        {},
        make("dt", { text: name }),
        make("dd", { text: value, class: "numeric", attributes: { id } }),
      ),
    );
}

function setFacts(facts: readonly (readonly [string, string])[]): void {
  byId("facts", HTMLElement).replaceChildren();
  for (const [name, value] of facts) setFact(name, value);
}
