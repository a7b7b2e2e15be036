// node tests/js/support/make-q4-vectors.mjs — writes tests/data/golden-a/expected.q4.json: vectors of some texts and of all
// pictures at q4, by the simd build. To be run again only when the quantiser changes; tests/native/engine/q4_test.cc
// judges what they are worth.
import { readFileSync, writeFileSync } from "node:fs";
import { openEngine } from "../../../tools/lib/direct-engine.mjs";
import { goldenFolder } from "./suite-runner.mjs";

const { texts, images } = JSON.parse(readFileSync(`${goldenFolder}/expected.json`, "utf8"));
const engine = await openEngine({ variant: "simd", folder: goldenFolder, dtype: "q4" });
const numbers = ({ vector }) => [...vector].map((value) => Number(value.toFixed(7)));
const out = {
  texts: Object.fromEntries(
    texts
      .filter(({ ids }, i) => ids.length <= 512 && i % 4 === 0)
      .map(({ name, text }) => [name, numbers(engine.embedText(text))]),
  ),
  images: Object.fromEntries(
    images.map(({ file }) => [
      file,
      numbers(
        engine.embedImage(readFileSync(`${goldenFolder}/images/${file}`), {
          ignoreOrientation: true,
        }),
      ),
    ]),
  ),
};
engine.dispose();
const lines = (table) =>
  Object.entries(table)
    .map(([name, vector]) => `  ${JSON.stringify(name)}: ${JSON.stringify(vector)}`)
    .join(",\n");
writeFileSync(
  `${goldenFolder}/expected.q4.json`,
  `{"texts": {\n${lines(out.texts)}\n}, "images": {\n${lines(out.images)}\n}}\n`,
);
