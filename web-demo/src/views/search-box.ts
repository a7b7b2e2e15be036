// The search field: a text, or a picture chosen with "like this"; language examples below it.

import { byId, make } from "../dom.ts";
import type { Picture } from "../data/gallery.ts";
import type { Query } from "../data/search.ts";

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
  { text: "雪", lang: "ja", name: "Japanese and Chinese" },
  { text: "fruta", lang: "es", name: "Spanish and Portuguese" },
  { text: "музыка", lang: "ru", name: "Russian" },
  { text: "생일", lang: "ko", name: "Korean" },
];

export class SearchBox {
  readonly #input = byId("query", HTMLInputElement);
  readonly #clear = byId("search-clear", HTMLButtonElement);
  readonly #likeness = byId("search-likeness", HTMLElement);
  readonly #onQuery: (query: Query | undefined) => void;
  #picture: Picture | undefined;

  /** `onQuery` gets every change, undefined when the field is empty. */
  constructor(onQuery: (query: Query | undefined) => void, onArrowDown: () => void) {
    this.#onQuery = onQuery;
    byId("search", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    this.#input.addEventListener("input", () => this.#setText(this.#input.value));
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") {
        event.preventDefault();
        onArrowDown();
      } else if (event.key === "Backspace" && this.#input.value === "" && this.#picture) {
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
    this.#input.value = "";
    this.#picture = picture;
    this.#likeness.replaceChildren(
      make("img", { attributes: { src: picture.url, alt: "" } }),
      make("span", { class: "likeness-label" }, "like ", make("b", { text: picture.name, attributes: { lang: picture.language, dir: "auto" } })),
    );
    this.#update();
    this.#onQuery({ kind: "picture", id: picture.id });
  }

  #setText(text: string): void {
    this.#picture = undefined;
    this.#update();
    this.#onQuery(text.trim() === "" ? undefined : { kind: "text", text });
  }

  #update(): void {
    this.#likeness.hidden = !this.#picture;
    this.#clear.hidden = !this.#picture && this.#input.value === "";
    this.#input.placeholder = this.#picture ? "" : "Type a word in any language";
    for (const chip of document.querySelectorAll<HTMLElement>(".chip")) {
      chip.setAttribute("aria-pressed", String(!this.#picture && chip.textContent === this.#input.value));
    }
  }

  #shortcut(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target instanceof HTMLInputElement && event.target.type === "search";
    if (event.key === "/" && !typing) {
      event.preventDefault();
      this.focus();
      this.#input.select();
    } else if (event.key === "Escape" && (this.#input.value !== "" || this.#picture || !typing)) {
      event.preventDefault();
      this.clear();
    }
  }

  #addExamples(): void {
    const chips = examples.map(({ text, lang, name }) => {
      const chip = make("button", { class: "chip", text, attributes: { type: "button", lang, dir: "auto", title: name, "aria-pressed": "false" } });
      chip.addEventListener("click", () => this.searchText(text));
      return chip;
    });
    byId("examples", HTMLElement).append(...chips);
  }
}
