#!/usr/bin/env node
// Makes the texts of the demo's second tab: the Unicode CLDR names of the emoji model's concepts, each in a
// few languages, so that one query finds the same thing said in several tongues.
//
//   node tools/gallery/texts.mjs

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installSources, readAnnotations, readConcepts, repositoryRoot } from "./packages.mjs";

const textsPerConcept = 3;
const languageStep = 11; // shares no factor with the number of languages, so the pairings keep changing
const languages = {
  ar: "Arabic", bg: "Bulgarian", bn: "Bengali", cs: "Czech", da: "Danish", de: "German", el: "Greek", en: "English",
  es: "Spanish", fa: "Persian", fi: "Finnish", fr: "French", he: "Hebrew", hi: "Hindi", hu: "Hungarian",
  id: "Indonesian", it: "Italian", ja: "Japanese", ko: "Korean", nl: "Dutch", pl: "Polish", pt: "Portuguese",
  ro: "Romanian", ru: "Russian", sv: "Swedish", ta: "Tamil", th: "Thai", tr: "Turkish", vi: "Vietnamese", zh: "Chinese",
};

const modules = installSources();
const codes = Object.keys(languages);
const annotations = new Map(codes.map((code) => [code, readAnnotations(modules, code)]));
const english = annotations.get("en");

const texts = [];
readConcepts().forEach((emoji, concept) => {
  for (let i = 0; i < textsPerConcept; i++) {
    const language = codes[(concept + i * languageStep) % codes.length];
    const text = annotations.get(language)[emoji]?.tts?.[0];
    if (!text) throw new Error(`CLDR has no name of ${emoji} in ${languages[language]}`);
    texts.push({ language, text, emoji, english: english[emoji].tts[0] });
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
