// A thread with an engine of its own, for EnginePool: embeds, and searches where the vectors are, with the engine's index,
// so that only tables travel. Messages: {id, call, args} → {id, value} or {id, error}.
import { parentPort, workerData } from "node:worker_threads";
import { openEngine } from "../lib/direct-engine.mjs";
import { cut, placesOf, rankOf, recalls } from "./scoring.mjs";

let engine;
let galleries = []; // [{style, vectors, concepts, places, index: size → Index}]

/** Rows of one length, searchable. */
class Index {
  constructor(rows, size) {
    this.size = size;
    this.count = rows.length / size;
    this.id = engine.adapter.indexes.create(size);
    engine.adapter.indexes.add(this.id, rows);
  }

  /** The rank of the best row that is right for a query (its first `size` dimensions; the length of a query changes no rank). */
  rank(query, isRight, groupOf = (row) => row, k = undefined) {
    return rankOf(
      (count) => engine.adapter.indexes.search(this.id, query.subarray(0, this.size), count),
      this.count,
      groupOf,
      isRight,
      k,
    );
  }

  free() {
    engine.adapter.indexes.delete(this.id);
  }
}

const full = () => engine.info.fullDimensions;
const row = (vectors, i) => vectors.subarray(i * full(), (i + 1) * full());
// Numbers of the concepts that have a place.
const placed = (concepts, places) =>
  concepts.map((_, i) => i).filter((i) => places[concepts[i]] >= 0);

const calls = {
  async open({ place, dtype }) {
    engine?.dispose();
    galleries = [];
    engine = await openEngine({ variant: workerData.variant, ...place, dtype });
    return engine.info;
  },

  /** Vectors of texts, row by row. */
  texts({ texts }) {
    return embedTexts(texts);
  },

  /** Vectors of pictures given as bytes [n, side, side, 3]. */
  pictures({ rgb, side }) {
    const pixels = side * side;
    const count = rgb.length / (pixels * 3);
    const out = new Float32Array(count * full());
    const rgba = new Uint8Array(pixels * 4).fill(255);
    for (let p = 0; p < count; p++) {
      for (let i = 0; i < pixels; i++)
        for (let c = 0; c < 3; c++) rgba[i * 4 + c] = rgb[(p * pixels + i) * 3 + c];
      out.set(engine.embedPixels(rgba, side, side).vector, p * full());
    }
    return out;
  },

  /** What the calls below search. list: [{style, vectors, concepts}]; total: how many concepts there are; sizes: of the vectors. */
  setGalleries({ list, total, sizes }) {
    galleries = list.map((gallery) => ({
      ...gallery,
      places: placesOf(gallery.concepts, total),
      index: new Map(
        sizes.map((size) => [size, new Index(cut(gallery.vectors, full(), size), size)]),
      ),
    }));
  },

  /** One language: {toPicture: style → size → recalls, toText: style → recalls when `back`}. */
  names({ texts, concepts, total, sizes, back }) {
    const vectors = embedTexts(texts);
    const out = { toPicture: {}, toText: {} };
    for (const { style, places, index } of galleries) {
      const asked = placed(concepts, places);
      const rank = (size) =>
        asked.map((i) =>
          index.get(size).rank(row(vectors, i), (place) => place === places[concepts[i]]),
        );
      out.toPicture[style] = Object.fromEntries(sizes.map((size) => [size, recalls(rank(size))]));
    }
    if (!back) return out;
    const names = new Index(vectors, full());
    const at = placesOf(concepts, total);
    for (const gallery of galleries) {
      const asked = placed(gallery.concepts, at);
      out.toText[gallery.style] = recalls(
        asked.map((i) =>
          names.rank(row(gallery.vectors, i), (name) => name === at[gallery.concepts[i]]),
        ),
      );
    }
    names.free();
    return out;
  },

  /** Keywords of one language, [[text, fitting concepts]]: style → recalls where any fitting picture counts, or null. */
  keywords({ pairs }) {
    const vectors = embedTexts(pairs.map(([text]) => text));
    return Object.fromEntries(
      galleries.map(({ style, places, index }) => {
        const right = pairs.map(
          ([, fitting]) =>
            new Set(fitting.map((concept) => places[concept]).filter((place) => place >= 0)),
        );
        const asked = pairs.map((_, i) => i).filter((i) => right[i].size > 0);
        return [
          style,
          recalls(
            asked.map((i) =>
              index.get(full()).rank(row(vectors, i), (place) => right[i].has(place)),
            ),
          ),
        ];
      }),
    );
  },

  /** From names of one language to those of another, {texts, concepts} each. */
  translations({ from, to, total }) {
    const names = new Index(embedTexts(to.texts), full());
    const at = placesOf(to.concepts, total);
    const vectors = embedTexts(from.texts);
    const ranks = placed(from.concepts, at).map((i) =>
      names.rank(row(vectors, i), (name) => name === at[from.concepts[i]]),
    );
    names.free();
    return recalls(ranks);
  },

  /** Recalls of queries among `candidates` that stand for the concepts `labels`; any row length. */
  nearest({ queries, answers, candidates, labels, size }) {
    const index = new Index(candidates, size);
    const ranks = answers.map((answer, i) =>
      index.rank(
        queries.subarray(i * size, (i + 1) * size),
        (concept) => concept === answer,
        (place) => labels[place],
        128,
      ),
    );
    index.free();
    return recalls(ranks);
  },

  /** The places in a style's gallery of the k pictures nearest to a text. */
  top({ text, style, k }) {
    const { index } = galleries.find((gallery) => gallery.style === style);
    return [
      ...engine.adapter.indexes.search(index.get(full()).id, engine.embedText(text).vector, k).rows,
    ];
  },
};

function embedTexts(texts) {
  const different = [...new Set(texts)]; // one name may stand for several concepts
  const vectors = new Map();
  while (vectors.size < different.length) {
    const next = different.slice(vectors.size, vectors.size + 64);
    const group = engine.embedTexts(next);
    for (let i = 0; i < group.truncated.length; i++) vectors.set(next[i], row(group.vectors, i));
  }
  const out = new Float32Array(texts.length * full());
  for (const [i, text] of texts.entries()) out.set(vectors.get(text), i * full());
  return out;
}

parentPort.on("message", async ({ id, call, args }) => {
  try {
    const value = await calls[call](args);
    parentPort.postMessage({ id, value }, value instanceof Float32Array ? [value.buffer] : []);
  } catch (error) {
    parentPort.postMessage({ id, error: String(error?.stack ?? error) });
  }
});
