// Which model to run: the one inside the page, a pack at an address, or a pack folder of the user's. Licence and size
// are shown before anything large is fetched.

import type { FileLike, Tower } from "clipglot";
import { describeLicense, modelHome } from "../data/licenses.ts";
import {
  ChoiceError,
  downloadBytes,
  embeddedModel,
  packAddress,
  readPackInfo,
  type ModelChoice,
  type PackInfo,
} from "../data/model-choice.ts";
import { byId, make } from "../dom.ts";
import { byteSize } from "../format.ts";
import { CachedList } from "./cached-list.ts";

export interface Chosen {
  readonly choice: ModelChoice;
  readonly pack: PackInfo;
  readonly towers: readonly Tower[];
}

type Kind = ModelChoice["kind"];
const kinds: readonly Kind[] = ["embedded", "address", "folder"];
const towerNames: Readonly<Record<Tower, string>> = { text: "Texts", vision: "Pictures" };

export class ModelDialog {
  readonly #dialog = byId("model-dialog", HTMLDialogElement);
  readonly #form = byId("model-form", HTMLFormElement);
  readonly #address = byId("model-address", HTMLInputElement);
  readonly #details = byId("model-details", HTMLElement);
  readonly #problem = byId("model-problem", HTMLElement);
  readonly #load = byId("model-load", HTMLButtonElement);
  readonly #cached = new CachedList((address) => this.#offerAddress(address));
  readonly #onLoad: (chosen: Chosen) => void;
  #reading: AbortController | undefined;
  #folder: Extract<ModelChoice, { kind: "folder" }> | undefined;
  #offered: { choice: ModelChoice; pack: PackInfo; towers: Set<Tower> } | undefined;

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
    else if (kind === "folder" && this.#folder) void this.#read(this.#folder);
    else if (kind === "address" && document.activeElement !== this.#address) this.#address.focus();
  }

  #offerNothing(): void {
    this.#reading?.abort();
    this.#offered = undefined;
    this.#details.hidden = this.#problem.hidden = true;
    this.#load.disabled = true;
    this.#load.textContent = "Load";
  }

  async #checkAddress(): Promise<void> {
    this.#select("address");
    try {
      if (this.#address.value.trim() === "")
        throw new ChoiceError("Type or paste the address of a pack's folder.");
      await this.#read({ kind: "address", url: packAddress(this.#address.value) });
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
      this.#showDetails();
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

  #showDetails(): void {
    const { pack, towers } = this.#offered!;
    const license = describeLicense(pack.license);
    const home = modelHome(pack.modelId);
    const facts = make(
      "dl",
      { class: "model-facts" },
      ...fact("Model", home ? link(home, pack.modelId) : pack.modelId),
      ...(pack.revision ? fact("Version", pack.revision) : []),
      ...fact(
        "Numbers",
        [pack.dtype || "unknown", pack.fullDimensions ? `${pack.fullDimensions} a vector` : ""]
          .filter(Boolean)
          .join(", "),
      ),
      ...fact(
        "Licence",
        make(
          "span",
          {},
          license.url ? link(license.url, license.name) : make("b", { text: license.name }),
          " ",
          make("span", { class: "muted", text: license.meaning }),
        ),
      ),
    );
    const choices = Array.from(pack.towers.keys(), (tower) => {
      const box = make("input", { attributes: { type: "checkbox", id: `model-tower-${tower}` } });
      box.checked = towers.has(tower);
      box.addEventListener("change", () => {
        if (box.checked) towers.add(tower);
        else towers.delete(tower);
        this.#showTotal();
      });
      return make(
        "label",
        { class: "model-tower" },
        box,
        towerNames[tower],
        make("span", { class: "muted numeric", text: byteSize(downloadBytes(pack, [tower])) }),
      );
    });
    this.#details.replaceChildren(
      facts,
      make(
        "fieldset",
        { class: "model-towers" },
        make("legend", { text: "What to read with it" }),
        ...choices,
      ),
    );
    this.#details.hidden = false;
    this.#showTotal();
  }

  #showTotal(): void {
    const { choice, pack, towers } = this.#offered!;
    const size = byteSize(downloadBytes(pack, Array.from(towers)));
    this.#load.disabled = towers.size === 0;
    this.#load.textContent =
      towers.size === 0
        ? "Load"
        : `${choice.kind === "address" ? "Download and load" : "Load"} ${size}`;
  }
}

function fact(name: string, value: Node | string): HTMLElement[] {
  return [make("dt", { text: name }), make("dd", {}, value)];
}

function link(url: string, text: string): HTMLAnchorElement {
  return make("a", { text, attributes: { href: url, target: "_blank", rel: "noreferrer" } });
}
