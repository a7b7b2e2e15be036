// A golden set: a folder with a checkpoint, inputs, and what the upstream model gives for them
// (tests/data/golden-a/README.md describes the layout). Makes the list of requests that a backend has to run.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readSafetensors } from "../lib/safetensors.mjs";

/** Longest text that the engine reads; expected ids are cut there too. */
const MAX_TOKENS = 8192;

export function readGoldenSet(folder) {
  const dir = resolve(folder);
  const expected = JSON.parse(readFileSync(join(dir, "expected.json"), "utf8"));
  return { dir, expected, tensors: readSafetensors(join(dir, "expected.safetensors")) };
}

/**
 * The requests of one run. Ids: document.I, query.I, cut.I (at most 512 tokens), decoded.J (an image file as stored),
 * image.J (from the golden decoded pixels on, so that a decoder's ±1 does not hide anything behind it).
 * `scratch`: folder for raw pixel files.
 */
export function goldenJob(set, { dtype, threads, scratch }) {
  const { dir, expected, tensors } = set;
  const truncate = expected.truncate_dims;
  const requests = [];
  expected.texts.forEach((entry, i) => {
    requests.push({
      id: `document.${i}`,
      text: entry.text,
      truncate,
      hidden: i === expected.hidden_text_row,
    });
    requests.push({ id: `query.${i}`, text: entry.text, task: "retrieval.query", truncate });
  });
  for (const i of expected.max_length_512_rows) {
    requests.push({ id: `cut.${i}`, text: expected.texts[i].text, maxTokens: 512 });
  }
  mkdirSync(scratch, { recursive: true });
  expected.images.forEach((entry, j) => {
    requests.push({ id: `decoded.${j}`, image: join(dir, "images", entry.file) });
    const rgb = tensors.get(`image.decoded_rgb.${entry.file}`);
    const [height, width] = rgb.shape;
    const path = join(scratch, `${j}.rgba`);
    writeFileSync(path, withAlpha(rgb.data));
    const hidden = entry.file === expected.hidden_image_file;
    requests.push({ id: `image.${j}`, rgba: path, width, height, truncate, hidden });
  });
  return {
    model: dir,
    dtype,
    threads,
    maxTokens: Math.min(MAX_TOKENS, expected.max_length),
    requests,
  };
}

/** RGB → RGBA with a changing alpha, which must make no difference. */
function withAlpha(rgb) {
  const rgba = new Uint8Array((rgb.length / 3) * 4);
  for (let i = 0, k = 0; i < rgb.length; i += 3, k += 4) {
    rgba[k] = rgb[i];
    rgba[k + 1] = rgb[i + 1];
    rgba[k + 2] = rgb[i + 2];
    rgba[k + 3] = (k * 7) & 255;
  }
  return rgba;
}
