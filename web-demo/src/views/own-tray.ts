// The user's own pictures, one chip each: thumbnail, name, how far it is, what went wrong, remove.

import type { Picture } from "../data/gallery.ts";
import { showPicture } from "../data/picture-urls.ts";
import { byId, make } from "../dom.ts";
import type { Message } from "../messages.ts";

export class TrayEntry {
  readonly element: HTMLLIElement;
  readonly #state = make("span", { class: "tray-state", text: "waiting" });
  readonly #choose: HTMLButtonElement;

  constructor(picture: Picture, onChoose: () => void, onRemove: () => void) {
    const { name } = picture;
    const image = make("img", { attributes: { alt: "", width: "40", height: "40" } });
    showPicture(image, picture);
    image.addEventListener("error", () =>
      image.replaceWith(
        make("span", { class: "tray-broken", text: "?", attributes: { "aria-hidden": "true" } }),
      ),
    );
    this.#choose = make(
      "button",
      {
        class: "tray-choose",
        attributes: { type: "button", disabled: "", title: "Find pictures like this one" },
      },
      image,
      make(
        "span",
        { class: "tray-text" },
        make("span", { class: "tray-name", text: name, attributes: { dir: "auto" } }),
        this.#state,
      ),
    );
    this.#choose.addEventListener("click", onChoose);
    const remove = make(
      "button",
      { class: "tray-remove", attributes: { type: "button", "aria-label": `Remove ${name}` } },
      "×",
    );
    remove.addEventListener("click", onRemove);
    this.element = make("li", { class: "tray-entry" }, this.#choose, remove);
  }

  working(): void {
    this.#set("tray-working", "reading");
  }

  ready(took: string): void {
    this.#set("tray-ready", `ready in ${took}`);
    this.#choose.disabled = false;
  }

  fail({ reason, detail }: Message): void {
    this.#set("tray-failed", reason);
    this.element.title = detail;
    this.element.setAttribute("role", "alert");
  }

  #set(className: string, text: string): void {
    this.element.className = `tray-entry ${className}`;
    this.#state.textContent = text;
  }
}

export class OwnTray {
  readonly #list = byId("own-tray", HTMLUListElement);

  add(entry: TrayEntry): void {
    this.#list.append(entry.element);
    this.#list.hidden = false;
  }

  remove(entry: TrayEntry): void {
    entry.element.remove();
    this.#list.hidden = this.#list.childElementCount === 0;
  }
}
