// Compares what a backend gave with a golden set, stage by stage, so that a failure names its room.

// Tolerances and their reasons: docs/NUMERICS.md. Values are largest absolute differences; cosines are lower bounds.
export const TOLERANCES = {
  pngDecoded: 0,
  jpegDecoded: 3,
  resized: 0,
  pixels: 1e-6,
  hidden: 1e-4,
  normalized: 1e-5,
  q8RowCosine: 0.996,
  q8MeanCosine: 0.999,
};

/**
 * `results`: Map of request id → Map of stage → { shape, data }. Gives a list of
 * { stage, count, maxDiff, minCosine, meanCosine, bound, ok, where, share }: `bound` is the text of what is demanded ("" when
 * nothing is), `share` how much of the tolerance is used (1 is the limit).
 */
export function compareStages(set, results, dtype) {
  const { expected, tensors } = set;
  const rows = [];
  const exact = dtype === "f32";
  const add = (stage, pairs, demand) => rows.push(compare(stage, pairs, demand));
  const texts = expected.texts.map((entry, i) => ({ name: entry.name, i, entry }));
  const got = (id, stage) => {
    const found = results.get(id)?.get(stage);
    if (!found) throw new Error(`the backend gave no ${stage} for ${id}`);
    return found.data;
  };
  const row = (name, i) => {
    const tensor = tensors.get(name);
    const length = tensor.data.length / tensor.shape[0];
    return tensor.data.subarray(i * length, (i + 1) * length);
  };

  const kinds = [
    { group: "documents", id: "document", ids: "ids", tensor: "text.document", items: texts },
    { group: "queries", id: "query", ids: "ids_query", tensor: "text.query", items: texts },
  ];
  for (const kind of kinds) {
    add(
      `${kind.group} tokens`,
      kind.items.map(({ name, i, entry }) => ({
        name,
        got: got(`${kind.id}.${i}`, "ids"),
        expected: entry[kind.ids],
      })),
      { equal: true },
    );
  }
  const cut = expected.max_length_512_rows;
  add(
    "documents cut at 512 tokens",
    cut.map((i) => ({
      name: texts[i].name,
      got: got(`cut.${i}`, "ids"),
      expected: texts[i].entry.ids_max_length_512,
    })),
    { equal: true },
  );
  addHidden(
    add,
    "documents",
    tensors.get("hidden.text"),
    `document.${expected.hidden_text_row}`,
    got,
    exact,
  );
  for (const kind of kinds) addVectors(add, kind, expected.truncate_dims, got, row, exact);
  add(
    "documents cut at 512 raw",
    cut.map((i, k) => ({
      name: texts[i].name,
      got: got(`cut.${i}`, "raw"),
      expected: row("text.document_max_length_512.raw", k),
    })),
    exact ? { maxDiff: TOLERANCES.hidden } : {},
  );

  const images = expected.images.map((entry, i) => ({ name: entry.file, i, entry }));
  const isJpeg = ({ entry }) => /\.jpe?g$/i.test(entry.file);
  const pixelPairs = (id, stage, tensor) => (item) => ({
    name: item.name,
    got: got(`${id}.${item.i}`, stage),
    expected: tensors.get(`image.${tensor}.${item.entry.file}`).data,
  });
  const decoded = pixelPairs("decoded", "decoded_rgb", "decoded_rgb");
  add("images decoded_rgb (PNG)", images.filter((item) => !isJpeg(item)).map(decoded), {
    maxDiff: TOLERANCES.pngDecoded,
  });
  add("images decoded_rgb (JPEG)", images.filter(isJpeg).map(decoded), {
    maxDiff: TOLERANCES.jpegDecoded,
  });
  add(
    "images resized_cropped",
    images.map(pixelPairs("image", "resized_cropped", "resized_cropped")),
    { maxDiff: TOLERANCES.resized },
  );
  add("images pixels", images.map(pixelPairs("image", "pixels", "pixels")), {
    maxDiff: TOLERANCES.pixels,
  });
  const hiddenImage = images.find(({ entry }) => entry.file === expected.hidden_image_file);
  addHidden(add, "images", tensors.get("hidden.image"), `image.${hiddenImage.i}`, got, exact);
  addVectors(
    add,
    { group: "images", id: "image", tensor: "image", items: images },
    expected.truncate_dims,
    got,
    row,
    exact,
  );
  return rows;
}

function addHidden(add, group, tensor, id, got, exact) {
  const length = tensor.data.length / tensor.shape[0];
  for (let layer = 0; layer < tensor.shape[0]; ++layer) {
    add(
      `${group} hidden.${layer}`,
      [
        {
          name: id,
          got: got(id, `hidden.${layer}`),
          expected: tensor.data.subarray(layer * length, (layer + 1) * length),
        },
      ],
      exact ? { maxDiff: TOLERANCES.hidden } : {},
    );
  }
}

function addVectors(add, { group, id, tensor, items }, truncations, got, row, exact) {
  const q8 = { rowCosine: TOLERANCES.q8RowCosine, meanCosine: TOLERANCES.q8MeanCosine };
  const pairs = (stage, name) =>
    items.map((item) => ({
      name: item.name,
      got: got(`${id}.${item.i}`, stage),
      expected: row(`${tensor}.${name}`, item.i),
    }));
  add(`${group} raw`, pairs("raw", "raw"), exact ? { maxDiff: TOLERANCES.hidden } : {});
  add(
    `${group} normalized`,
    pairs("normalized", "normalized"),
    exact ? { maxDiff: TOLERANCES.normalized } : q8,
  );
  for (const d of truncations) {
    add(
      `${group} normalized_${d}`,
      pairs(`normalized_${d}`, `normalized_${d}`),
      exact ? { maxDiff: TOLERANCES.normalized } : {},
    );
  }
}

function compare(stage, pairs, demand) {
  let maxDiff = 0,
    minCosine = 1,
    cosines = 0,
    where = "",
    worstCosineAt = "";
  for (const { name, got, expected } of pairs) {
    const diff = maxDifference(got, expected);
    if (!(diff <= maxDiff)) {
      maxDiff = diff;
      where = name;
    }
    const cos = cosine(got, expected);
    cosines += cos;
    if (!(cos >= minCosine)) {
      minCosine = cos;
      worstCosineAt = name;
    }
  }
  const meanCosine = cosines / pairs.length;
  const result = {
    stage,
    count: pairs.length,
    maxDiff,
    minCosine,
    meanCosine,
    bound: "",
    ok: pairs.length > 0,
    where,
    share: 0,
  };
  if (demand.equal) {
    result.bound = "equal";
    result.ok &&= maxDiff === 0;
    result.share = maxDiff === 0 ? 0 : Infinity;
  }
  if (demand.maxDiff !== undefined) {
    result.bound = `<= ${demand.maxDiff}`;
    result.ok &&= maxDiff <= demand.maxDiff;
    result.share = maxDiff === 0 ? 0 : maxDiff / demand.maxDiff;
  }
  if (demand.rowCosine !== undefined) {
    result.bound = `cos >= ${demand.rowCosine}, mean >= ${demand.meanCosine}`;
    result.ok &&= minCosine >= demand.rowCosine && meanCosine >= demand.meanCosine;
    result.share = Math.max(
      (1 - minCosine) / (1 - demand.rowCosine),
      (1 - meanCosine) / (1 - demand.meanCosine),
    );
    result.where = worstCosineAt;
  }
  return result;
}

/** Infinity when lengths differ or anything is not a number. */
function maxDifference(got, expected) {
  if (got.length !== expected.length) return Infinity;
  let max = 0;
  for (let i = 0; i < got.length; ++i) {
    const diff = Math.abs(got[i] - expected[i]);
    if (!(diff <= max)) max = Number.isNaN(diff) ? Infinity : diff;
  }
  return max;
}

function cosine(a, b) {
  if (a.length !== b.length) return -1;
  let dot = 0,
    aa = 0,
    bb = 0;
  for (let i = 0; i < a.length; ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa === 0 && bb === 0 ? 1 : dot / Math.sqrt(aa * bb);
}
