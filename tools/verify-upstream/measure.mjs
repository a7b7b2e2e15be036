// Embeds what the published numbers are about, and compares.
import { IMAGES, INSTRUCTED, PLAIN, QUERY, SENTENCES, TOKENS, TOLERANCES } from "./published.mjs";

/**
 * `text`, `vision`: functions that give an open engine (tools/lib/direct-engine.mjs); called one after the other, and each engine is
 * disposed, so that two towers in float32 need not fit into memory together. `images`: { beach1, beach2 } bytes of the files, or
 * undefined. Gives { ids, cosines: Map of name → number }; without images, only the texts' cosines.
 */
export async function measure({ text, vision, images }) {
  const vectors = new Map();
  let ids;
  const withEngine = async (open, use) => {
    const engine = await open();
    try {
      use(engine);
    } finally {
      engine.dispose();
    }
  };
  await withEngine(text, (engine) => {
    ids = [...engine.traced(() => engine.embedText(TOKENS.text)).stages.get("ids").data];
    vectors.set("query", engine.embedText(QUERY).vector);
    vectors.set("instructed query", engine.embedText(QUERY, { task: "retrieval.query" }).vector);
    for (const [language, sentence] of Object.entries(SENTENCES))
      vectors.set(language, engine.embedText(sentence).vector);
  });
  if (images) {
    await withEngine(vision, (engine) => {
      for (const name of Object.keys(IMAGES))
        vectors.set(name, engine.embedImage(images[name], { ignoreOrientation: true }).vector);
    });
  }
  const cosines = new Map();
  for (const name of new Set([...Object.keys(PLAIN), ...Object.keys(INSTRUCTED)])) {
    const [a, b] = name.split(" · ").map((part) => vectors.get(part));
    if (a && b) cosines.set(name, dot(a, b));
  }
  return { ids, cosines };
}

/** [{ what, found, expected, bound, ok }], and the same of anything that was measured before (`published` in its form). */
export function compare(
  { ids, cosines },
  dtype,
  published = { ids: TOKENS.ids, PLAIN, INSTRUCTED },
) {
  const rows = [
    {
      what: `tokens of "${TOKENS.text}"`,
      found: ids.join(" "),
      expected: published.ids.join(" "),
      bound: "equal",
      ok: ids.join() === published.ids.join(),
    },
  ];
  const add = (what, expected, bound) => {
    if (!cosines.has(what)) return;
    const found = cosines.get(what);
    rows.push({ what, found, expected, bound, ok: Math.abs(found - expected) <= bound });
  };
  for (const [what, expected] of Object.entries(published.PLAIN)) {
    add(what, expected, TOLERANCES[dtype][/beach/.test(what) ? "image" : "text"]);
  }
  for (const [what, expected] of Object.entries(published.INSTRUCTED)) {
    if (what.startsWith("instructed")) add(what, expected, TOLERANCES.instructed);
  }
  return rows;
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
