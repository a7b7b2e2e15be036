// The emoji model reads the emoji themselves: every form that a keyboard or a page may give is known, finds its own picture,
// and is the same text with and without variation selectors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { openEngine } from "../../tools/lib/direct-engine.mjs";
import { readSafetensors } from "../../tools/lib/safetensors.mjs";
import { filesBeside } from "../../tools/emoji/report.mjs";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const folder = join(repository, "models/emoji");
const readJson = (path) => JSON.parse(readFileSync(join(repository, path), "utf8"));
const selector = "\ufe0f";
const concepts = readJson("models/emoji/concepts.json");
const { vocab } = readJson("models/emoji/tokenizer.json").model;
const file = join(folder, "gallery/vectors.safetensors");
const head = readFileSync(file);
const order = JSON.parse(
  JSON.parse(head.subarray(8, 8 + Number(head.readBigUInt64LE(0)))).__metadata__.emoji,
);
const {
  data,
  shape: [count, size],
} = readSafetensors(file).get("pictures");

const dot = (a, b, atA = 0, atB = 0) => {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += a[atA + i] * b[atB + i];
  return sum;
};
const same = (a, b) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  );

/** How many pictures of the gallery a vector finds before that of `emoji`. */
function rankOf(vector, emoji) {
  const right = dot(vector, data, 0, order.indexOf(emoji) * size);
  let better = 0;
  for (let row = 0; row < count; row++) if (dot(vector, data, 0, row * size) > right) better++;
  return better;
}

/** A selector after every character that may have one, as an over-eager keyboard would put them. */
const selected = (emoji) =>
  [...emoji]
    .map((c) =>
      /\p{Emoji}/u.test(c) && !/[\u{1f3fb}-\u{1f3ff}]|\p{Regional_Indicator}/u.test(c)
        ? c + selector
        : c,
    )
    .join("");

for (const [dtype, place] of [
  ["q8", { folder }],
  ["q4", { files: filesBeside(folder, "q4") }],
]) {
  describe(dtype, () => {
    let engine;
    before(async () => {
      engine = await openEngine({ variant: "simd", towers: ["text"], ...place });
    });
    after(() => engine.dispose());
    const read = (text) => engine.embedText(text);

    test("no emoji is an unknown token", () => {
      const tones = /[\u{1f3fb}-\u{1f3ff}]/u;
      const pieces = vocab
        .map(([piece]) => piece)
        .filter(
          (piece) =>
            /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3|[\u{e0020}-\u{e007f}]/u.test(
              piece,
            ) || tones.test(piece),
        );
      assert.ok(pieces.length > 4000);
      for (const piece of [...concepts, ...pieces]) {
        const emoji = piece.replace("▁", "");
        for (const text of [
          emoji,
          selected(emoji),
          `x${emoji}`,
          `${emoji} ${emoji}`,
          `${emoji}\u200d${emoji}`,
        ])
          assert.equal(read(text).unknownTokens, 0, JSON.stringify(text));
      }
      // Every emoji that this Node's Unicode knows, in the list or not.
      for (let c = 0x80; c < 0x20000; c++) {
        const text = String.fromCodePoint(c >= 0xd800 && c < 0xe000 ? 0x1f408 : c);
        if (/\p{Emoji}/u.test(text))
          assert.equal(read(text).unknownTokens, 0, `U+${c.toString(16)}`);
      }
    });

    test("each finds its own picture, and no two are one", () => {
      const vectors = concepts.map((emoji) => read(emoji).vector);
      const first = vectors.filter((vector, i) => rankOf(vector, concepts[i]) === 0).length;
      assert.ok(first >= 0.95 * concepts.length, `${first} of ${concepts.length}`);
      for (let a = 0; a < vectors.length; a++)
        for (let b = 0; b < a; b++)
          assert.ok(dot(vectors[a], vectors[b]) < 0.9, `${concepts[a]} ${concepts[b]}`);
    });

    test("selectors change nothing, nor does a skin tone", () => {
      for (const emoji of concepts) {
        const { vector } = read(emoji);
        assert.ok(same(read(selected(emoji)).vector, vector), `${emoji} with selectors`);
        assert.ok(same(read(`${emoji}\ufe0e`).vector, vector), `${emoji} as text`);
      }
      for (const [a, b] of [
        ["👍🏽", "👍"],
        ["👍🏿", "👍"],
        ["☝🏽", "☝️"],
        ["🧑🏽‍🚀", "🧑‍🚀"],
        ["🏃🏾‍♀️‍➡️", "🏃‍♀‍➡"],
        ["⛹🏻‍♂", "⛹️‍♂️"],
        ["👩🏽‍❤️‍💋‍👨🏿", "👩‍❤‍💋‍👨"],
        ["🫱🏻‍🫲🏿", "🤝"],
      ]) {
        assert.ok(same(read(a).vector, read(b).vector), `${a} ${b}`);
      }
    });

    test("forms of all kinds find the right picture first", () => {
      const forms = {
        "❤": ["❤", "❤️", "❤︎", "red heart ❤️"],
        "☎": ["☎️", "☎"],
        "1⃣": ["1️⃣", "1⃣"],
        "#⃣": ["#️⃣", "#⃣"],
        "🇰🇷": ["🇰🇷"],
        "🇩🇪": ["🇩🇪", "🇩🇪🇩🇪"],
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿": ["🏴󠁧󠁢󠁥󠁮󠁧󠁿"],
        "🏴": ["🏴", "🏴󠁵󠁳󠁴󠁸󠁿"],
        "🏳‍🌈": ["🏳️‍🌈", "🏳‍🌈"],
        "👁‍🗨": ["👁️‍🗨️", "👁‍🗨️", "👁‍🗨"],
        "👨‍👩‍👧": ["👨‍👩‍👧"],
        "Ⓜ": ["Ⓜ️", "Ⓜ"],
        "㊗": ["㊗️", "㊗"],
        "™": ["™️", "™"],
        "👍": ["👍", "👍🏽", "👍 👍"],
        "🐈": ["🐈", "a 🐈 on the sofa", "猫🐈", "🐈🐈🐈", "a photo of a 🐈", "🐈🏽"],
        "🍕": ["🍕", "I love 🍕", "I love🍕"],
        "🐈‍⬛": ["🐈‍⬛"],
      };
      for (const [emoji, texts] of Object.entries(forms))
        for (const text of texts) assert.equal(rankOf(read(text).vector, emoji), 0, text);
    });
  });
}

test("ids are those of Hugging Face's fast tokenizer", async () => {
  const engine = await openEngine({ variant: "simd", towers: ["text"], folder });
  try {
    for (const [text, ids] of readJson("tests/data/tokenizer/emoji-cases.json")) {
      assert.deepEqual(
        [...engine.traced((traced) => traced.embedText(text)).stages.get("ids").data],
        ids,
        JSON.stringify(text),
      );
    }
  } finally {
    engine.dispose();
  }
});
