// The search field: a text, or a picture chosen with "like this"; language examples below it.

import { byId, make } from "../dom.ts";
import type { Picture } from "../data/gallery.ts";
import { showPicture } from "../data/picture-urls.ts";
import type { Query } from "../data/search.ts";
import type { Drawing } from "./draw-pad.ts";

const examples: readonly { text: string; lang: string; name: string }[] = [
  { text: "cat", lang: "en", name: "English" },
  { text: "고양이", lang: "ko", name: "Korean" },
  { text: "chat", lang: "fr", name: "French" },
  { text: "猫", lang: "ja", name: "Japanese and Chinese" },
  { text: "кот", lang: "ru", name: "Russian" },
  { text: "gato", lang: "es", name: "Spanish and Portuguese" },
  { text: "Katze", lang: "de", name: "German" },
  { text: "बिल्ली", lang: "hi", name: "Hindi" },
  { text: "قطة", lang: "ar", name: "Arabic" },
  { text: "snow", lang: "en", name: "English" },
  { text: "생일", lang: "ko", name: "Korean" },
  { text: "flag of korea", lang: "en", name: "English" },
  { text: "coração vermelho", lang: "pt", name: "Portuguese" },
  { text: "музыка", lang: "ru", name: "Russian" },
];

export class SearchBox {
  readonly #input = byId("query", HTMLInputElement);
  readonly #clear = byId("search-clear", HTMLButtonElement);
  readonly #chip = byId("search-likeness", HTMLElement);
  readonly #onQuery: (query: Query | undefined) => void;
  /** What is searched for instead of a text: a picture's id, or a drawing. */
  #likeness: Query | undefined;
  #readsTexts = true;

  /** `onQuery` gets every change, undefined when the field is empty. */
  constructor(onQuery: (query: Query | undefined) => void, onArrowDown: () => void) {
    this.#onQuery = onQuery;
    byId("search", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    this.#input.addEventListener("input", () => this.#setText(this.#input.value));
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") {
        event.preventDefault();
        onArrowDown();
      } else if (event.key === "Backspace" && this.#input.value === "" && this.#likeness) {
        this.clear();
      }
    });
    this.#clear.addEventListener("click", () => this.clear());
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    this.#addExamples();
  }

  focus(): void {
    this.#input.focus();
  }

  clear(): void {
    this.searchText("");
    this.focus();
  }

  searchText(text: string): void {
    this.#input.value = text;
    this.#setText(text);
  }

  searchLike(picture: Picture): void {
    const image = make("img", { attributes: { alt: "" } });
    showPicture(image, picture);
    this.#searchWith(
      { kind: "picture", id: picture.id },
      image,
      "like ",
      make("b", { text: picture.name, attributes: { lang: picture.language, dir: "auto" } }),
    );
  }

  searchDrawing({ pixels, preview }: Drawing): void {
    this.#searchWith(
      { kind: "drawing", pixels },
      make("img", { attributes: { alt: "", src: preview } }),
      "your drawing",
    );
  }

  /** Models without a text tower are searched by pictures alone. */
  set readsTexts(value: boolean) {
    this.#readsTexts = value;
    this.#input.readOnly = !value;
    byId("examples", HTMLElement).hidden = !value;
    this.#update();
  }

  #searchWith(query: Query, image: HTMLImageElement, ...label: (Node | string)[]): void {
    this.#input.value = "";
    this.#likeness = query;
    this.#chip.replaceChildren(image, make("span", { class: "likeness-label" }, ...label));
    this.#update();
    this.#onQuery(query);
  }

  #setText(text: string): void {
    this.#likeness = undefined;
    this.#update();
    this.#onQuery(text.trim() === "" ? undefined : { kind: "text", text });
  }

  #update(): void {
    this.#chip.hidden = !this.#likeness;
    this.#clear.hidden = !this.#likeness && this.#input.value === "";
    this.#input.placeholder = this.#likeness
      ? ""
      : this.#readsTexts
        ? "Type a word in any language"
        : "This model reads no texts: choose or draw a picture";
    for (const chip of document.querySelectorAll<HTMLElement>(".chip")) {
      chip.setAttribute(
        "aria-pressed",
        String(!this.#likeness && chip.textContent === this.#input.value),
      );
    }
  }

  #shortcut(event: KeyboardEvent): void {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.isComposing ||
      document.querySelector("dialog[open]")
    )
      return;
    const { target } = event;
    const typing = target === this.#input;
    if (
      !typing &&
      (target instanceof HTMLTextAreaElement ||
        (target instanceof HTMLInputElement && /^(text|url)$/.test(target.type)))
    )
      return;
    if (event.key === "/" && !typing) {
      event.preventDefault();
      this.focus();
      this.#input.select();
    } else if (event.key === "Escape" && (this.#input.value !== "" || this.#likeness || !typing)) {
      event.preventDefault();
      this.clear();
    }
  }

  #addExamples(): void {
    const chips = examples.map(({ text, lang, name }) => {
      const chip = make("button", {
        class: "chip",
        text,
        attributes: { type: "button", lang, dir: "auto", title: name, "aria-pressed": "false" },
      });
      chip.addEventListener("click", () => this.searchText(text));
      return chip;
    });
    byId("examples", HTMLElement).append(...chips);
  }
}
