// The bar while a model loads, what went wrong if it does not, and a download that waits to go on.

import type { LoadState } from "../data/engine.ts";
import { describeLicense } from "../data/licenses.ts";
import { byId } from "../dom.ts";
import { byteSize, timeLeft } from "../format.ts";
import type { Message } from "../messages.ts";

export interface LoadPanelEvents {
  onRetry(): void;
  onCancel(): void;
  /** Back to the model inside the page. */
  onEmbedded(): void;
  /** On with the download that was cut short. */
  onResume(): void;
  onDismiss(): void;
}

export interface LoadTitle {
  /** Of the model, if there is more to say than "the model"; only then there is something to go back to. */
  readonly name: string | undefined;
  /** Whether it is downloaded from a hub and converted, which goes on where it was. */
  readonly isHub: boolean;
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

  readonly #note = byId("load-note", HTMLElement);
  readonly #paused = byId("load-paused", HTMLElement);
  readonly #resume = byId("load-resume", HTMLButtonElement);
  #isHub = false;

  constructor({ onRetry, onCancel, onEmbedded, onResume, onDismiss }: LoadPanelEvents) {
    this.#retry.addEventListener("click", onRetry);
    this.#cancel.addEventListener("click", onCancel);
    this.#embedded.addEventListener("click", onEmbedded);
    this.#resume.addEventListener("click", onResume);
    byId("load-dismiss", HTMLButtonElement).addEventListener("click", onDismiss);
  }

  begin({ name, isHub }: LoadTitle): void {
    this.#isHub = isHub;
    this.#show(this.#progress);
    this.#cancel.hidden = name === undefined;
    this.#note.hidden = true;
    byId("load-label", HTMLElement).textContent =
      name === undefined ? "Loading the model" : `Loading ${name}`;
    this.#bar.removeAttribute("value");
    this.#amount.textContent = "";
  }

  progress({ percent, loaded, total, secondsLeft, license, fromCache }: LoadState): void {
    this.#bar.value = percent;
    const isDone = percent >= 100;
    this.#amount.textContent = [
      `${Math.floor(percent)} %`,
      total ? `${byteSize(loaded)} of ${byteSize(total)}` : byteSize(loaded),
      isDone ? "getting ready" : secondsLeft === undefined ? "" : timeLeft(secondsLeft),
    ]
      .filter(Boolean)
      .join(" · ");
    if (!this.#isHub) return;
    const terms = license ? describeLicense(license) : undefined;
    const note = [
      terms ? `Licence: ${terms.name}. ${terms.meaning}` : "",
      fromCache ? "" : "You may cancel or close the page: the download goes on where it was.",
    ];
    this.#note.textContent = note.filter(Boolean).join(" ");
    this.#note.hidden = this.#note.textContent === "";
  }

  /** A download that was cut short, and how much of it is here. */
  pause(name: string, bytes: number): void {
    byId("load-paused-text", HTMLElement).textContent =
      `The download of ${name} is not finished. ${byteSize(bytes)} are kept here; it goes on where it was.`;
    this.#show(this.#paused);
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
    this.#paused.hidden = part !== this.#paused;
  }
}
