// A bar above a panel's results: what is not read yet or did not go as hoped, and what can be done about it.

import { byId } from "../dom.ts";

export interface NoticeContent {
  readonly text: string;
  readonly tone?: "info" | "warning";
  readonly action?: { readonly label: string; readonly run: () => void };
}

export class Notice {
  readonly #element: HTMLElement;
  readonly #text: HTMLElement;
  readonly #button: HTMLButtonElement;
  readonly #bar: HTMLProgressElement;
  #run: (() => void) | undefined;

  /** `name`: the panel's; the elements are #notice-NAME and those inside. */
  constructor(name: string) {
    this.#element = byId(`notice-${name}`, HTMLElement);
    this.#text = this.#element.querySelector("p")!;
    this.#button = this.#element.querySelector("button")!;
    this.#bar = this.#element.querySelector("progress")!;
    this.#button.addEventListener("click", () => this.#run?.());
  }

  show({ text, tone = "info", action }: NoticeContent): void {
    this.#element.hidden = false;
    this.#element.classList.toggle("notice-warning", tone === "warning");
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#run = action?.run;
    this.#button.hidden = !action;
    this.#button.textContent = action?.label ?? "";
    this.#bar.hidden = true;
  }

  /** How much is done, 0 … 1. */
  progress(share: number): void {
    this.#bar.hidden = false;
    this.#bar.value = share;
  }

  hide(): void {
    this.#element.hidden = true;
  }
}
