// How large the numbers between the layers of a stand-in are, measured by running the engine in float32.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "../lib/safetensors.mjs";
import { texts } from "../numerics/texts.mjs";
import { fromBf16 } from "./random.mjs";

const IMAGE = fileURLToPath(
  new URL("../../tests/data/golden-a/images/landscape.png", import.meta.url),
);
const VISION_EPS = 1e-6;

/** The two requests whose stages are measured, for a backend of tools/golden. */
export const measureRequests = {
  text: { id: "text", text: texts.find(({ name }) => name === "Latin mixed").text, hidden: true },
  vision: { id: "vision", image: IMAGE, hidden: true },
};

/**
 * `results`: what a backend gave for a request. `folder`: the model. `loud`: the tower's loud channels.
 * Gives one row a layer: { layer, stream: {median, max, kurtosis}, read: {median, max, kurtosis, loud} }. `stream` are the values
 * after layer `layer` (0: the embeddings), `read` what the next layer's first linear reads, `loud` how many times as large as the
 * median of all the median of each loud channel is, on average.
 */
export function measureTower(tower, stages, folder, loud) {
  const norms = tower === "vision" ? openSafetensors(join(folder, "model.safetensors")) : undefined;
  const vector = (name) => Float32Array.from(norms.read(name).data, fromBf16);
  const rows = [];
  try {
    for (const [
      name,
      {
        shape: [, width],
        data,
      },
    ] of stages) {
      if (!name.startsWith("hidden.")) continue;
      const layer = Number(name.slice("hidden.".length));
      const norm = `vision_model.blocks.${layer}.norm1`;
      const last = norms && !(`${norm}.weight` in norms.header);
      const read = !norms
        ? data
        : last
          ? undefined
          : layerNorm(data, vector(`${norm}.weight`), vector(`${norm}.bias`));
      rows.push({
        layer,
        stream: sizes(data),
        read: read && { ...sizes(read), loud: loudness(read, width, loud) },
      });
    }
  } finally {
    norms?.close();
  }
  return rows;
}

function layerNorm(x, gain, bias) {
  const width = gain.length,
    out = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    let sum = 0,
      squares = 0;
    for (let c = 0; c < width; c++) sum += x[at + c];
    const mean = sum / width;
    for (let c = 0; c < width; c++) squares += (x[at + c] - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / width + VISION_EPS);
    for (let c = 0; c < width; c++) out[at + c] = (x[at + c] - mean) * scale * gain[c] + bias[c];
  }
  return out;
}

function medianMagnitude(values) {
  const sorted = Float32Array.from(values, Math.abs).sort();
  return sorted[sorted.length >> 1];
}

/** Median and largest magnitude; kurtosis (3 for a normal distribution, more with outliers). */
function sizes(values) {
  let max = 0,
    squares = 0,
    fourths = 0;
  for (const x of values) {
    max = Math.max(max, Math.abs(x));
    squares += x * x;
    fourths += x ** 4;
  }
  return {
    median: medianMagnitude(values),
    max,
    kurtosis: fourths / values.length / (squares / values.length) ** 2,
  };
}

function loudness(values, width, loud) {
  const median = medianMagnitude(values),
    tokens = values.length / width;
  const channel = (c) =>
    medianMagnitude(Float32Array.from({ length: tokens }, (_, t) => values[t * width + c]));
  return loud.reduce((sum, c) => sum + channel(c), 0) / loud.length / median;
}

/** The rows as lines for people. */
export function statisticsTable(tower, rows) {
  const number = (value, digits = 3) => value.toFixed(digits).padStart(9);
  const lines = rows.map(
    ({ layer, stream, read }) =>
      `${tower.padEnd(7)}${String(layer).padStart(5)} ${[stream.median, stream.max, stream.kurtosis].map((x) => number(x)).join("")}` +
      (read
        ? `  | ${[read.median, read.max, read.kurtosis].map((x) => number(x)).join("")}${number(read.loud, 1)}`
        : ""),
  );
  return [
    `${"tower".padEnd(7)}layer ${["median", "max", "kurtosis"].map((x) => x.padStart(9)).join("")}  | ${["median", "max", "kurtosis", "loud"].map((x) => x.padStart(9)).join("")}`,
    ...lines,
  ].join("\n");
}
