// The page: what is typed, drawn or chosen → one search at a time → the views.

import { forgetBegun, readBegun, rememberBegun, type Begun } from "./data/begun.ts";
import { embeddedModel } from "./data/choice.ts";
import { fetchGallery, type Picture } from "./data/gallery.ts";
import { Latest } from "./data/latest.ts";
import type { Answer, Query } from "./data/search.ts";
import { fetchTexts, ownTexts, type ShortText } from "./data/texts.ts";
import { prefersReducedMotion } from "./dom.ts";
import { describe, isFatal } from "./messages.ts";
import { OwnPictures } from "./own-pictures.ts";
import { Readings } from "./readings.ts";
import { Session, type SessionRequest } from "./session.ts";
import { DimensionSlider } from "./views/dimension-slider.ts";
import { DrawPad } from "./views/draw-pad.ts";
import { receiveFiles } from "./views/drop-zone.ts";
import { showFacts } from "./views/facts.ts";
import { LoadPanel } from "./views/load-panel.ts";
import { showModelName, showTowers } from "./views/model-name.ts";
import { ModelDialog } from "./views/model-dialog.ts";
import { receiveTexts } from "./views/own-texts.ts";
import { PictureGrid } from "./views/picture-grid.ts";
import { SearchBox } from "./views/search-box.ts";
import { StatusLine } from "./views/status.ts";
import { Tabs, type TabName } from "./views/tabs.ts";
import { TextList } from "./views/text-list.ts";
import { enableThemeButton } from "./views/theme.ts";

const refreshMs = 300;

/** Owns the state of the page and connects its views. One per page. */
export class App {
  #session: Session | undefined;
  #opening: AbortController | undefined;
  #request: SessionRequest = { choice: embeddedModel };
  /** A download that was cut short, now or in an earlier visit, and is offered to go on. */
  #unfinished: Begun | undefined;
  #query: Query | undefined;
  #lastRefresh = 0;
  #data: { pictures: readonly Picture[]; texts: ShortText[] } | undefined;

  readonly #status = new StatusLine();
  readonly #panel = new LoadPanel({
    onRetry: () => void this.#start(this.#request),
    onCancel: () => this.#opening?.abort(),
    onEmbedded: () => void this.#start({ choice: embeddedModel }),
    onResume: () => this.#unfinished && void this.#start(this.#unfinished),
    onDismiss: () => {
      this.#unfinished = undefined;
      forgetBegun();
      this.#panel.done();
    },
  });
  readonly #dialog = new ModelDialog((chosen) => void this.#start(chosen));
  readonly #searches = new Latest<void>((_, signal) => this.#runSearch(signal));
  readonly #slider = new DimensionSlider(() => this.#searches.request());
  readonly #tabs = new Tabs(() => {
    this.#grid.refresh();
    this.#searches.request();
  });
  readonly #searchBox = new SearchBox(
    (next) => {
      this.#query = next;
      this.#searches.request();
    },
    () => (this.#tabs.selected === "pictures" ? this.#grid : this.#textList).focusFirst(),
  );
  readonly #grid = new PictureGrid(
    (picture) => this.#findLike(picture),
    () => this.#searchBox.focus(),
  );
  readonly #drawPad = new DrawPad((drawing) =>
    drawing ? this.#searchBox.searchDrawing(drawing) : this.#searchBox.searchText(""),
  );
  readonly #textList = new TextList(
    (text) => {
      this.#searchBox.searchText(text);
      this.#scrollUp();
    },
    (emoji) => this.#grid.picture(emoji),
    () => this.#searchBox.focus(),
  );
  readonly #readings = new Readings({
    onGrown: (tab) => this.#refresh(tab),
    onError: (error) => this.#fail(error),
    onComplete: () => this.#searches.request(),
  });
  readonly #own = new OwnPictures({
    onAdded: (picture, only) => {
      this.#grid.add([picture]);
      this.#showCounts();
      if (only) this.#findLike(picture);
      else this.#searches.request();
    },
    onRemoved: (id) => {
      this.#grid.remove(id);
      this.#showCounts();
      if (this.#query?.kind === "picture" && this.#query.id === id) this.#searchBox.clear();
      else this.#searches.request();
    },
    onChoose: (id) => {
      const picture = this.#grid.picture(id);
      if (picture) this.#findLike(picture);
    },
  });

  constructor() {
    enableThemeButton();
    receiveFiles({
      onFiles: (files, folder) => {
        if (
          folder !== undefined &&
          files.some(({ name }) => name === "manifest.json" || name === "model.safetensors")
        )
          return this.#dialog.offerFolder(folder, files);
        // Of a folder only what looks like a picture is taken; what was given by itself is tried, and told if it is none.
        const pictures =
          folder === undefined ? files : files.filter(({ type }) => type.startsWith("image/"));
        this.#tabs.select("pictures");
        this.#own.add(pictures);
      },
    });
    receiveTexts((lines) => {
      const texts = ownTexts(lines);
      this.#data?.texts.push(...texts);
      this.#textList.add(texts);
      this.#showCounts();
      if (this.#session) this.#readings.readOwnTexts(this.#session, texts);
      this.#searches.request();
    });
  }

  /** Opens the model that is part of the page. */
  run(): void {
    void this.#start(this.#request);
  }

  /** Opens a model; the one that runs goes on answering until the new one is ready, unless both might not fit. */
  async #start(next: SessionRequest): Promise<void> {
    this.#request = next;
    this.#opening?.abort();
    const control = new AbortController();
    this.#opening = control;
    this.#panel.begin({ name: nameOf(next), isHub: next.choice.kind === "hub" });
    if (next.choice.kind === "hub")
      rememberBegun({ choice: next.choice, towers: next.towers ?? ["text", "vision"] });
    try {
      await this.#fetchData();
      if (this.#session && this.#session.choice.kind !== "embedded") await this.#endSession();
      const opened = await Session.open(next, control.signal, (state) =>
        this.#panel.progress(state),
      );
      if (control.signal.aborted) return void opened.end();
      await this.#endSession();
      this.#session = opened;
    } catch (error) {
      if (this.#opening !== control) return; // another choice came meanwhile
      if (!control.signal.aborted)
        return this.#panel.fail(
          "The model could not be loaded",
          describe(error),
          next.choice.kind !== "embedded",
        );
      this.#panel.done();
      if (!this.#session) return void this.#start({ choice: embeddedModel });
      this.#request = { choice: this.#session.choice, pack: this.#session.pack };
      return this.#offerBegun();
    }
    this.#panel.done();
    if (next.choice.kind === "hub") forgetBegun();
    else void this.#offerBegun();
    await this.#begin(this.#session);
  }

  /** Shows a download that was cut short, with what is needed to go on. */
  async #offerBegun(): Promise<void> {
    const opening = this.#opening;
    const begun = await readBegun();
    if (!begun || this.#opening !== opening) return;
    this.#unfinished = begun;
    this.#panel.pause(begun.choice.repo, begun.bytes);
  }

  async #begin(opened: Session): Promise<void> {
    const { engine, pictures } = opened;
    const { info } = engine.embedder;
    showFacts(engine);
    showModelName(info.modelId, info.dtype);
    showTowers(info.towers);
    this.#slider.offer(info.dimensions, info.fullDimensions);
    this.#searchBox.readsTexts = opened.has("text");
    this.#drawPad.enabled = opened.has("vision");
    if (opened.has("vision")) this.#own.useEngine(engine.embedder, pictures);
    if (!opened.has("vision") && opened.has("text")) this.#tabs.select("texts");
    if (!opened.has("text")) this.#tabs.select("pictures");
    this.#searches.request();
    await this.#readings.begin(opened, this.#data!);
  }

  async #endSession(): Promise<void> {
    const ending = this.#session;
    this.#session = undefined;
    this.#own.withoutEngine();
    await ending?.end();
  }

  async #fetchData(): Promise<void> {
    if (this.#data) return;
    const [pictures, texts] = await Promise.all([fetchGallery(), fetchTexts()]);
    this.#data = { pictures, texts };
    this.#grid.add(pictures);
    this.#textList.add(texts);
    this.#showCounts();
    this.#grid.showAll();
    this.#textList.showAll();
  }

  /** Searches again over what is read by now, at a pace that eyes can follow. */
  #refresh(tab: TabName): void {
    const now = performance.now();
    if (!this.#query || this.#tabs.selected !== tab || now - this.#lastRefresh < refreshMs) return;
    this.#lastRefresh = now;
    this.#searches.request();
  }

  async #runSearch(signal: AbortSignal): Promise<void> {
    if (!this.#session || !this.#query) return this.#showNothing();
    const inPictures = this.#tabs.selected === "pictures";
    const corpus = inPictures ? this.#session.pictures : this.#session.texts;
    try {
      const answer = await this.#session.searcher.search(
        this.#query,
        corpus,
        this.#slider.dimensions,
        signal,
      );
      if (signal.aborted) return;
      if (!answer) return this.#showNothing();
      if (inPictures) this.#grid.showRanking(answer.hits);
      else this.#textList.showRanking(answer.hits);
      this.#showAnswer(answer, inPictures);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #showAnswer(answer: Answer, inPictures: boolean): void {
    if (inPictures) this.#grid.markAnswered(answer.query.kind === "text" ? answer.query.text : "");
    this.#slider.showEffect(answer.kept, answer.of);
    const best = answer.hits[0];
    const topName =
      best && (inPictures ? this.#grid.picture(best.id)?.name : this.#textList.text(best.id)?.text);
    this.#status.answer(answer, inPictures ? "pictures" : "texts", topName);
  }

  #showNothing(): void {
    if (this.#tabs.selected === "pictures") this.#grid.showAll();
    else this.#textList.showAll();
    this.#slider.noEffect();
    this.#status.say(
      !this.#query
        ? ""
        : this.#session
          ? "Nothing here is read by this model yet."
          : "The search starts when the model is there.",
    );
  }

  #findLike(picture: Picture): void {
    this.#searchBox.searchLike(picture);
    this.#scrollUp();
  }

  #showCounts(): void {
    this.#tabs.setCount("pictures", this.#grid.size);
    this.#tabs.setCount("texts", this.#textList.size);
  }

  #scrollUp(): void {
    scrollTo({ top: 0, behavior: prefersReducedMotion() ? "auto" : "smooth" });
  }

  #fail(error: unknown): void {
    const message = describe(error);
    if (!isFatal(error)) return this.#status.fail(`${message.reason} (${message.detail})`);
    this.#session = undefined;
    this.#own.withoutEngine();
    this.#panel.fail("The engine stopped", message, this.#request.choice.kind !== "embedded");
  }
}

function nameOf({ choice, pack }: SessionRequest): string | undefined {
  if (choice.kind === "embedded") return undefined;
  return choice.kind === "hub" ? choice.repo : (pack?.modelId ?? "the model");
}
