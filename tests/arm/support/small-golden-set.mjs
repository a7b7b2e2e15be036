// tests/data/golden-a with a quarter of its short texts and one that is cut at 512 tokens: an emulated processor is slow.
import { fileURLToPath } from "node:url";
import { readGoldenSet } from "../../../tools/golden/golden-set.mjs";

const folder = fileURLToPath(new URL("../../data/golden-a", import.meta.url));
const SHORT = 64,
  EVERY = 4;

/** As readGoldenSet() gives it, with fewer texts. */
export function smallGoldenSet() {
  const { dir, expected, tensors } = readGoldenSet(folder);
  const cut = expected.max_length_512_rows[0];
  const kept = expected.texts.flatMap(({ ids }, row) =>
    row === cut || row === expected.hidden_text_row || (ids.length <= SHORT && row % EVERY === 0)
      ? [row]
      : [],
  );
  const smaller = new Map(
    [...tensors].map(([name, tensor]) => {
      if (/^text\.(document|query)\./.test(name)) return [name, rowsOf(tensor, kept)];
      if (name.startsWith("text.document_max_length_512.")) return [name, rowsOf(tensor, [0])];
      return [name, tensor];
    }),
  );
  return {
    dir,
    expected: {
      ...expected,
      texts: kept.map((row) => expected.texts[row]),
      hidden_text_row: kept.indexOf(expected.hidden_text_row),
      max_length_512_rows: [kept.indexOf(cut)],
    },
    tensors: smaller,
  };
}

function rowsOf({ shape, data, ...rest }, rows) {
  const length = data.length / shape[0];
  const picked = new data.constructor(rows.length * length);
  for (const [i, row] of rows.entries())
    picked.set(data.subarray(row * length, (row + 1) * length), i * length);
  return { ...rest, shape: [rows.length, ...shape.slice(1)], data: picked };
}
