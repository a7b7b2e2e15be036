// The results in the model card (models/emoji/README.md): tables between two marks, filled from models/emoji/report.json.
//   node tools/emoji/card.mjs        fills them again
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runMain, SetupError } from "../setup/log.mjs";
import { emojiFolder } from "./eval-set.mjs";

const begin = "<!-- results: written by `npm run emoji-report` -->";
const end = "<!-- end of results -->";

const names = { twemoji: "Twemoji", emojione: "EmojiOne", openmoji: "OpenMoji" };
const cells = (recalls) => (recalls ?? []).map((value) => value.toFixed(1)).join(" / ");
const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** The tables of a report's summary, as Markdown. */
export function results({
  date,
  machine,
  engine,
  pack,
  dtypes,
  pictureToText,
  textToText,
  keywords,
  nearest,
  canaries,
  concepts,
  listed,
}) {
  const shipped = dtypes[pack.dtype];
  const styles = Object.keys(shipped);
  const sizes = Object.keys(shipped[styles[0]])
    .map(Number)
    .sort((a, b) => b - a);
  const [full] = sizes;
  const of = (read) => styles.map((style) => cells(read(style)));
  const worst = new Map(styles.map((style) => [style, shipped[style][full].worst]));
  const rows = [
    ["text → picture, English", ...of((style) => shipped[style][full].en)],
    ["emoji character → picture", ...of((style) => shipped[style][full].emoji)],
    ...sizes
      .slice(1)
      .map((size) => [
        `emoji character, ${size} dimensions`,
        ...of((style) => shipped[style][size].emoji),
      ]),
    [`mean of ${listed} listed languages`, ...of((style) => shipped[style][full].listed)],
    ["mean of the main languages", ...of((style) => shipped[style][full].top)],
    ["mean of other languages", ...of((style) => shipped[style][full].others)],
    [
      "worst listed language",
      ...styles.map((style) => `${worst.get(style)[0]}: ${cells(worst.get(style).slice(1))}`),
    ],
    ...sizes
      .slice(1)
      .map((size) => [`listed, ${size} dimensions`, ...of((style) => shipped[style][size].listed)]),
    ["picture → text, mean of 12 languages", ...of((style) => pictureToText[style].mean)],
    ...Object.keys(keywords[styles[0]]).map((kind) => [
      `keyword, ${kind}`,
      ...of((style) => keywords[style][kind]),
    ]),
    ["nearest training picture, our vectors", ...of((style) => nearest[style].pictures)],
    ["nearest training picture, 16 × 16 pixels", ...of((style) => nearest[style].pixels)],
  ];
  const others = Object.keys(dtypes).filter((dtype) => dtype !== pack.dtype);
  // The most that a mean of the listed languages falls, over styles and recalls.
  const loss = (dtype) =>
    Math.max(
      0,
      ...styles.flatMap((style) =>
        shipped[style][full].listed.map((value, i) => value - dtypes[dtype][style][full].listed[i]),
      ),
    );
  const inStyles = (read) =>
    styles.map((style) => `${names[style] ?? style} ${cells(read(style))}`).join(", ");
  return [
    `Measured on ${date} (${machine}; ${engine}) on the pack as it is shipped (${pack.dtype}, revision with sha256 \`${pack.sha256.slice(0, 12)}…\`), over all ${concepts} concepts, on art that was ` +
      "never trained. R@1 / R@5 / R@10 in percent.",
    table(["", ...styles.map((style) => names[style] ?? style)], rows),
    "Text → text, R@1 / R@5 / R@10: " +
      Object.entries(textToText)
        .map(
          ([pair, recalls]) =>
            `${pair.replace("->", " → ")} ${cells(recalls.slice(0, -1))} of ${recalls.at(-1)}`,
        )
        .join("; ") +
      ".",
    ...(others.length === 0
      ? []
      : [
          `Listed languages at other number formats: ${[pack.dtype, ...others].map((dtype) => `${dtype} ${inStyles((style) => dtypes[dtype][style][full].listed)}`).join("; ")}.` +
            (others.includes("q4")
              ? ` q4 is the pack of \`clipglot-emoji/q4\`: next to ${pack.dtype} it loses at most ${loss("q4").toFixed(2)} points of these.`
              : ""),
          `The emoji themselves at other number formats: ${others.map((dtype) => `${dtype} ${inStyles((style) => dtypes[dtype][style][full].emoji)}`).join("; ")}.`,
        ]),
    "A cat in the first three, of all pictures of a style: " +
      styles
        .map((style) => {
          const found = Object.entries(canaries[style].cats);
          const missed = found.filter(([, good]) => !good).map(([text]) => text);
          return `${names[style] ?? style} ${found.length - missed.length} of ${found.length}${missed.length ? ` (not: ${missed.join(", ")})` : ""}`;
        })
        .join("; ") +
      ".",
    table(
      ["query", ...styles.map((style) => names[style] ?? style)],
      Object.keys(canaries[styles[0]].top).map((text) => [
        text,
        ...styles.map((style) => canaries[style].top[text].join(" ")),
      ]),
    ),
  ].join("\n\n");
}

/** Puts the results between the marks of the card. */
export function fillCard(report, file = join(emojiFolder, "README.md")) {
  const card = readFileSync(file, "utf8");
  const from = card.indexOf(begin),
    to = card.indexOf(end);
  if (from < 0 || to < from) throw new SetupError(`${file}: no place for the results`);
  writeFileSync(
    file,
    `${card.slice(0, from + begin.length)}\n\n${results(report)}\n\n${card.slice(to)}`,
  );
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  await runMain(() => fillCard(JSON.parse(readFileSync(join(emojiFolder, "report.json"), "utf8"))));
}
