// How far two runs of the same requests are apart, layer by layer.

/**
 * `ids`: requests. `judge(id, stage)`, `other(id, stage)`: numbers of a stage. `stages`: names. Gives one row a stage:
 * { stage, count, minCosine, meanCosine, maxError, largest, worst }; a cosine is over all values of the stage, `maxError` the largest
 * difference of two values, `largest` the judge's largest magnitude, `worst` the request of the lowest cosine.
 */
export function compareRuns(ids, stages, judge, other) {
  const rows = stages.map((stage) => ({
    stage,
    count: 0,
    minCosine: 1,
    meanCosine: 0,
    maxError: 0,
    largest: 0,
    worst: "",
  }));
  for (const id of ids) {
    for (const row of rows) {
      const { cosine, maxError, largest } = compareValues(
        judge(id, row.stage),
        other(id, row.stage),
      );
      row.count++;
      row.meanCosine += (cosine - row.meanCosine) / row.count;
      if (!(cosine >= row.minCosine)) [row.minCosine, row.worst] = [cosine, id];
      row.maxError = Math.max(row.maxError, maxError);
      row.largest = Math.max(row.largest, largest);
    }
  }
  return rows;
}

/** Cosine -1 and error Infinity when the lengths differ or something is not a number. */
export function compareValues(a, b) {
  if (!a || !b || a.length !== b.length) return { cosine: -1, maxError: Infinity, largest: 0 };
  let dot = 0,
    aa = 0,
    bb = 0,
    maxError = 0,
    largest = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i],
      y = b[i],
      error = Math.abs(x - y),
      size = Math.abs(x);
    dot += x * y;
    aa += x * x;
    bb += y * y;
    if (error > maxError) maxError = error;
    if (size > largest) largest = size;
  }
  if (!Number.isFinite(aa + bb)) return { cosine: -1, maxError: Infinity, largest };
  return { cosine: aa === 0 && bb === 0 ? 1 : dot / Math.sqrt(aa * bb), maxError, largest };
}

/** Lines for people: a row a stage, three columns a comparison. `comparisons`: [{ name, rows }] with the same stages. */
export function comparisonTable(comparisons) {
  const width = 34;
  const head = (texts) =>
    `${"".padEnd(12)}${texts.map((text) => text.padEnd(width)).join("")}`.trimEnd();
  const cell = ({ minCosine, meanCosine, maxError }) =>
    `${minCosine.toFixed(6)}  ${meanCosine.toFixed(6)}  ${maxError.toExponential(2)}`.padEnd(width);
  const stages = comparisons
    .reduce((longest, { rows }) => (rows.length > longest.length ? rows : longest), [])
    .map(({ stage }) => stage);
  return [
    head(comparisons.map(({ name }) => name)),
    head(comparisons.map(() => "min cos   mean cos  max error")),
    ...stages.map((stage) =>
      `${label(stage).padEnd(12)}${comparisons
        .map(({ rows }) => {
          const row = rows.find((candidate) => candidate.stage === stage);
          return row ? cell(row) : "".padEnd(width);
        })
        .join("")}`.trimEnd(),
    ),
  ].join("\n");
}

const label = (stage) => (stage === "normalized" ? "vector" : stage.replace("hidden.", "layer "));
