// npm run emoji-report -- [--pack DIR] [--checkpoint DIR] [--out FILE] [--summary FILE] [--dtypes q8,f32,q4] [--threads N]
//                          [--languages en,ko,sw]   a quick look; writes only --out
//
// What the emoji model finds on art that it never saw: the packs as they are shipped, through the WebAssembly engine, all
// concepts, all languages. Draws, exports and builds what it needs. Prints tables and writes
//   --out      everything, default build/emoji/report.json
//   --summary  the tables alone, default models/emoji/report.json (only for the pack in models/emoji, unless named)
// and, for the pack in models/emoji, the results in its model card.
//
// Recalls are [R@1, R@5, R@10] in percent. Fields (those with * are in the summary too):
//   date*, machine*, engine*, pack* {modelId, dtype, bytes, sha256: the manifest's own}, checkpoint* (how far training went)
//   concepts*, listed*, top*, others*: numbers of concepts and locales (names of the locales in the full report)
//   dtypes*         dtype → style → vector length → {en, listed: mean of the listed languages, emoji: the characters themselves}; at full length also
//                   {top, others: means, worst: [listed language with the lowest R@10, …its recalls]}
//   languages       style → locale → recalls (the pack's dtype, full length)
//   pictureToText*  style → {mean of some languages, and each}
//   textToText*     "ko->en" → recalls, and how many candidates
//   keywords*       style → {trained, withheld pair, withheld word}: any fitting picture counts
//   nearest*        style → {pictures: concept of the nearest training picture by our vectors, pixels: by 16 × 16 RGB}
//   canaries*       style → {cats: query → a cat is in the first three, top: query → the first emoji}
//   curve*          the learning curve: models/emoji/train/curve.json, else what the last training noted; absent without both
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildFor } from "../build/steps.mjs";
import { pack } from "../pack/pack.mjs";
import { SetupError, log, runMain } from "../setup/log.mjs";
import { fillCard } from "./card.mjs";
import { EnginePool } from "./engine-pool.mjs";
import {
  checkpointFolder,
  emojiFolder,
  prepareEvalSet,
  readEvalSet,
  workFolder,
} from "./eval-set.mjs";
import { printReport } from "./report-tables.mjs";
import { mean, tinyPictures, tinySize } from "./scoring.mjs";

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

/** The pack in the folder `dtype` of a pack, which has the same tokenizer: path → place of its files, or undefined. */
export function filesBeside(packFolder, dtype) {
  const manifest = join(packFolder, dtype, "manifest.json");
  if (!existsSync(manifest)) return undefined;
  const { tokenizer, shards } = readJson(manifest);
  return {
    "manifest.json": manifest,
    [tokenizer.path]: join(packFolder, tokenizer.path),
    ...Object.fromEntries(shards.map(({ path }) => [path, join(packFolder, dtype, path)])),
  };
}

/** Where the engine reads the model at another `dtype`: the pack that ships beside this one, the checkpoint (f32), or a pack made for the purpose. */
async function placeFor(dtype, packFolder, checkpoint) {
  const files = filesBeside(packFolder, dtype);
  if (files) return { files };
  if (dtype === "f32") return { folder: checkpoint };
  const folder = join(workFolder, `pack-${dtype}`);
  log(`converting the checkpoint to ${dtype}`, "emoji");
  await pack({
    source: checkpoint,
    out: folder,
    dtype,
    modelId: "clipglot-emoji",
    revision: "report",
    license: "Apache-2.0",
  });
  return { folder };
}

/** Loads a model, embeds the galleries and hands them to every thread: [{style, vectors, concepts}]. */
async function openGalleries(pool, place, dtype, set, sizes) {
  await pool.open(place, dtype);
  const list = [];
  for (const [style, entry] of Object.entries(set.galleries)) {
    list.push({
      style,
      concepts: entry.concepts,
      vectors: await pool.pictures(set.readPictures(entry), set.side),
    });
  }
  await pool.all("setGalleries", { list, total: set.concepts.length, sizes });
  return list;
}

/** The call `names` for some languages: locale → its answer. Only listed languages are looked at at every size. */
async function searchNames(pool, locales, set, sizes, back) {
  const jobs = locales.map((locale) => ({
    ...set.names[locale],
    total: set.concepts.length,
    sizes: set.listed.includes(locale) ? sizes : sizes.slice(-1),
    back: back.includes(locale),
  }));
  let done = 0;
  const found = await pool.map("names", jobs, () => {
    if (++done % 20 === 0) log(`${done} of ${jobs.length} languages`, "emoji");
  });
  return Object.fromEntries(locales.map((locale, i) => [locale, found[i]]));
}

/** Every emoji as a text: style → size → recalls of its concept's picture. */
async function searchCharacters(pool, set, sizes) {
  const [{ toPicture }] = await pool.map("names", [
    { ...set.characters, total: set.concepts.length, sizes, back: false },
  ]);
  return toPicture;
}

/** style → size → summary of the languages in `found`, and of the emoji themselves. */
function summarise(found, characters, set, sizes) {
  const full = sizes.at(-1);
  return Object.fromEntries(
    Object.keys(set.galleries).map((style) => [
      style,
      Object.fromEntries(
        sizes.toReversed().map((size) => {
          const of = (locales) =>
            locales
              .filter((locale) => locale in found)
              .map((locale) => found[locale].toPicture[style][size]);
          const summary = {
            en: found.en.toPicture[style][size],
            listed: mean(of(set.listed)),
            emoji: characters[style][size],
          };
          if (size !== full) return [size, summary];
          const worst = set.listed.reduce((a, b) =>
            found[b].toPicture[style][size][2] < found[a].toPicture[style][size][2] ? b : a,
          );
          return [
            size,
            {
              ...summary,
              top: mean(of(set.top)),
              others: mean(of(set.others)),
              worst: [worst, ...found[worst].toPicture[style][size]],
            },
          ];
        }),
      ),
    ]),
  );
}

/** Everything about the pack that is more than names: keywords, other directions, baselines, canaries. */
async function searchTheRest(pool, set, galleries, found) {
  const styles = Object.keys(set.galleries);
  const total = set.concepts.length;
  const out = { pictureToText: {}, textToText: {}, keywords: {}, nearest: {}, canaries: {} };
  for (const style of styles) {
    const rows = Object.fromEntries(
      set.pictureToText.map((locale) => [locale, found[locale].toText[style]]),
    );
    out.pictureToText[style] = { mean: mean(Object.values(rows)), ...rows };
    out.keywords[style] = {};
  }
  const third = ({ texts, concepts }) => ({
    texts: texts.filter((_, i) => i % 3 === 0),
    concepts: concepts.filter((_, i) => i % 3 === 0),
  });
  const pairs = set.pairs.map(([from, to]) => ({
    from: third(set.names[from]),
    to: third(set.names[to]),
    total,
  }));
  (await pool.map("translations", pairs)).forEach((recall, i) => {
    out.textToText[set.pairs[i].join("->")] = [...recall, pairs[i].to.texts.length];
  });
  for (const [kind, byLocale] of Object.entries(set.keywords)) {
    const rows = await pool.map(
      "keywords",
      Object.values(byLocale).map((words) => ({ pairs: words })),
    );
    for (const style of styles)
      out.keywords[style][kind] = mean(rows.map((row) => row[style]).filter(Boolean));
  }
  log("nearest training pictures", "emoji");
  const training = set.readPictures(set.training);
  const vectors = await pool.pictures(training, set.side);
  const full = vectors.length / set.training.concepts.length;
  const tiny = tinyPictures(training, set.side);
  const nearest = await pool.map(
    "nearest",
    galleries.flatMap(({ style, vectors: queries, concepts: answers }) => [
      { queries, answers, candidates: vectors, labels: set.training.concepts, size: full },
      {
        queries: tinyPictures(set.readPictures(set.galleries[style]), set.side),
        answers,
        candidates: tiny,
        labels: set.training.concepts,
        size: tinySize,
      },
    ]),
  );
  styles.forEach((style, i) => {
    out.nearest[style] = { pictures: nearest[2 * i], pixels: nearest[2 * i + 1] };
  });
  const bare = (emoji) => emoji.replaceAll("\ufe0f", "");
  const queries = [...set.canaries, ...set.look];
  for (const { style, concepts } of galleries) {
    const places = await pool.map(
      "top",
      queries.map((text) => ({ text, style, k: 8 })),
    );
    const top = Object.fromEntries(
      queries.map((text, i) => [text, places[i].map((place) => set.concepts[concepts[place]])]),
    );
    const isCat = (emoji) => set.cats.some((cat) => bare(cat) === bare(emoji));
    out.canaries[style] = {
      cats: Object.fromEntries(
        set.canaries.map((text) => [text, top[text].slice(0, 3).some(isCat)]),
      ),
      top,
    };
  }
  return out;
}

/** The set with some languages only; English is always one. */
function someLanguages(set, languages) {
  const some = (list) => list.filter((locale) => locale === "en" || languages.includes(locale));
  const keywords = Object.fromEntries(
    Object.entries(set.keywords).map(([kind, rows]) => [
      kind,
      Object.fromEntries(some(Object.keys(rows)).map((locale) => [locale, rows[locale]])),
    ]),
  );
  return {
    ...set,
    keywords,
    listed: some(set.listed),
    top: some(set.top),
    others: some(set.others),
    pictureToText: some(set.pictureToText),
  };
}

/** The report on a pack and, for comparison, on the same checkpoint at other dtypes (placeFor). Needs dist/ with the simd variant. */
export async function report({ packFolder, checkpoint, dtypes, threads, languages }) {
  const all = readEvalSet(checkpoint);
  const set = languages ? someLanguages(all, languages) : all;
  const manifest = readJson(join(packFolder, "manifest.json"));
  const sizes = manifest.config.matryoshka_dimensions;
  const pool = new EnginePool({ threads, variant: "simd" });
  try {
    log(`${manifest.dtype}: pictures`, "emoji");
    const galleries = await openGalleries(pool, { folder: packFolder }, undefined, set, sizes);
    const found = await searchNames(
      pool,
      [...set.listed, ...set.others],
      set,
      sizes,
      set.pictureToText,
    );
    const bytes = [manifest.tokenizer, ...manifest.shards].reduce(
      (sum, file) => sum + file.bytes,
      statSync(join(packFolder, "manifest.json")).size,
    );
    const out = {
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus()[0].model.trim()}, Node ${process.versions.node}`,
      engine: "WebAssembly, simd",
      pack: { modelId: manifest.modelId, dtype: manifest.dtype, bytes, sha256: manifest.sha256 },
      checkpoint: readMetadata(join(checkpoint, "model.safetensors")),
      concepts: set.concepts.length,
      listed: set.listed,
      top: set.top,
      others: set.others,
      dtypes: {
        [manifest.dtype]: summarise(found, await searchCharacters(pool, set, sizes), set, sizes),
      },
      languages: Object.fromEntries(
        Object.keys(set.galleries).map((style) => [
          style,
          Object.fromEntries(
            Object.entries(found).map(([locale, { toPicture }]) => [
              locale,
              toPicture[style][sizes.at(-1)],
            ]),
          ),
        ]),
      ),
      ...(await searchTheRest(pool, set, galleries, found)),
    };
    for (const dtype of dtypes.filter((name) => name !== manifest.dtype)) {
      log(`${dtype}: pictures`, "emoji");
      await openGalleries(pool, await placeFor(dtype, packFolder, checkpoint), dtype, set, sizes);
      const names = await searchNames(pool, set.listed, set, sizes, []);
      out.dtypes[dtype] = summarise(names, await searchCharacters(pool, set, sizes), set, sizes);
    }
    const curve = readCurve();
    return curve ? { ...out, curve } : out;
  } finally {
    await pool.close();
  }
}

/** The learning curve, or undefined. */
function readCurve() {
  const kept = join(emojiFolder, "train/curve.json"),
    noted = join(workFolder, "curve.jsonl");
  if (existsSync(kept)) return readJson(kept);
  return existsSync(noted)
    ? readFileSync(noted, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    : undefined;
}

/** The metadata of a safetensors file. */
function readMetadata(file) {
  const bytes = readFileSync(file);
  return (
    JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()).__metadata__ ??
    {}
  );
}

/** The tables without what is long. */
export function summaryOf({ languages, listed, top, others, canaries, ...rest }) {
  const short = ({ cats, top: found }) => ({
    cats,
    top: Object.fromEntries(
      Object.entries(found).map(([text, emoji]) => [text, emoji.slice(0, 3)]),
    ),
  });
  return {
    ...rest,
    listed: listed.length,
    top: top.length,
    others: others.length,
    canaries: Object.fromEntries(
      Object.entries(canaries).map(([style, found]) => [style, short(found)]),
    ),
  };
}

/** Writes JSON with short lists on one line. */
export function writeReport(file, value) {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  const text = JSON.stringify(value, null, 1).replace(
    /\[\n\s+([^[\]{}]*?)\n\s+\]/g,
    (_, inside) => `[${inside.replace(/,\n\s+/g, ", ")}]`,
  );
  writeFileSync(file, `${text}\n`);
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(async () => {
    const names = ["pack", "checkpoint", "out", "summary", "dtypes", "threads", "languages"];
    const { values } = parseArgs({
      options: Object.fromEntries(names.map((name) => [name, { type: "string" }])),
    });
    const packFolder = resolve(values.pack ?? emojiFolder);
    const isShipped = packFolder === emojiFolder && !values.languages;
    const summary = values.summary ?? (isShipped ? join(emojiFolder, "report.json") : undefined);
    if (!readdirSync(packFolder).includes("manifest.json"))
      throw new SetupError(`${packFolder}: no manifest.json there`);
    await buildFor({ variants: ["simd"], js: true });
    await prepareEvalSet();
    const result = await report({
      packFolder,
      checkpoint: resolve(values.checkpoint ?? checkpointFolder),
      dtypes: (values.dtypes ?? "q8,f32").split(","),
      threads: Number(values.threads ?? 2),
      languages: values.languages?.split(","),
    });
    printReport(result);
    const out = values.out ?? join(workFolder, "report.json");
    writeReport(out, result);
    log(`${out}`, "emoji");
    if (!summary) return;
    writeReport(summary, summaryOf(result));
    log(`${summary}`, "emoji");
    if (isShipped) fillCard(summaryOf(result));
  });
}
