// The report's tables for people, on standard output.
const say = (line = "") => process.stdout.write(`${line}\n`);
const cells = (recalls) => (recalls ?? []).map((value) => value.toFixed(1).padStart(6)).join("");

/** Prints what report.mjs has found. */
export function printReport(report) {
  const { dtypes, pack } = report;
  const shipped = dtypes[pack.dtype];
  say(
    `${pack.modelId}, ${pack.dtype}, ${(pack.bytes / 1e6).toFixed(2)} MB, ${report.concepts} concepts, ${report.listed.length} listed languages; ${report.engine}`,
  );
  for (const [style, bySize] of Object.entries(shipped)) {
    const [full] = Object.keys(bySize)
      .map(Number)
      .sort((a, b) => b - a);
    say(`\n${style}: text -> picture                 R@1   R@5  R@10`);
    const row = (name, recalls) => say(`  ${name.padEnd(34)}${cells(recalls)}`);
    const { en, listed, top, others, worst, emoji } = bySize[full];
    row("en", en);
    row("emoji characters", emoji);
    row("mean of the listed languages", listed);
    row("mean of the main languages", top);
    row("mean of other languages", others);
    row(`worst listed language (${worst[0]})`, worst.slice(1));
    for (const size of Object.keys(bySize)
      .map(Number)
      .filter((size) => size !== full)
      .sort((a, b) => b - a)) {
      const kept = (name) => (100 * bySize[size][name][2]) / bySize[full][name][2];
      row(`${size} dimensions, en (${kept("en").toFixed(1)} % of R@10)`, bySize[size].en);
      row(`${size} dimensions, emoji (${kept("emoji").toFixed(1)} %)`, bySize[size].emoji);
      row(`${size} dimensions, listed (${kept("listed").toFixed(1)} %)`, bySize[size].listed);
    }
    row("picture -> text, mean", report.pictureToText[style].mean);
    row("picture -> text, en", report.pictureToText[style].en);
    for (const [kind, recalls] of Object.entries(report.keywords[style]))
      row(`keyword: ${kind}`, recalls);
    row("nearest training picture", report.nearest[style].pictures);
    row("nearest 16 x 16 pixels", report.nearest[style].pixels);
  }
  say("\ntext -> text                             R@1   R@5  R@10");
  for (const [pair, [...recalls]] of Object.entries(report.textToText))
    say(`  ${`${pair} of ${recalls.pop()}`.padEnd(34)}${cells(recalls)}`);
  say("\ndtypes, listed (all lengths: full report)  R@1   R@5  R@10");
  for (const [dtype, styles] of Object.entries(dtypes))
    for (const [style, bySize] of Object.entries(styles)) {
      const size = Math.max(...Object.keys(bySize).map(Number));
      say(
        `  ${`${dtype} ${style}`.padEnd(34)}${cells(bySize[size].listed)}   en${cells(bySize[size].en)}   emoji${cells(bySize[size].emoji)}`,
      );
    }
  for (const [style, { cats, top }] of Object.entries(report.canaries)) {
    const good = Object.values(cats).filter(Boolean).length;
    say(`\n${style}: a cat in the first three for ${good} of ${Object.keys(cats).length}`);
    for (const [text, emoji] of Object.entries(top)) say(`  ${text}: ${emoji.join(" ")}`);
  }
  say();
}
