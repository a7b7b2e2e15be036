// Finds emoji pictures by a word in any language, in Node:
//   node examples/node-search/search.mjs 고양이
// Run `npm run build` first. The same code runs in a browser, with URLs instead of paths.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { load } from "clipglot";

const here = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const query = process.argv.slice(2).join(" ");
if (!query) {
  console.error("usage: node examples/node-search/search.mjs WORDS");
  process.exit(2);
}

const gallery = JSON.parse(await readFile(here("web-demo/public/gallery/gallery.json"), "utf8")).pictures;
const embedder = await load({ model: here("models/emoji") });
const files = await Promise.all(gallery.map(({ file }) => readFile(here(`web-demo/public/gallery/${file}`))));
const pictures = await embedder.embedImages(files);

const index = await embedder.createIndex({ dimensions: pictures.dimensions });
await index.add(gallery.map(({ emoji }, i) => ({ id: emoji, vector: pictures.row(i) })));

const { vector, milliseconds } = await embedder.embedText(query);
const hits = await index.search(vector, { k: 5 });
console.log(hits.map(({ id, score }) => `${id}  ${score.toFixed(3)}`).join("\n"));
console.log(`${milliseconds.toFixed(1)} ms for the query, ${embedder.info.variant}, ${embedder.info.threads} threads`);
await embedder.dispose();
