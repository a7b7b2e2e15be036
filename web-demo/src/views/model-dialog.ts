// Which model to run: the one inside the page, jina-clip-v2 or another one of the hub, a pack at an address, or a pack folder of the
// user's. Licence and size are shown before anything large is fetched.

import type { FileLike, Tower } from "clipglot";
import {
  ChoiceError,
  embeddedModel,
  type HubDType,
  type ModelChoice,
  type PackInfo,
} from "../data/choice.ts";
import { jinaClip, packAs } from "../data/hub-models.ts";
import { readPackInfo, typedChoice } from "../data/model-choice.ts";
import { byId } from "../dom.ts";
import { CachedList } from "./cached-list.ts";
import { loadText, ModelDetails, type Offer } from "./model-details.ts";

export interface Chosen {
  readonly choice: ModelChoice;
  readonly pack: PackInfo;
  readonly towers: readonly Tower[];
}

type Kind = ModelChoice["kind"];
const kinds: readonly Kind[] = ["embedded", "hub", "address", "folder"];

export class ModelDialog {
  readonly #dialog = byId("model-dialog", HTMLDialogElement);
  readonly #form = byId("model-form", HTMLFormElement);
  readonly #address = byId("model-address", HTMLInputElement);
  readonly #details = new ModelDetails(byId("model-details", HTMLElement), {
    onTower: (tower, wanted) => {
      if (wanted) this.#offered?.towers.add(tower);
      else this.#offered?.towers.delete(tower);
      this.#update();
    },
    onDType: (dtype) => this.#changeDType(dtype),
  });
  readonly #problem = byId("model-problem", HTMLElement);
  readonly #load = byId("model-load", HTMLButtonElement);
  readonly #cached = new CachedList({
    onUse: (address) => this.#offerAddress(address),
    onChange: () => this.#update(),
  });
  readonly #onLoad: (chosen: Chosen) => void;
  #reading: AbortController | undefined;
  #folder: Extract<ModelChoice, { kind: "folder" }> | undefined;
  #offered: Offer | undefined;

  constructor(onLoad: (chosen: Chosen) => void) {
    this.#onLoad = onLoad;
    byId("model-open", HTMLButtonElement).addEventListener("click", () => this.open());
    byId("model-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#reading?.abort());
    for (const kind of kinds)
      this.#radio(kind).addEventListener("change", () => this.#select(kind));
    byId("model-check", HTMLButtonElement).addEventListener(
      "click",
      () => void this.#checkAddress(),
    );
    this.#address.addEventListener(
      "focus",
      () => this.#radio("address").checked || this.#select("address"),
    );
    this.#address.addEventListener("input", () => this.#offerNothing());
    this.#address.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      void this.#checkAddress();
    });
    const folder = byId("model-folder", HTMLInputElement);
    folder.addEventListener("change", () => {
      const files = Array.from(folder.files ?? []);
      folder.value = "";
      if (files.length > 0)
        this.offerFolder(files[0]!.webkitRelativePath.split("/")[0] || "folder", files);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#offered || this.#offered.towers.size === 0) return;
      const { choice, pack, towers } = this.#offered;
      this.#dialog.close();
      this.#onLoad({
        choice,
        pack,
        towers: (["text", "vision"] as const).filter((tower) => towers.has(tower)),
      });
    });
  }

  open(): void {
    if (!this.#dialog.open) this.#dialog.showModal();
    void this.#cached.refresh();
    if (!this.#offered) this.#select(kinds.find((kind) => this.#radio(kind).checked) ?? "embedded");
  }

  /** A folder that was picked or dropped. */
  offerFolder(name: string, files: readonly FileLike[]): void {
    this.#folder = { kind: "folder", name, files };
    byId("model-folder-name", HTMLElement).textContent = name;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#select("folder");
  }

  #offerAddress(address: string): void {
    this.#address.value = address;
    this.#select("address");
    void this.#checkAddress();
  }

  #radio(kind: Kind): HTMLInputElement {
    return byId(`model-kind-${kind}`, HTMLInputElement);
  }

  #select(kind: Kind): void {
    this.#radio(kind).checked = true;
    this.#offerNothing();
    if (kind === "embedded") void this.#read(embeddedModel);
    else if (kind === "hub") void this.#read(jinaClip);
    else if (kind === "folder" && this.#folder) void this.#read(this.#folder);
    else if (kind === "address" && document.activeElement !== this.#address) this.#address.focus();
  }

  #offerNothing(): void {
    this.#reading?.abort();
    this.#offered = undefined;
    this.#details.element.hidden = this.#problem.hidden = true;
    this.#load.disabled = true;
    this.#load.textContent = "Load";
  }

  async #checkAddress(): Promise<void> {
    this.#select("address");
    try {
      if (this.#address.value.trim() === "")
        throw new ChoiceError(
          "Type or paste the address of a pack's folder, or a name: hf:OWNER/NAME.",
        );
      await this.#read(typedChoice(this.#address.value));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #read(choice: ModelChoice): Promise<void> {
    const reading = new AbortController();
    this.#reading = reading;
    this.#form.setAttribute("aria-busy", "true");
    try {
      const pack = await readPackInfo(choice, reading.signal);
      if (reading.signal.aborted) return;
      this.#offered = { choice, pack, towers: new Set(pack.towers.keys()) };
      this.#details.show(this.#offered);
      this.#update();
    } catch (error) {
      if (!reading.signal.aborted) this.#fail(error);
    } finally {
      this.#form.removeAttribute("aria-busy");
    }
  }

  #fail(error: unknown): void {
    this.#problem.textContent =
      error instanceof ChoiceError
        ? error.message
        : `The pack cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    this.#problem.hidden = false;
  }

  #changeDType(dtype: HubDType): void {
    if (this.#offered?.choice.kind !== "hub") return;
    const { choice, pack, towers } = this.#offered;
    this.#offered = { choice: { ...choice, dtype }, pack: packAs(pack, dtype), towers };
    this.#update();
  }

  #update(): void {
    if (!this.#offered) return;
    this.#details.update(this.#offered, this.#cached.models);
    this.#load.disabled = this.#offered.towers.size === 0;
    this.#load.textContent = loadText(this.#offered, this.#cached.models);
  }
}
