// Which limit bounds a layer, and what share of it is reached.
const SIMD_INT8 = "i32x4.dot_i16x8_s + i32x4.add";
// The arithmetic of each kind, best first where a build has it: what a product of 8-bit numbers may use, what one with 4-bit weights
// may use besides (its 16-bit sums have room for a block), one of 16-bit numbers, and float32. With 8 bits two products have room in 16 bits where a
// row's weights are normal, as the bench's are; where its largest are further out four have (src/nn/int8/acc16_weights.h).
const WAYS = {
  q8: [
    SIMD_INT8,
    "i32x4.relaxed_dot_i8x16_i7x16_add",
    "2 x i16x8.relaxed_dot_i8x16_i7x16, widened",
  ],
  q4: [
    SIMD_INT8,
    "i32x4.relaxed_dot_i8x16_i7x16_add",
    "8 x i16x8.relaxed_dot_i8x16_i7x16, widened, scaled",
  ],
  int16: [SIMD_INT8],
  f32: ["f32x4.mul + f32x4.add", "f32x4.relaxed_madd"],
};

/** The fastest of the ways of `kind` that were measured. */
export function peakFor(peaks, kind) {
  const possible = peaks.filter(({ name }) => WAYS[kind].includes(name));
  return possible.reduce((best, peak) => (peak.perSecond > best.perSecond ? peak : best));
}

/** Reading speed of the smallest measured size that holds `workingSet`, or of the largest. */
export function memoryFor(memory, workingSet) {
  return memory.find(({ bytes }) => bytes >= workingSet) ?? memory.at(-1);
}

/**
 * The least ms that `operator` can take, by arithmetic or by memory, whichever takes longer, and the share that is reached:
 * { ms, by, share, perSecond }. perSecond: operations, or bytes where none count.
 */
export function judge(operator, { peaks, memory }) {
  const memoryMs = (operator.bytes * 1e3) / memoryFor(memory, operator.workingSet).perSecond;
  const peak = operator.operations > 0 ? peakFor(peaks, operator.limit) : undefined;
  const arithmeticMs = peak ? (operator.operations * 1e3) / peak.perSecond : 0;
  const ms = Math.max(memoryMs, arithmeticMs);
  return {
    ms,
    by: arithmeticMs >= memoryMs ? peak.name : "memory",
    share: ms / operator.ms,
    perSecond: ((operator.operations || operator.bytes) * 1e3) / operator.ms,
  };
}

const giga = (perSecond) => (perSecond / 1e9).toFixed(1);

/** One measurement as lines; `markdown`: as tables. */
export function lines(figures, markdown = false) {
  const row = (cells) =>
    markdown
      ? `| ${cells.join(" | ")} |`
      : `${String(cells[0]).padEnd(44)} ${cells
          .slice(1)
          .map((cell) => String(cell).padStart(12))
          .join(" ")}`;
  const head = (cells) =>
    markdown ? [row(cells), row(cells.map((_, i) => (i ? "---:" : "---")))] : [row(cells)];
  const size = (bytes) => (bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`);
  return [
    ...head(["instructions, alone", "10⁹/s", "of"]),
    ...figures.peaks.map(({ name, unit, perSecond }) =>
      row([markdown ? `\`${name}\`` : name, giga(perSecond), unit]),
    ),
    ...figures.memory.map(({ bytes, perSecond }) =>
      row([`reading ${size(bytes)} again and again`, giga(perSecond), "GB/s"]),
    ),
    "",
    ...head(["layer", "ms", "10⁹/s", "share of limit", "limit"]),
    ...figures.operators.map((operator) => {
      const { by, share, perSecond } = judge(operator, figures);
      return row([
        operator.name,
        operator.ms.toFixed(3),
        giga(perSecond),
        `${(100 * share).toFixed(0)} %`,
        by === "memory" ? "memory" : markdown ? `\`${by}\`` : by,
      ]);
    }),
  ];
}
