// A small canvas to draw what to look for. What is searched is the drawn part alone, squared, as emoji fill their frame.

import { byId, make } from "../dom.ts";

const side = 384; // pixels of the canvas
const sentSide = 192; // pixels that are searched, as large as the gallery's pictures
const margin = 0.06;
const pauseMs = 220; // between two searches while the pointer draws

const colours: readonly (readonly [value: string, name: string])[] = [
  ["#212121", "black"],
  ["#e53935", "red"],
  ["#fb8c00", "orange"],
  ["#fdd835", "yellow"],
  ["#43a047", "green"],
  ["#1e88e5", "blue"],
  ["#8e24aa", "purple"],
  ["#6d4c41", "brown"],
  ["#f8bbd0", "pink"],
  ["#bdbdbd", "grey"],
  ["#ffffff", "white"],
];
const sizes: readonly (readonly [value: number, name: string])[] = [
  [8, "thin"],
  [20, "medium"],
  [44, "thick"],
];

interface Stroke {
  readonly colour: string;
  readonly size: number;
  readonly points: [x: number, y: number][];
}

export interface Drawing {
  readonly pixels: ImageData;
  /** Address of a picture of it, for an <img>. */
  readonly preview: string;
}

export class DrawPad {
  readonly #panel = byId("draw", HTMLElement);
  readonly #toggle = byId("draw-toggle", HTMLButtonElement);
  readonly #canvas = byId("draw-canvas", HTMLCanvasElement);
  readonly #undo = byId("draw-undo", HTMLButtonElement);
  readonly #clear = byId("draw-clear", HTMLButtonElement);
  readonly #context: CanvasRenderingContext2D;
  readonly #onDrawing: (drawing: Drawing | undefined) => void;
  readonly #strokes: Stroke[] = [];
  #colour = colours[0]![0];
  #size = sizes[1]![0];
  #sentAt = 0;

  /** `onDrawing` gets the drawing while it grows, undefined once nothing is left of it. */
  constructor(onDrawing: (drawing: Drawing | undefined) => void) {
    this.#onDrawing = onDrawing;
    this.#canvas.width = this.#canvas.height = side;
    this.#context = this.#canvas.getContext("2d", { willReadFrequently: true })!;
    this.#toggle.addEventListener("click", () => (this.#panel.hidden ? this.open() : this.close()));
    byId("draw-close", HTMLButtonElement).addEventListener("click", () => this.close());
    this.#undo.addEventListener("click", () => this.#keep(this.#strokes.length - 1));
    this.#clear.addEventListener("click", () => this.#keep(0));
    this.#canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#go(event));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      else if (event.key === "z" && (event.ctrlKey || event.metaKey))
        this.#keep(this.#strokes.length - 1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.#addChoices(
      "draw-colours",
      "Colour",
      colours,
      (value) => (this.#colour = value),
      0,
      (radio, value) => radio.style.setProperty("--colour", value),
    );
    this.#addChoices(
      "draw-sizes",
      "Pen",
      sizes,
      (value) => (this.#size = value),
      1,
      (radio, value) => radio.style.setProperty("--size", `${Math.sqrt(value) * 2.6}px`),
    );
    this.#paint();
  }

  set enabled(value: boolean) {
    this.#toggle.hidden = !value;
    if (!value) this.close();
  }

  open(): void {
    this.#panel.hidden = false;
    this.#toggle.setAttribute("aria-expanded", "true");
    this.#canvas.focus();
    if (this.#strokes.length > 0) this.#send();
  }

  close(): void {
    if (this.#panel.hidden) return;
    this.#panel.hidden = true;
    this.#toggle.setAttribute("aria-expanded", "false");
    this.#toggle.focus();
  }

  #begin(event: PointerEvent): void {
    if (event.button !== 0) return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    this.#strokes.push({ colour: this.#colour, size: this.#size, points: [this.#place(event)] });
    this.#paint();
    const end = () => {
      this.#canvas.removeEventListener("pointerup", end);
      this.#canvas.removeEventListener("pointercancel", end);
      this.#send();
    };
    this.#canvas.addEventListener("pointerup", end);
    this.#canvas.addEventListener("pointercancel", end);
  }

  #go(event: PointerEvent): void {
    if (!this.#canvas.hasPointerCapture(event.pointerId)) return;
    const stroke = this.#strokes.at(-1);
    if (!stroke) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length > 0 ? events : [event]) stroke.points.push(this.#place(each));
    this.#paint();
    if (performance.now() - this.#sentAt > pauseMs) this.#send();
  }

  #place(event: PointerEvent): [number, number] {
    const rect = this.#canvas.getBoundingClientRect();
    return [
      ((event.clientX - rect.left) / rect.width) * side,
      ((event.clientY - rect.top) / rect.height) * side,
    ];
  }

  #keep(count: number): void {
    if (count < 0) return;
    this.#strokes.length = count;
    this.#paint();
    this.#send();
  }

  #paint(): void {
    const context = this.#context;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.lineCap = context.lineJoin = "round";
    for (const { colour, size, points } of this.#strokes) {
      context.strokeStyle = colour;
      context.lineWidth = size;
      context.beginPath();
      context.moveTo(...points[0]!);
      if (points.length === 1) context.lineTo(points[0]![0] + 0.01, points[0]![1]); // a dot
      for (const point of points.slice(1)) context.lineTo(...point);
      context.stroke();
    }
    this.#undo.disabled = this.#clear.disabled = this.#strokes.length === 0;
  }

  #send(): void {
    this.#sentAt = performance.now();
    const box = this.#drawnBox();
    if (!box) return this.#onDrawing(undefined);
    const canvas = make("canvas", {
      attributes: { width: String(sentSide), height: String(sentSide) },
    });
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, sentSide, sentSide);
    const scale = (sentSide * (1 - 2 * margin)) / Math.max(box.width, box.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(
      this.#canvas,
      box.x,
      box.y,
      box.width,
      box.height,
      (sentSide - box.width * scale) / 2,
      (sentSide - box.height * scale) / 2,
      box.width * scale,
      box.height * scale,
    );
    this.#onDrawing({
      pixels: context.getImageData(0, 0, sentSide, sentSide),
      preview: canvas.toDataURL(),
    });
  }

  /** The smallest box around all that is not white; at least a fifth of the canvas, so that a dot stays a dot. */
  #drawnBox(): DOMRect | undefined {
    const { data } = this.#context.getImageData(0, 0, side, side);
    let [left, top, right, bottom] = [side, side, -1, -1];
    for (let i = 0; i < side * side; i++) {
      if (data[i * 4]! > 250 && data[i * 4 + 1]! > 250 && data[i * 4 + 2]! > 250) continue;
      const x = i % side;
      const y = (i - x) / side;
      [left, top, right, bottom] = [
        Math.min(left, x),
        Math.min(top, y),
        Math.max(right, x),
        Math.max(bottom, y),
      ];
    }
    if (right < 0) return undefined;
    const least = side / 5;
    const [width, height] = [Math.max(right - left + 1, least), Math.max(bottom - top + 1, least)];
    return new DOMRect(
      (left + right + 1 - width) / 2,
      (top + bottom + 1 - height) / 2,
      width,
      height,
    );
  }

  #addChoices<T extends string | number>(
    id: string,
    legend: string,
    choices: readonly (readonly [T, string])[],
    onChoose: (value: T) => void,
    chosen: number,
    style: (radio: HTMLInputElement, value: T) => void,
  ): void {
    const radios = choices.map(([value, name], i) => {
      const radio = make("input", {
        class: "draw-choice",
        attributes: { type: "radio", name: id, "aria-label": `${legend}: ${name}`, title: name },
      });
      radio.checked = i === chosen;
      style(radio, value);
      radio.addEventListener("change", () => onChoose(value));
      return radio;
    });
    byId(id, HTMLElement).append(...radios);
  }
}
