// The report's arithmetic, on numbers that can be checked by hand, and which packs it reads.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { results } from "../../tools/emoji/card.mjs";
import { emojiFolder, q4Folder } from "../../tools/emoji/eval-set.mjs";
import { filesBeside, summaryOf } from "../../tools/emoji/report.mjs";
import {
  cut,
  mean,
  placesOf,
  rankOf,
  recalls,
  tinyPictures,
  tinySize,
} from "../../tools/emoji/scoring.mjs";

/** A search over fixed scores, as an index would do it. */
function searcher(scores) {
  const order = scores
    .map((score, row) => ({ score, row }))
    .sort((a, b) => b.score - a.score || a.row - b.row);
  return (k) => ({
    rows: order.slice(0, k).map(({ row }) => row),
    scores: order.slice(0, k).map(({ score }) => score),
  });
}
const rank = (scores, right, groupOf = (row) => row, k = undefined) =>
  rankOf(searcher(scores), scores.length, groupOf, (group) => right.includes(group), k);

test("the rank is the number of candidates that score higher", () => {
  assert.equal(rank([0.1, 0.9, 0.5], [1]), 0);
  assert.equal(rank([0.1, 0.9, 0.5], [2]), 1);
  assert.equal(rank([0.1, 0.9, 0.5], [0]), 2);
});

test("ties count for the query", () => {
  assert.equal(rank([0.5, 0.5, 0.5, 0.7], [2]), 1);
  assert.equal(rank(Array(40).fill(0.5), [39]), 0, "also beyond what one search gives");
});

test("the best of several right ones counts, and of none there is no rank", () => {
  assert.equal(rank([0.1, 0.9, 0.5, 0.7], [0, 2]), 2);
  assert.equal(rank([0.1, 0.9], [7]), Infinity);
});

test("a rank after the last that is asked for is not looked for", () => {
  const scores = Array.from({ length: 100 }, (_, i) => -i);
  assert.equal(rank(scores, [9]), 9);
  assert.equal(rank(scores, [10]), Infinity);
});

test("a group scores as its best candidate does", () => {
  const labels = [0, 0, 0, 1, 1, 2];
  const scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.75];
  assert.equal(
    rank(scores, [2], (row) => labels[row]),
    1,
  );
  assert.equal(
    rank(scores, [1], (row) => labels[row]),
    2,
  );
  assert.equal(
    rank(scores, [1], (row) => labels[row], 1),
    2,
    "also when the search is widened step by step",
  );
});

test("recalls and means are percents with two decimals", () => {
  assert.deepEqual(recalls([0, 3, 12, Infinity, 0, 7]), [33.33, 50, 66.67]);
  assert.equal(recalls([]), null);
  assert.deepEqual(
    mean([
      [1, 2],
      [2, 2],
    ]),
    [1.5, 2],
  );
  assert.equal(mean([]), null);
});

test("places, cut vectors, tiny pictures", () => {
  assert.deepEqual([...placesOf([3, 1], 4)], [-1, 1, -1, 0]);
  assert.deepEqual(
    [...cut(Float32Array.of(3, 4, 100, 0, 2, 100), 3, 2)].map((x) => Math.round(x * 1000) / 1000),
    [0.6, 0.8, 0, 1],
  );
  const tiny = tinyPictures(new Uint8Array(64 * 64 * 3).fill(255), 64);
  assert.equal(tiny.length, tinySize);
  assert.ok(Math.abs(Math.hypot(...tiny) - 1) < 1e-6);
});

test("the summary holds the tables, and the card shows them", () => {
  const found = { en: [10, 20, 30], listed: [1, 2, 3], emoji: [11, 21, 31] };
  const report = {
    date: "2000-01-01",
    machine: "one",
    engine: "two",
    pack: { modelId: "m", dtype: "q8", bytes: 5, sha256: "0".repeat(64) },
    checkpoint: {},
    concepts: 7,
    listed: ["en", "de"],
    top: ["en"],
    others: [],
    languages: { twemoji: {} },
    dtypes: {
      q8: {
        twemoji: {
          4: { ...found, top: [4, 5, 6], others: null, worst: ["de", 1, 2, 3] },
          2: found,
        },
      },
      f32: { twemoji: { 4: found, 2: found } },
      q4: { twemoji: { 4: { ...found, listed: [1.5, 1.75, 2.5] } } },
    },
    pictureToText: { twemoji: { mean: [7, 8, 9] } },
    textToText: { "ko->en": [1, 2, 3, 641] },
    keywords: { twemoji: { trained: [1, 1, 1] } },
    nearest: { twemoji: { pictures: [9, 9, 9], pixels: [8, 8, 8] } },
    canaries: { twemoji: { cats: { cat: true, chat: false }, top: { cat: ["a", "b", "c", "d"] } } },
  };
  const summary = summaryOf(report);
  assert.equal(summary.listed, 2);
  assert.equal(summary.languages, undefined);
  assert.deepEqual(summary.canaries.twemoji.top.cat, ["a", "b", "c"]);
  assert.deepEqual(summary.dtypes, report.dtypes);
  const card = results(summary);
  for (const part of [
    "| text → picture, English | 10.0 / 20.0 / 30.0 |",
    "| emoji character → picture | 11.0 / 21.0 / 31.0 |",
    "| emoji character, 2 dimensions | 11.0 / 21.0 / 31.0 |",
    "themselves at other number formats: f32 Twemoji 11.0 / 21.0 / 31.0; q4 Twemoji",
    "| worst listed language | de: 1.0 / 2.0 / 3.0 |",
    "ko → en 1.0 / 2.0 / 3.0 of 641",
    "1 of 2 (not: chat)",
    "loses at most 0.50 points",
    "| cat | a b c |",
  ])
    assert.ok(card.includes(part), `${part}\n${card}`);
});

test("the report judges the pack in four bits that ships", () => {
  const files = filesBeside(emojiFolder, "q4");
  assert.equal(files["manifest.json"], join(q4Folder, "manifest.json"));
  assert.equal(files["tokenizer.json"], join(emojiFolder, "tokenizer.json"));
  assert.equal(Object.keys(files).length, 5);
  for (const place of Object.values(files)) assert.ok(existsSync(place), place);
  assert.equal(filesBeside(emojiFolder, "f32"), undefined);
});
