// What the dialog shows of a model before it is loaded: licence, sizes, and the choices that there are.

import type { CachedModel, Tower } from "clipglot";
import { isKept, isPartOf } from "../data/begun.ts";
import {
  downloadBytes,
  packBytes,
  type HubChoice,
  type HubDType,
  type ModelChoice,
  type PackInfo,
} from "../data/choice.ts";
import { packAs } from "../data/hub-models.ts";
import { describeLicense, modelHome } from "../data/licenses.ts";
import { make } from "../dom.ts";
import { byteSize } from "../format.ts";

export interface Offer {
  readonly choice: ModelChoice;
  readonly pack: PackInfo;
  readonly towers: Set<Tower>;
}

export interface DetailsEvents {
  onTower(tower: Tower, wanted: boolean): void;
  onDType(dtype: HubDType): void;
}

const towerNames: Readonly<Record<Tower, string>> = { text: "Texts", vision: "Pictures" };
const dtypeNames: Readonly<Record<HubDType, string>> = {
  q8: "8 bits (q8)",
  q4: "4 bits (q4), less exact",
};
const hostOf = ({ endpoint }: HubChoice) => new URL(endpoint).host;

export class ModelDetails {
  readonly element: HTMLElement;
  readonly #events: DetailsEvents;
  /** Texts that change with the choices; the elements stay, and with them the keyboard's place. */
  readonly #live = new Map<HTMLElement, (offer: Offer, kept: readonly CachedModel[]) => string>();

  constructor(element: HTMLElement, events: DetailsEvents) {
    this.element = element;
    this.#events = events;
  }

  show(offer: Offer): void {
    this.#live.clear();
    const { choice } = offer;
    this.element.replaceChildren(
      this.#facts(offer),
      this.#towers(offer),
      ...(choice.kind === "hub" ? [this.#dtypes(choice), this.#promise(choice)] : []),
    );
    this.element.hidden = false;
  }

  /** The texts that depend on what is chosen and on what the browser keeps. */
  update(offer: Offer, kept: readonly CachedModel[]): void {
    for (const [element, text] of this.#live) element.textContent = text(offer, kept);
  }

  #text(
    text: (offer: Offer, kept: readonly CachedModel[]) => string,
    style = "numeric",
  ): HTMLElement {
    const element = make("span", { class: style });
    this.#live.set(element, text);
    return element;
  }

  #facts({ choice, pack }: Offer): HTMLElement {
    const license = describeLicense(pack.license);
    const home = pack.checkpoint?.page ?? modelHome(pack.modelId);
    const dimensions = pack.fullDimensions ? `${pack.fullDimensions} a vector` : "";
    return make(
      "dl",
      { class: "model-facts" },
      ...fact("Model", home ? link(home, pack.modelId) : pack.modelId),
      ...(pack.revision ? fact("Version", pack.revision) : []),
      ...fact(
        "Licence",
        make(
          "span",
          {},
          license.url ? link(license.url, license.name) : make("b", { text: license.name }),
          " ",
          make("span", { class: "muted", text: license.meaning }),
        ),
      ),
      ...(choice.kind === "hub"
        ? [
            ...fact("Download", this.#text(downloadText)),
            ...fact("Kept here", this.#text(keptText)),
          ]
        : fact("Numbers", [pack.dtype || "unknown", dimensions].filter(Boolean).join(", "))),
    );
  }

  #towers({ choice, pack, towers }: Offer): HTMLElement {
    const boxes = Array.from(pack.towers.keys(), (tower) => {
      const box = make("input", { attributes: { type: "checkbox", id: `model-tower-${tower}` } });
      box.checked = towers.has(tower);
      box.addEventListener("change", () => this.#events.onTower(tower, box.checked));
      const bytes =
        choice.kind === "hub" ? pack.checkpoint?.towers?.get(tower) : packBytes(pack, [tower]);
      return make(
        "label",
        { class: "model-tower" },
        box,
        towerNames[tower],
        make("span", { class: "muted numeric", text: bytes ? byteSize(bytes) : "" }),
      );
    });
    return group("What to read with it", ...boxes);
  }

  #dtypes(chosen: HubChoice): HTMLElement {
    const buttons = (["q8", "q4"] as const).map((dtype) => {
      const button = make("input", {
        attributes: { type: "radio", name: "model-dtype", id: `model-dtype-${dtype}` },
      });
      button.checked = chosen.dtype === dtype;
      button.addEventListener("change", () => this.#events.onDType(dtype));
      const size = this.#text(({ pack, towers }) => {
        const bytes = packBytes(packAs(pack, dtype), Array.from(towers));
        return bytes > 0 ? byteSize(bytes) : "";
      }, "muted numeric");
      return make("label", { class: "model-tower" }, button, dtypeNames[dtype], size);
    });
    return group("Weights, as they are kept", ...buttons);
  }

  #promise(choice: HubChoice): HTMLElement {
    return make(
      "div",
      { class: "model-promise" },
      make("p", {
        class: "muted",
        text: `The model comes from ${hostOf(choice)} and is converted here; your texts and pictures stay in this page. A download that you cancel, or that ends with the page, goes on where it was. Later visits load the model from this browser, without a network.`,
      }),
      this.#text(keptNow, "model-kept"),
    );
  }
}

/** What the button that loads it says. */
export function loadText({ choice, pack, towers }: Offer, kept: readonly CachedModel[]): string {
  const wanted = Array.from(towers);
  if (wanted.length === 0) return "Load";
  const size = byteSize(downloadBytes(pack, wanted));
  if (choice.kind === "address") return `Download and load ${size}`;
  if (choice.kind !== "hub") return `Load ${size}`;
  if (kept.some((model) => isKept(model, choice, wanted))) return "Load from this browser";
  if (kept.some((model) => isPartOf(model, choice))) return "Go on with the download";
  return `Download and load ${size}`;
}

function downloadText({ choice, pack, towers }: Offer): string {
  const size = byteSize(downloadBytes(pack, Array.from(towers)));
  const about = pack.checkpoint?.towers || towers.size === pack.towers.size ? "" : "at most ";
  return `${about}${size} from ${hostOf(choice as HubChoice)}`;
}

function keptText({ choice, pack, towers }: Offer): string {
  const bytes = packBytes(pack, Array.from(towers));
  const { dtype } = choice as HubChoice;
  return bytes > 0 ? `about ${byteSize(bytes)} as ${dtype}` : `less than the download, as ${dtype}`;
}

function keptNow({ choice, towers }: Offer, kept: readonly CachedModel[]): string {
  if (choice.kind !== "hub") return "";
  if (kept.some((model) => isKept(model, choice, Array.from(towers))))
    return "This browser has it: nothing is downloaded.";
  const part = kept.find((model) => isPartOf(model, choice));
  return part ? `${byteSize(part.bytes)} are here from before; the download goes on there.` : "";
}

function fact(name: string, value: Node | string): HTMLElement[] {
  return [make("dt", { text: name }), make("dd", {}, value)];
}

function group(name: string, ...choices: HTMLElement[]): HTMLElement {
  return make("fieldset", { class: "model-towers" }, make("legend", { text: name }), ...choices);
}

function link(url: string, text: string): HTMLAnchorElement {
  return make("a", { text, attributes: { href: url, target: "_blank", rel: "noreferrer" } });
}
