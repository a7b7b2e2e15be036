// What is measured: the shapes, and which systems meet at one of them.

/** A case: `lengths`, the tokens of each text of one call; or `images`, the pictures of one call. */
export const CASES = [
  { name: "8", tower: "text", lengths: [8] },
  { name: "16", tower: "text", lengths: [16] },
  { name: "32", tower: "text", lengths: [32] },
  { name: "128", tower: "text", lengths: [128] },
  { name: "512", tower: "text", lengths: [512] },
  { name: "16x8", tower: "text", lengths: Array(16).fill(8) },
  { name: "8x32", tower: "text", lengths: Array(8).fill(32) },
  { name: "mixed", tower: "text", lengths: [6, 9, 14, 21, 33, 50, 77, 118] },
  { name: "image", tower: "vision", images: 1 },
];

export const PLACES = ["chromium", "node", "native"];
export const OURS = ["simd", "relaxed-simd"];

/**
 * The meetings of a run, each a set of systems that take turns: [{ place, dtype, tower, threads, systems, cases }]. A system is
 * { name, kind, variant?, dist? }; the peer comes last. With `bases` each build of ours meets the same build of those folders. `variants` of ours are without "-threads".
 */
export function plan({ places, dtypes, threads, variants, cases, bases = [] }) {
  const meetings = [];
  for (const place of places) {
    for (const dtype of dtypes) {
      for (const tower of ["text", "vision"]) {
        const own = CASES.filter((one) => one.tower === tower && cases.includes(one.name));
        if (own.length === 0) continue;
        for (const count of threads)
          for (const systems of systemsOf(place, variants, count, bases))
            meetings.push({ place, dtype, tower, threads: count, systems, cases: own });
      }
    }
  }
  return meetings;
}

function systemsOf(place, variants, threads, bases) {
  if (place === "native")
    return [
      [
        { name: "native", kind: "native" },
        { name: "onnxruntime-node", kind: "peer-native" },
      ],
    ];
  const ours = variants.map((variant) => ({
    name: variant,
    kind: "ours",
    variant: threads === 1 ? variant : `${variant}-threads`,
  }));
  if (bases.length > 0)
    return ours.map((system) => [
      system,
      ...bases.map((_, i) => ({ ...system, name: `base ${i + 1}`, dist: `base-${i + 1}` })),
    ]);
  return [[...ours, { name: "onnxruntime-web", kind: "peer" }]];
}

/** The order of the turns of one round: each round begins with another system, and every second goes backwards. */
export function turns(count, round) {
  const order = Array.from({ length: count }, (_, i) => (i + Math.floor(round / 2)) % count);
  return round % 2 === 0 ? order : order.reverse();
}

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b),
    middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Paired ratios peer / ours: { median, least, most }. */
export function ratiosOf(ours, peer) {
  const all = ours.map((value, i) => peer[i] / value);
  return { median: median(all), least: Math.min(...all), most: Math.max(...all) };
}
