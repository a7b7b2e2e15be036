// Wires the page: what is typed or chosen → one search at a time → the views.

import { Corpus } from "./data/corpus.ts";
import { loadEngine, type LoadedEngine } from "./data/engine.ts";
import { embedGallery, fetchGallery, type Picture } from "./data/gallery.ts";
import { Latest } from "./data/latest.ts";
import { Searcher, type Answer, type Query } from "./data/search.ts";
import { embedShortTexts, fetchTexts, type ShortText } from "./data/texts.ts";
import { prefersReducedMotion } from "./dom.ts";
import { milliseconds } from "./format.ts";
import { describe, isFatal } from "./messages.ts";
import { OwnPictures } from "./own-pictures.ts";
import { DimensionSlider } from "./views/dimension-slider.ts";
import { receiveFiles } from "./views/drop-zone.ts";
import { setFact, showFacts } from "./views/facts.ts";
import { LoadPanel } from "./views/load-panel.ts";
import { PictureGrid } from "./views/picture-grid.ts";
import { SearchBox } from "./views/search-box.ts";
import { StatusLine } from "./views/status.ts";
import { Tabs, type TabName } from "./views/tabs.ts";
import { TextList } from "./views/text-list.ts";
import { enableThemeButton } from "./views/theme.ts";

const refreshMs = 300;

interface Running {
  readonly engine: LoadedEngine;
  readonly searcher: Searcher;
  readonly pictures: Corpus;
  readonly texts: Corpus;
}

let running: Running | undefined;
let query: Query | undefined;
let lastRefresh = 0;
let data: { pictures: readonly Picture[]; texts: readonly ShortText[] } | undefined;

const status = new StatusLine();
const panel = new LoadPanel(() => void start());
const searches = new Latest<void>((_, signal) => runSearch(signal));
const slider = new DimensionSlider(() => searches.request());
const tabs = new Tabs(() => searches.request());
const searchBox = new SearchBox(
  (next) => {
    query = next;
    searches.request();
  },
  () => (tabs.selected === "pictures" ? grid : textList).focusFirst(),
);
const grid = new PictureGrid(findLike, () => searchBox.focus());
const textList = new TextList((text) => {
  searchBox.searchText(text);
  scrollUp();
}, () => searchBox.focus());
const own = new OwnPictures({
  onAdded: (picture) => {
    grid.add([picture]);
    showCounts();
    searches.request();
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
receiveFiles((files) => {
  tabs.select("pictures");
  own.add(files);
});
void start();

async function start(): Promise<void> {
  panel.begin();
  try {
    await fetchData();
    const engine = await loadEngine((state) => panel.progress(state));
    const pictures = new Corpus(engine.embedder);
    running = { engine, pictures, texts: new Corpus(engine.embedder), searcher: new Searcher(engine.embedder, pictures) };
  } catch (error) {
    panel.fail("The model could not be loaded", describe(error));
    return;
  }
  const { engine, pictures } = running;
  panel.done();
  showFacts(engine);
  slider.offer(engine.embedder.info.dimensions, engine.embedder.info.fullDimensions);
  own.useEngine(engine.embedder, pictures);
  searches.request();
  try {
    await readEverything(running);
  } catch (error) {
    fail(error);
  }
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

/** Pictures first, then texts, both behind whatever is searched meanwhile. */
async function readEverything({ engine, pictures, texts }: Running): Promise<void> {
  if (!data) return;
  const { embedder } = engine;
  const began = performance.now();
  let done = 0;
  await embedGallery(embedder, data.pictures, pictures, (count) => {
    done += count;
    status.background(`Reading the pictures: ${done} of ${data!.pictures.length}`);
    refresh("pictures");
  });
  setFact("Per picture", milliseconds((performance.now() - began) / data.pictures.length));
  searches.request();
  const textsBegan = performance.now();
  done = 0;
  await embedShortTexts(embedder, data.texts, texts, (count) => {
    done += count;
    status.background(`Reading the texts: ${done} of ${data!.texts.length}`);
    refresh("texts");
  });
  setFact("Per text", milliseconds((performance.now() - textsBegan) / data.texts.length));
  searches.request();
  status.background("");
}

/** Searches again over what is embedded by now, at a pace that eyes can follow. */
function refresh(tab: TabName): void {
  const now = performance.now();
  if (!query || tabs.selected !== tab || now - lastRefresh < refreshMs) return;
  lastRefresh = now;
  searches.request();
}

async function runSearch(signal: AbortSignal): Promise<void> {
  if (!running || !query) return showNothing();
  const inPictures = tabs.selected === "pictures";
  const corpus = inPictures ? running.pictures : running.texts;
  try {
    const answer = await running.searcher.search(query, corpus, slider.dimensions, signal);
    if (signal.aborted || !answer) return;
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
  status.say(running ? "" : query ? "The search starts when the model is there." : "");
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
  running = undefined;
  panel.fail("The engine stopped", message);
}
