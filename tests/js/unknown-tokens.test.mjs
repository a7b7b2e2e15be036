// Embedding.unknownTokens from the real engine: whoever searches for what the model has no tokens for can tell.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { load } from "clipglot";

let embedder;
before(async () => {
  embedder = await load({
    model: fileURLToPath(new URL("../../models/emoji", import.meta.url)),
    variant: "simd",
    towers: ["text"],
  });
});
after(() => embedder.dispose());

// No writing system that is alive, so that no model of emoji learns it one day.
const glyph = "\u{13080}";

test("a text of nothing known, of something known, of everything known", async () => {
  const only = await embedder.embedText(glyph);
  assert.deepEqual([only.unknownTokens, only.tokens, only.totalTokens], [1, 4, 4]); // with beginning, end, and the word's beginning
  assert.equal((await embedder.embedText(`${glyph} ${glyph}`)).unknownTokens, 2);
  const mixed = await embedder.embedText(`cat ${glyph}`);
  assert.equal(mixed.unknownTokens, 1);
  for (const text of ["", "cat", "고양이", "Katze und Hund"])
    assert.equal((await embedder.embedText(text)).unknownTokens, 0, text);
});

test("what was cut off is not counted", async () => {
  const text = `cat ${`${glyph} `.repeat(5)}`;
  const whole = await embedder.embedText(text);
  assert.equal(whole.unknownTokens, 5);
  const cut = await embedder.embedText(text, { maxTokens: 6 });
  assert.deepEqual([cut.truncated, cut.tokens], [true, 6]);
  assert.ok(cut.unknownTokens < 5 && cut.unknownTokens > 0, `${cut.unknownTokens}`);
});

test("of many texts, each has its own count", async () => {
  const texts = ["cat", glyph, "", `${glyph} cat ${glyph}`, ...Array(70).fill("dog"), glyph];
  const { unknownTokens, count } = await embedder.embedTexts(texts);
  assert.equal(count, texts.length);
  assert.deepEqual(
    unknownTokens,
    texts.map((text) => text.split(glyph).length - 1),
  );
});

test("different texts of nothing known have one and the same vector, which is why it is said", async () => {
  const [a, b] = await Promise.all([embedder.embedText(glyph), embedder.embedText("\u{13081}")]);
  assert.deepEqual(a.vector, b.vector);
});
