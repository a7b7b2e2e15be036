// Wires the page: what is typed, drawn or chosen → one search at a time → the views.

import { fetchGallery, type Picture } from "./data/gallery.ts";
import { Latest } from "./data/latest.ts";
import { embeddedModel } from "./data/model-choice.ts";
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

let session: Session | undefined;
let opening: AbortController | undefined;
let request: SessionRequest = { choice: embeddedModel };
let query: Query | undefined;
let lastRefresh = 0;
let data: { pictures: readonly Picture[]; texts: ShortText[] } | undefined;

const status = new StatusLine();
const panel = new LoadPanel({
  onRetry: () => void start(request),
  onCancel: () => opening?.abort(),
  onEmbedded: () => void start({ choice: embeddedModel }),
});
const dialog = new ModelDialog((chosen) => void start(chosen));
const searches = new Latest<void>((_, signal) => runSearch(signal));
const slider = new DimensionSlider(() => searches.request());
const tabs = new Tabs(() => {
  grid.refresh();
  searches.request();
});
const searchBox = new SearchBox(
  (next) => {
    query = next;
    searches.request();
  },
  () => (tabs.selected === "pictures" ? grid : textList).focusFirst(),
);
const grid = new PictureGrid(findLike, () => searchBox.focus());
const drawPad = new DrawPad((drawing) =>
  drawing ? searchBox.searchDrawing(drawing) : searchBox.searchText(""),
);
const textList = new TextList(
  (text) => {
    searchBox.searchText(text);
    scrollUp();
  },
  (emoji) => grid.picture(emoji),
  () => searchBox.focus(),
);
const readings = new Readings({
  onGrown: refresh,
  onError: fail,
  onComplete: () => searches.request(),
});
const own = new OwnPictures({
  onAdded: (picture, only) => {
    grid.add([picture]);
    showCounts();
    if (only) findLike(picture);
    else searches.request();
  },
  onRemoved: (id) => {
    grid.remove(id);
    showCounts();
    if (query?.kind === "picture" && query.id === id) searchBox.clear();
    else searches.request();
  },
  onChoose: (id) => {
    const picture = grid.picture(id);
    if (picture) findLike(picture);
  },
});

enableThemeButton();
receiveFiles({
  onFiles: (files, folder) => {
    if (
      folder !== undefined &&
      files.some(({ name }) => name === "manifest.json" || name === "model.safetensors")
    )
      return dialog.offerFolder(folder, files);
    // Of a folder only what looks like a picture is taken; what was given by itself is tried, and told if it is none.
    const pictures =
      folder === undefined ? files : files.filter(({ type }) => type.startsWith("image/"));
    tabs.select("pictures");
    own.add(pictures);
  },
});
receiveTexts((lines) => {
  const texts = ownTexts(lines);
  data?.texts.push(...texts);
  textList.add(texts);
  showCounts();
  if (session) readings.readOwnTexts(session, texts);
  searches.request();
});
void start(request);

/** Opens a model; the one that runs goes on answering until the new one is ready, unless both might not fit. */
async function start(next: SessionRequest): Promise<void> {
  request = next;
  opening?.abort();
  const control = new AbortController();
  opening = control;
  const named = next.choice.kind === "embedded" ? undefined : (next.pack?.modelId ?? "the model");
  panel.begin(named);
  try {
    await fetchData();
    if (session && session.choice.kind !== "embedded") await endSession();
    const opened = await Session.open(next, control.signal, (state) => panel.progress(state));
    if (control.signal.aborted) return void opened.end();
    await endSession();
    session = opened;
  } catch (error) {
    if (opening !== control) return; // another choice came meanwhile
    if (!control.signal.aborted)
      return panel.fail(
        "The model could not be loaded",
        describe(error),
        next.choice.kind !== "embedded",
      );
    panel.done();
    if (session) request = { choice: session.choice, pack: session.pack };
    else void start({ choice: embeddedModel });
    return;
  }
  panel.done();
  await begin(session);
}

async function begin(opened: Session): Promise<void> {
  const { engine, pictures } = opened;
  const { info } = engine.embedder;
  showFacts(engine);
  showModelName(info.modelId, info.dtype);
  showTowers(info.towers);
  slider.offer(info.dimensions, info.fullDimensions);
  searchBox.readsTexts = opened.has("text");
  drawPad.enabled = opened.has("vision");
  if (opened.has("vision")) own.useEngine(engine.embedder, pictures);
  if (!opened.has("vision") && opened.has("text")) tabs.select("texts");
  if (!opened.has("text")) tabs.select("pictures");
  searches.request();
  await readings.begin(opened, data!);
}

async function endSession(): Promise<void> {
  const ending = session;
  session = undefined;
  own.withoutEngine();
  await ending?.end();
}

async function fetchData(): Promise<void> {
  if (data) return;
  const [pictures, texts] = await Promise.all([fetchGallery(), fetchTexts()]);
  data = { pictures, texts };
  grid.add(pictures);
  textList.add(texts);
  showCounts();
  grid.showAll();
  textList.showAll();
}

/** Searches again over what is read by now, at a pace that eyes can follow. */
function refresh(tab: TabName): void {
  const now = performance.now();
  if (!query || tabs.selected !== tab || now - lastRefresh < refreshMs) return;
  lastRefresh = now;
  searches.request();
}

async function runSearch(signal: AbortSignal): Promise<void> {
  if (!session || !query) return showNothing();
  const inPictures = tabs.selected === "pictures";
  const corpus = inPictures ? session.pictures : session.texts;
  try {
    const answer = await session.searcher.search(query, corpus, slider.dimensions, signal);
    if (signal.aborted) return;
    if (!answer) return showNothing();
    if (inPictures) grid.showRanking(answer.hits);
    else textList.showRanking(answer.hits);
    showAnswer(answer, inPictures);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

function showAnswer(answer: Answer, inPictures: boolean): void {
  if (inPictures) grid.markAnswered(answer.query.kind === "text" ? answer.query.text : "");
  slider.showEffect(answer.kept, answer.of);
  const best = answer.hits[0];
  const topName = best && (inPictures ? grid.picture(best.id)?.name : textList.text(best.id)?.text);
  status.answer(answer, inPictures ? "pictures" : "texts", topName);
}

function showNothing(): void {
  if (tabs.selected === "pictures") grid.showAll();
  else textList.showAll();
  slider.noEffect();
  status.say(
    !query
      ? ""
      : session
        ? "Nothing here is read by this model yet."
        : "The search starts when the model is there.",
  );
}

function findLike(picture: Picture): void {
  searchBox.searchLike(picture);
  scrollUp();
}

function showCounts(): void {
  tabs.setCount("pictures", grid.size);
  tabs.setCount("texts", textList.size);
}

function scrollUp(): void {
  scrollTo({ top: 0, behavior: prefersReducedMotion() ? "auto" : "smooth" });
}

function fail(error: unknown): void {
  const message = describe(error);
  if (!isFatal(error)) return status.fail(`${message.reason} (${message.detail})`);
  session = undefined;
  own.withoutEngine();
  panel.fail("The engine stopped", message, request.choice.kind !== "embedded");
}
