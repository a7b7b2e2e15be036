// Finds emoji pictures by a word in any language, in Node:
//   node examples/node-search/search.mjs 고양이
//   node examples/node-search/search.mjs --group "Animals & Nature" cat     of one group of emoji only, which is quicker
// Run `npm run build` first. The same code runs in a browser, with URLs instead of paths.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { load } from "clipglot";

const here = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const {
  values: { group },
  positionals,
} = parseArgs({ options: { group: { type: "string" } }, allowPositionals: true });
const query = positionals.join(" ");
if (!query) {
  console.error("usage: node examples/node-search/search.mjs [--group NAME] WORDS");
  process.exit(2);
}

// The pictures of the demo page: PNG files that lie in a few archives, stored as they are.
const gallery = JSON.parse(await readFile(here("web-demo/public/gallery/gallery.json"), "utf8"));
const archives = await Promise.all(
  gallery.archives.map((name) => readFile(here(`web-demo/public/gallery/${name}`))),
);
const groups = gallery.groups.flatMap(({ name, count }) => Array(count).fill(name));
const pictures = gallery.pictures.filter((_, i) => group === undefined || groups[i] === group);
if (pictures.length === 0) {
  console.error(
    `there is no group ${group}; there are: ${gallery.groups.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}

const embedder = await load({ model: here("models/emoji") });
const batch = await embedder.embedImages(
  pictures.map(([, archive, offset, length]) =>
    archives[archive].subarray(offset, offset + length),
  ),
);
const index = await embedder.createIndex({ dimensions: batch.dimensions });
await index.add(pictures.map(([emoji], i) => ({ id: emoji, vector: batch.row(i) })));

const { vector, milliseconds, tokens, unknownTokens } = await embedder.embedText(query);
const hits = await index.search(vector, { k: 5 });
console.log(hits.map(({ id, score }) => `${id}  ${score.toFixed(3)}`).join("\n"));
// The beginning and the end of a text are tokens, too.
if (unknownTokens > 0 && unknownTokens >= tokens - 2)
  console.log("The model knows nothing of this text: what was found is chance.");
console.log(
  `${milliseconds.toFixed(1)} ms for the query, ${embedder.info.variant}, ${embedder.info.threads} threads`,
);
await embedder.dispose();
