// The bar while the model loads, and what went wrong if it does not.

import type { LoadState } from "../data/engine.ts";
import { byId } from "../dom.ts";
import { byteSize } from "../format.ts";
import type { Message } from "../messages.ts";

export class LoadPanel {
  readonly #panel = byId("load", HTMLElement);
  readonly #progress = byId("load-progress", HTMLElement);
  readonly #bar = byId("load-bar", HTMLProgressElement);
  readonly #amount = byId("load-amount", HTMLElement);
  readonly #error = byId("load-error", HTMLElement);
  readonly #retry = byId("load-retry", HTMLButtonElement);

  constructor(onRetry: () => void) {
    this.#retry.addEventListener("click", onRetry);
  }

  begin(): void {
    this.#show(this.#progress);
    this.#bar.removeAttribute("value");
    this.#amount.textContent = "";
  }

  progress({ percent, loaded, total }: LoadState): void {
    this.#bar.value = percent;
    this.#amount.textContent = total ? `${byteSize(loaded)} of ${byteSize(total)}` : byteSize(loaded);
  }

  fail(title: string, { reason, detail }: Message): void {
    byId("load-error-title", HTMLElement).textContent = title;
    byId("load-error-reason", HTMLElement).textContent = reason;
    byId("load-error-detail", HTMLElement).textContent = detail;
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
