// The models that the browser keeps from earlier visits, each to be used again or deleted.

import { deleteCached, listCached, type CachedModel } from "clipglot";
import { hubChoice, hubModel } from "../data/hub-models.ts";
import { byId, make } from "../dom.ts";
import { byteSize } from "../format.ts";

export interface CachedListEvents {
  onUse(address: string): void;
  /** `models` has changed. */
  onChange(): void;
}

export class CachedList {
  /** As the browser kept them when that was read last. */
  models: readonly CachedModel[] = [];
  readonly #section = byId("model-cached", HTMLElement);
  readonly #list = byId("model-cached-list", HTMLUListElement);
  readonly #events: CachedListEvents;

  constructor(events: CachedListEvents) {
    this.#events = events;
  }

  async refresh(): Promise<void> {
    this.models = await listCached().catch(() => []); // storage may be forbidden; then nothing is kept
    // All formats of a model have one address, and are deleted by it together.
    const addresses = new Set(this.models.map(({ model }) => model));
    this.#list.replaceChildren(
      ...Array.from(addresses, (address) =>
        this.#entry(
          address,
          this.models.filter(({ model }) => model === address),
        ),
      ),
    );
    this.#section.hidden = this.models.length === 0;
    this.#events.onChange();
  }

  #entry(address: string, models: readonly CachedModel[]): HTMLElement {
    const name = models[0]?.modelId || address;
    const license = models[0]?.license;
    const use = make("button", {
      class: "link-button",
      text: name,
      attributes: { type: "button", title: address },
    });
    use.addEventListener("click", () => this.#events.onUse(address));
    const remove = make("button", {
      class: "button button-small",
      text: "Delete",
      attributes: { type: "button", "aria-label": `Delete ${name} from this browser` },
    });
    remove.addEventListener("click", async () => {
      remove.disabled = true;
      const choice = hubChoice(address);
      await deleteCached(choice ? hubModel(choice) : address).catch((error: unknown) =>
        reportError(error),
      );
      await this.refresh();
    });
    return make(
      "li",
      {},
      use,
      make("span", {
        class: "muted numeric",
        text: [...models.map(sizeOf), license].filter(Boolean).join(" · "),
      }),
      remove,
    );
  }
}

function sizeOf({ model, dtype, bytes, totalBytes, towers }: CachedModel): string {
  // What was begun of a hub's model is partly its download, so it is no share of the whole pack.
  if (model.startsWith("hf:") && towers.length === 0) return `${dtype}: ${byteSize(bytes)}, begun`;
  const size =
    bytes < totalBytes ? `${byteSize(bytes)} of ${byteSize(totalBytes)}` : byteSize(bytes);
  return `${dtype}: ${size}`;
}
