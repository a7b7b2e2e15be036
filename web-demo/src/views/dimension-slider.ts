// The Matryoshka slider: how many dimensions are compared, and how that changes the ranking.

import { byId, make } from "../dom.ts";
import { byteSize } from "../format.ts";

/** Shorter vectors than this rank poorly; the slider starts here where the model offers it. */
const shortestOffered = 64;

export class DimensionSlider {
  readonly #input = byId("dimensions", HTMLInputElement);
  readonly #value = byId("dimensions-value", HTMLOutputElement);
  readonly #effect = byId("dimensions-effect", HTMLElement);
  readonly #onChange: () => void;
  #lengths: readonly number[] = [];

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#input.addEventListener("input", () => {
      this.#describe();
      this.#onChange();
    });
  }

  /** `trained`: the lengths the model was trained to be cut to; `full`: all of it. */
  offer(trained: readonly number[], full: number): void {
    const lengths = [
      ...new Set([...trained.filter((length) => length >= shortestOffered && length < full), full]),
    ];
    this.#lengths = lengths.sort((a, b) => a - b);
    this.#input.max = String(this.#lengths.length - 1);
    this.#input.value = this.#input.max;
    this.#input.disabled = this.#lengths.length < 2;
    this.#describe();
    this.noEffect();
  }

  get dimensions(): number {
    return this.#lengths[Number(this.#input.value)] ?? 0;
  }

  get isFull(): boolean {
    return this.dimensions === this.#lengths.at(-1);
  }

  noEffect(): void {
    this.#effect.textContent = "Compare fewer dimensions and see what moves.";
  }

  showEffect(kept: number, of: number): void {
    if (this.isFull) return this.noEffect();
    const dots = make("span", { class: "kept-dots", attributes: { "aria-hidden": "true" } });
    for (let i = 0; i < of; i++) dots.append(make("i", { class: i < kept ? "kept" : "" }));
    this.#effect.replaceChildren(
      dots,
      `${kept} of the full-length top ${of} ${kept === 1 ? "stays" : "stay"}`,
    );
  }

  #describe(): void {
    const full = this.#lengths.at(-1) ?? 0;
    const { dimensions } = this;
    this.#value.textContent = `${dimensions} of ${full} · ${byteSize(dimensions * Float32Array.BYTES_PER_ELEMENT)} each`;
    this.#input.setAttribute("aria-valuetext", `${dimensions} of ${full} dimensions`);
    const share =
      this.#lengths.length > 1 ? Number(this.#input.value) / (this.#lengths.length - 1) : 1;
    this.#input.style.setProperty("--share", String(share));
  }
}
