#!/usr/bin/env node
// Makes the texts of the demo's second tab: the Unicode CLDR names of animals, plants, food and drink, each in a
// few languages, so that one query finds the same thing said in several tongues.
//
//   node tools/gallery/texts.mjs

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  installSources,
  languages,
  readConcepts,
  readGroups,
  readNames,
  repositoryRoot,
} from "./packages.mjs";

const groupNames = ["Animals & Nature", "Food & Drink"];
const textsPerConcept = 3;
const languageStep = 11; // shares no factor with the number of languages, so the pairings keep changing

const modules = installSources();
const codes = Object.keys(languages);
const names = new Map(codes.map((code) => [code, readNames(modules, code)]));
const concepts = readGroups(modules, readConcepts())
  .filter(({ name }) => groupNames.includes(name))
  .flatMap(({ emoji }) => emoji);

const texts = [];
concepts.forEach((emoji, concept) => {
  for (let i = 0; i < textsPerConcept; i++) {
    const language = codes[(concept + i * languageStep) % codes.length];
    const text = names.get(language).get(emoji);
    if (text) texts.push({ language, text, emoji, english: names.get("en").get(emoji) });
  }
});

const folder = join(repositoryRoot, "web-demo", "public", "texts");
mkdirSync(folder, { recursive: true });
const lines = texts.map((text) => `    ${JSON.stringify(text)}`).join(",\n");
writeFileSync(
  join(folder, "texts.json"),
  `{\n  "source": "Unicode CLDR 48.2.0, annotations",\n  "license": "Unicode-3.0",\n` +
    `  "languages": ${JSON.stringify(languages)},\n  "texts": [\n${lines}\n  ]\n}\n`,
);
console.log(`${texts.length} texts in ${codes.length} languages`);
