// The second tab: short texts in many languages, ranked by a text or a picture.

import type { Picture } from "../data/gallery.ts";
import { showPicture } from "../data/picture-urls.ts";
import type { RankedHit } from "../data/ranking.ts";
import type { ShortText } from "../data/texts.ts";
import { byId, make } from "../dom.ts";
import { score as formatScore } from "../format.ts";
import { enableArrowKeys, type ArrowKeys } from "./arrow-keys.ts";
import { describeMove, makeMoveMark, updateMoveMark } from "./move-mark.ts";

const pageLength = 24;

export class TextList {
  readonly #list = byId("text-list", HTMLOListElement);
  readonly #more = byId("text-more", HTMLButtonElement);
  readonly #texts = new Map<string, ShortText>();
  readonly #keys: ArrowKeys;
  readonly #onChoose: (text: string) => void;
  readonly #pictureOf: (emoji: string) => Picture | undefined;
  #ranking: readonly RankedHit[] | undefined;
  #shown = pageLength;

  constructor(
    onChoose: (text: string) => void,
    pictureOf: (emoji: string) => Picture | undefined,
    onLeaveTop: () => void,
  ) {
    this.#onChoose = onChoose;
    this.#pictureOf = pictureOf;
    this.#keys = enableArrowKeys(this.#list, onLeaveTop);
    this.#more.addEventListener("click", () => {
      this.#shown += pageLength;
      this.#render();
    });
  }

  get size(): number {
    return this.#texts.size;
  }

  focusFirst(): void {
    this.#keys.focusFirst();
  }

  add(texts: readonly ShortText[]): void {
    for (const text of texts) this.#texts.set(text.id, text);
  }

  text(id: string): ShortText | undefined {
    return this.#texts.get(id);
  }

  /** Without a ranking: the user's own texts first. */
  showAll(): void {
    this.#ranking = undefined;
    this.#shown = pageLength;
    this.#render();
  }

  showRanking(hits: readonly RankedHit[]): void {
    this.#ranking = hits;
    this.#shown = pageLength;
    this.#render();
  }

  #render(): void {
    const total = this.#ranking?.length ?? this.#texts.size;
    const rows = this.#ranking
      ? this.#ranking
          .slice(0, this.#shown)
          .flatMap((hit, rank) => this.#row(this.#texts.get(hit.id), hit, rank))
      : Array.from(this.#texts.values())
          .sort((a, b) => Number(b.emoji === undefined) - Number(a.emoji === undefined))
          .slice(0, this.#shown)
          .flatMap((text, rank) => this.#row(text, undefined, rank));
    this.#list.replaceChildren(...rows);
    this.#more.hidden = this.#shown >= total;
    this.#more.textContent = `Show ${Math.min(pageLength, total - this.#shown)} more of ${total}`;
    this.#keys.reset();
  }

  #row(text: ShortText | undefined, hit: RankedHit | undefined, rank: number): HTMLLIElement[] {
    if (!text) return [];
    const move = makeMoveMark();
    if (hit) updateMoveMark(move, hit.move);
    const label = [
      text.text,
      text.note,
      hit ? `rank ${rank + 1}, score ${formatScore(hit.score)}` : "",
      hit ? describeMove(hit.move) : "",
    ];
    const button = make(
      "button",
      {
        class: "text-row",
        attributes: {
          type: "button",
          "data-cell": "",
          tabindex: "-1",
          "aria-label": label.filter(Boolean).join(", "),
          title: "Search with this text",
        },
      },
      this.#illustration(text),
      make(
        "span",
        { class: "text-body" },
        make("span", {
          class: "text-text",
          text: text.text,
          attributes: { lang: text.language, dir: "auto" },
        }),
        make("span", { class: "text-gloss", text: text.note }),
      ),
      move,
      make("span", { class: "text-score numeric", text: hit ? formatScore(hit.score) : "" }),
    );
    button.addEventListener("click", () => this.#onChoose(text.text));
    const item = make("li", {}, button);
    if (hit) item.style.setProperty("--score", String(Math.max(0, Math.min(1, hit.score))));
    return [item];
  }

  #illustration({ emoji }: ShortText): HTMLElement {
    const picture = emoji === undefined ? undefined : this.#pictureOf(emoji);
    if (!picture)
      return make("span", {
        class: "text-picture text-picture-none",
        text: "“”",
        attributes: { "aria-hidden": "true" },
      });
    const image = make("img", { attributes: { alt: "", width: "40", height: "40" } });
    showPicture(image, picture);
    return make("span", { class: "text-picture" }, image);
  }
}
