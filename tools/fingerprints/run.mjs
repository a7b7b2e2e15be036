// One run of npm run fingerprints: run.mjs '{"model","dtype","variant","threads"}' prints name → SHA-256 as JSON.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packOf } from "../../bench/peer/models.mjs";
import { filesBeside } from "../emoji/report.mjs";
import { goldenJob, readGoldenSet } from "../golden/golden-set.mjs";
import { traceOne } from "../golden/wasm-backend.mjs";
import { openEngine } from "../lib/direct-engine.mjs";
import { texts } from "../numerics/texts.mjs";
import { pack } from "../pack/pack.mjs";
import { root } from "../setup/paths.mjs";

const golden = join(root, "tests/data/golden-a"),
  emoji = join(root, "models/emoji"),
  checkpoint = join(emoji, "checkpoint");
const pictures = join(root, "tests/data/golden-a/images");
const LAYERS = 2;

const sha256 = (...arrays) => {
  const hash = createHash("sha256");
  for (const array of arrays)
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return hash.digest("hex");
};
const readPictures = () =>
  readdirSync(pictures)
    .sort()
    .map((name) => [name, new Uint8Array(readFileSync(join(pictures, name)))]);

/** Texts alone and together, pictures in two sizes. */
function embedAll(engine, list, grids) {
  const hashes = {};
  for (const { name, text } of list) hashes[name] = sha256(engine.embedText(text).vector);
  hashes["a query"] = sha256(engine.embedText(list[0].text, { task: "retrieval.query" }).vector);
  for (let i = 0; i < list.length; i += 16) {
    let left = list.slice(i, i + 16).map(({ text }) => text);
    for (let part = 0; left.length; part++) {
      const { vectors } = engine.embedTexts(left);
      const count = vectors.length / engine.info.fullDimensions;
      hashes[`batch ${i / 16} ${part}`] = sha256(vectors);
      left = left.slice(count);
    }
  }
  for (const [name, bytes] of readPictures()) {
    for (const grid of grids)
      hashes[`${name} grid ${grid}`] = sha256(engine.embedImage(bytes, { grid }).vector);
  }
  return hashes;
}

async function withEngine(settings, use) {
  const engine = await openEngine(settings);
  try {
    return use(engine);
  } finally {
    engine.dispose();
  }
}

const models = {
  golden({ dtype, variant, threads }, scratch) {
    const { requests, maxTokens } = goldenJob(readGoldenSet(golden), { dtype, threads, scratch });
    return withEngine({ variant, threads, folder: golden, dtype, maxTokens }, (engine) => {
      const hashes = {};
      for (const request of requests) {
        const stages = [...traceOne(engine, { ...request, hidden: true })];
        for (const [name, { data }] of stages)
          if (/^(raw|normalized)/.test(name)) hashes[`${request.id} ${name}`] = sha256(data);
        hashes[`${request.id} all stages`] = sha256(...stages.map(([, { data }]) => data));
      }
      return hashes;
    });
  },
  emoji({ dtype, variant, threads }) {
    const place =
      dtype === "q8"
        ? { folder: emoji }
        : dtype === "q4"
          ? { files: filesBeside(emoji, "q4") }
          : { folder: checkpoint };
    return withEngine({ variant, threads, dtype, ...place }, (engine) =>
      embedAll(engine, texts, [0]),
    );
  },
  async fullsize({ dtype, variant, threads }) {
    const folder = await packOf(dtype === "f32" ? "q8" : dtype, LAYERS);
    const place = dtype === "f32" ? join(folder, `../source-${LAYERS}`) : folder;
    const list = texts.filter((_, i) => i % 9 === 0);
    const long = (count) => ({
      name: `long ${count}`,
      text: Array.from({ length: count }, (_, i) => texts[i % texts.length].text)
        .join(" ")
        .slice(0, count * 40),
    });
    return withEngine({ variant, threads, folder: place, dtype, maxTokens: 2048 }, (engine) =>
      embedAll(engine, [...list, long(3), long(12), long(40)], [0, 11]),
    );
  },
  async packs({ dtype }, scratch) {
    const hashes = {};
    for (const [name, source] of Object.entries({ golden, emoji: checkpoint })) {
      const out = join(scratch, name);
      await pack({ source, out, dtype, modelId: name, revision: "fingerprints", license: "none" });
      for (const file of readdirSync(out).sort())
        hashes[`${name} ${file}`] = sha256(readFileSync(join(out, file)));
    }
    return hashes;
  },
};

const run = JSON.parse(process.argv[2]);
const scratch = mkdtempSync(join(tmpdir(), "clipglot-fingerprints-"));
try {
  process.stdout.write(JSON.stringify(await models[run.model](run, scratch)));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
