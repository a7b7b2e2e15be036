// Recall, by the definitions of models/emoji/train/report.py: a query's rank is the number of candidates that score higher
// than the right one, so ties count for the query. Where several candidates are right, the best of them counts.

export const recallAt = [1, 5, 10];

const round = (value) => Math.round(value * 100) / 100;

/** Percent of `ranks` (0 is best) within the first 1, 5 and 10; null without any. */
export function recalls(ranks) {
  return ranks.length === 0
    ? null
    : recallAt.map((k) => round((100 * ranks.filter((rank) => rank < k).length) / ranks.length));
}

/** Column means of rows; null without any. */
export function mean(rows) {
  if (rows.length === 0) return null;
  return rows[0].map((_, column) =>
    round(rows.reduce((sum, row) => sum + row[column], 0) / rows.length),
  );
}

/**
 * The rank of the best right answer, exact up to the last of recallAt; Infinity beyond it.
 *   search(k)     {rows, scores} of the k best, best first
 *   size          how many candidates there are
 *   groupOf(row)  what a candidate stands for; a group scores as its best candidate does
 *   isRight(group)
 */
export function rankOf(search, size, groupOf, isRight, first = 16) {
  for (let k = first; ; k *= 4) {
    const { rows, scores } = search(Math.min(k, size));
    const better = new Set();
    let tied = new Set(); // of the score that is being read
    let score = Infinity;
    for (let i = 0; i < rows.length; i++) {
      if (scores[i] < score) {
        for (const group of tied) better.add(group);
        tied = new Set();
        score = scores[i];
        if (better.size >= recallAt.at(-1)) return Infinity;
      }
      const group = groupOf(rows[i]);
      if (isRight(group)) return better.size;
      if (!better.has(group)) tied.add(group);
    }
    if (rows.length >= size) return Infinity; // nothing is right
  }
}

/** concept → its place in a list of concepts, -1 where it has none. */
export function placesOf(list, concepts) {
  const at = new Int32Array(concepts).fill(-1);
  list.forEach((concept, i) => {
    at[concept] = i;
  });
  return at;
}

/** The first `size` dimensions of each row of data [n, full], of unit length. */
export function cut(data, full, size) {
  const count = data.length / full;
  const out = new Float32Array(count * size);
  for (let row = 0; row < count; row++) {
    const part = data.subarray(row * full, row * full + size);
    const length = Math.hypot(...part) || 1;
    for (let i = 0; i < size; i++) out[row * size + i] = part[i] / length;
  }
  return out;
}

// The means and deviations of the model's preprocessing: the baseline sees what the model sees.
const channelMean = [0.48145466, 0.4578275, 0.40821073];
const channelDeviation = [0.26862954, 0.26130258, 0.27577711];

/** Length of tinyPictures' vectors. */
export const tinySize = 16 * 16 * 3;

/** The baseline's vectors: 16 × 16 RGB of pictures (bytes [n, side, side, 3]), of unit length. */
export function tinyPictures(bytes, side) {
  const tiny = 16,
    step = side / tiny;
  const count = bytes.length / (side * side * 3);
  const out = new Float32Array(count * tinySize);
  for (let p = 0; p < count; p++)
    for (let y = 0; y < tiny; y++)
      for (let x = 0; x < tiny; x++)
        for (let c = 0; c < 3; c++) {
          let sum = 0;
          for (let v = 0; v < step; v++)
            for (let u = 0; u < step; u++)
              sum += bytes[((p * side + y * step + v) * side + x * step + u) * 3 + c];
          out[p * tinySize + (y * tiny + x) * 3 + c] =
            (sum / (step * step) / 255 - channelMean[c]) / channelDeviation[c];
        }
  return cut(out, tinySize, tinySize);
}
