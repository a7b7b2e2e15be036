// One picture of the gallery as a button: frame, name, score, and what a shorter vector did to it.

import type { Picture } from "../data/gallery.ts";
import { showPicture } from "../data/picture-urls.ts";
import type { RankedHit } from "../data/ranking.ts";
import { make } from "../dom.ts";
import { score as formatScore } from "../format.ts";
import { describeMove, makeMoveMark, updateMoveMark } from "./move-mark.ts";

export class Tile {
  readonly picture: Picture;
  readonly item: HTMLLIElement;
  readonly #button: HTMLButtonElement;
  readonly #score = make("span", { class: "tile-score numeric" });
  readonly #move = makeMoveMark();

  constructor(picture: Picture, onChoose: (picture: Picture) => void) {
    this.picture = picture;
    const { name, language } = picture;
    const image = make("img", {
      attributes: { alt: "", width: "192", height: "192", decoding: "async", draggable: "false" },
    });
    showPicture(image, picture);
    const frame = make(
      "span",
      { class: "tile-frame" },
      image,
      make("span", {
        class: "tile-like",
        text: "like this",
        attributes: { "aria-hidden": "true" },
      }),
      ...(picture.own ? [make("span", { class: "tile-own", text: "yours" })] : []),
      this.#move,
    );
    const label = make("span", {
      class: "tile-name",
      text: name,
      attributes: { lang: language, dir: "auto" },
    });
    this.#button = make(
      "button",
      {
        class: "tile-button",
        attributes: {
          type: "button",
          "data-cell": "",
          tabindex: "-1",
          lang: language,
          title: `Find pictures like “${name}”`,
        },
      },
      frame,
      make("span", { class: "tile-caption" }, label, this.#score),
    );
    this.#button.addEventListener("click", () => onChoose(picture));
    this.item = make(
      "li",
      { class: picture.own ? "tile tile-is-own" : "tile", attributes: { "data-id": picture.id } },
      this.#button,
    );
    this.showHit(undefined, 0);
  }

  /** Its place in the ranking, or none. */
  showHit(hit: RankedHit | undefined, rank: number): void {
    const { name, own } = this.picture;
    this.#score.textContent = hit ? formatScore(hit.score) : "";
    if (hit) this.item.style.setProperty("--score", String(Math.max(0, Math.min(1, hit.score))));
    else this.item.style.removeProperty("--score");
    updateMoveMark(this.#move, hit?.move ?? 0);
    const parts = [
      name,
      own ? "your picture" : "",
      ...(hit
        ? [`rank ${rank + 1}`, `score ${formatScore(hit.score)}`, describeMove(hit.move)]
        : []),
    ];
    this.#button.setAttribute("aria-label", parts.filter(Boolean).join(", "));
  }
}
