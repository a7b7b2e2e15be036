// The bar while a model loads, and what went wrong if it does not.

import type { LoadState } from "../data/engine.ts";
import { byId } from "../dom.ts";
import { byteSize } from "../format.ts";
import type { Message } from "../messages.ts";

export interface LoadPanelEvents {
  onRetry(): void;
  onCancel(): void;
  /** Back to the model inside the page. */
  onEmbedded(): void;
}

export class LoadPanel {
  readonly #panel = byId("load", HTMLElement);
  readonly #progress = byId("load-progress", HTMLElement);
  readonly #bar = byId("load-bar", HTMLProgressElement);
  readonly #amount = byId("load-amount", HTMLElement);
  readonly #error = byId("load-error", HTMLElement);
  readonly #retry = byId("load-retry", HTMLButtonElement);
  readonly #cancel = byId("load-cancel", HTMLButtonElement);
  readonly #embedded = byId("load-embedded", HTMLButtonElement);

  constructor({ onRetry, onCancel, onEmbedded }: LoadPanelEvents) {
    this.#retry.addEventListener("click", onRetry);
    this.#cancel.addEventListener("click", onCancel);
    this.#embedded.addEventListener("click", onEmbedded);
  }

  /** `name`: of the model, if there is more to say than "the model"; only then there is something to go back to. */
  begin(name: string | undefined): void {
    this.#show(this.#progress);
    this.#cancel.hidden = name === undefined;
    byId("load-label", HTMLElement).textContent =
      name === undefined ? "Loading the model" : `Loading ${name}`;
    this.#bar.removeAttribute("value");
    this.#amount.textContent = "";
  }

  progress({ percent, loaded, total }: LoadState): void {
    this.#bar.value = percent;
    const amount = total ? `${byteSize(loaded)} of ${byteSize(total)}` : byteSize(loaded);
    this.#amount.textContent = percent >= 100 ? `${amount}, getting ready` : amount;
  }

  fail(title: string, { reason, detail }: Message, canGoBack: boolean): void {
    byId("load-error-title", HTMLElement).textContent = title;
    byId("load-error-reason", HTMLElement).textContent = reason;
    byId("load-error-detail", HTMLElement).textContent = detail;
    this.#embedded.hidden = !canGoBack;
    this.#show(this.#error);
    this.#retry.focus();
  }

  done(): void {
    this.#panel.hidden = true;
  }

  #show(part: HTMLElement): void {
    this.#panel.hidden = false;
    this.#progress.hidden = part !== this.#progress;
    this.#error.hidden = part !== this.#error;
  }
}
