// The models that the browser keeps from earlier visits, each to be used again or deleted.

import { deleteCached, listCached } from "clipglot";
import { byId, make } from "../dom.ts";
import { byteSize } from "../format.ts";

export class CachedList {
  readonly #section = byId("model-cached", HTMLElement);
  readonly #list = byId("model-cached-list", HTMLUListElement);
  readonly #onUse: (address: string) => void;

  constructor(onUse: (address: string) => void) {
    this.#onUse = onUse;
  }

  async refresh(): Promise<void> {
    const models = await listCached().catch(() => []); // storage may be forbidden; then nothing is kept
    this.#list.replaceChildren(
      ...models.map(({ model, modelId, bytes, totalBytes, license }) => {
        const size =
          bytes < totalBytes ? `${byteSize(bytes)} of ${byteSize(totalBytes)}` : byteSize(bytes);
        const use = make("button", {
          class: "link-button",
          text: modelId || model,
          attributes: { type: "button", title: model },
        });
        use.addEventListener("click", () => this.#onUse(model));
        const remove = make("button", {
          class: "button button-small",
          text: "Delete",
          attributes: {
            type: "button",
            "aria-label": `Delete ${modelId || model} from this browser`,
          },
        });
        remove.addEventListener("click", async () => {
          remove.disabled = true;
          await deleteCached(model).catch((error: unknown) => reportError(error));
          await this.refresh();
        });
        return make(
          "li",
          {},
          use,
          make("span", {
            class: "muted numeric",
            text: [size, license].filter(Boolean).join(" · "),
          }),
          remove,
        );
      }),
    );
    this.#section.hidden = models.length === 0;
  }
}
