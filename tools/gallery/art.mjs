// One drawing for each emoji, as an SVG document with a square view and a margin: Noto Emoji where it has one,
// flag-icons for flags, and a few plain shapes of our own for what neither has.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { codePointKey, readJson, withoutSelector } from "./packages.mjs";

const margin = 0.06; // of the drawing's side, so that nothing touches the edge of its tile
const wideView = 4;

// These hold shapes far outside of their own frame, on which the renderer stops unless it sees those, too.
const drawnOutside = new Set(["package", "rainbow-flag"]);

// Flags that flag-icons keeps under another name. Ceuta and Melilla fly that of Spain.
const flagFiles = { ac: "sh-ac", ta: "sh-ta", ea: "es" };

const skinTones = {
  "1f3fb": "#fadcbc",
  "1f3fc": "#e0bb95",
  "1f3fd": "#bf8f68",
  "1f3fe": "#9b643d",
  "1f3ff": "#594539",
};
const strokes = 'fill="none" stroke="#424242" stroke-width="15" stroke-linecap="round"';
const dot = '<circle cx="64" cy="107" r="10" fill="#424242"/>';
// The flag of Sark, 4 × 3: the cross of Saint George, and two lions on red.
const lion = "M0 4c4-5 8-3 9 0h13c3-1 4-4 2-6c4 1 5 6 1 9l1 8h-4l-2-6h-9l-1 6h-4l1-8c-3 1-6 0-7-3z";
const sark =
  `<path fill="#fff" d="M0 16h128v96H0z"/><path fill="#ce1124" d="M0 16h55v39h73v18H73v39H55V73H0z M73 16v39H55z"/><path fill="#ce1124" d="M55 16h18v96H55zM0 55h128v18H0z"/>` +
  `<path fill="#fdd116" d="${lion}" transform="translate(12 20)"/><path fill="#fdd116" d="${lion}" transform="translate(12 38)"/>` +
  '<path fill="none" stroke="#000" stroke-opacity="0.18" d="M0.5 16.5h127v95H0.5z"/>';
const ownDrawings = {
  "1f1e8-1f1f6": sark,
  21: `<path ${strokes} d="M64 18v60"/>${dot}`,
  "3f": `<path ${strokes} d="M39 42c0-16 11-25 25-25s25 9 25 24c0 20-25 19-25 38"/>${dot}`,
  "2a": `<path ${strokes} d="M64 34v60M38 49l52 30M90 49L38 79"/>`,
  ...Object.fromEntries(
    Object.entries(skinTones).map(([key, colour]) => [
      key,
      `<rect x="14" y="14" width="100" height="100" rx="24" fill="${colour}"/>`,
    ]),
  ),
};

function square(body, width, height, view = 1) {
  const side = Math.max(width, height) * (1 + 2 * margin) * view;
  const clipped =
    view === 1
      ? `<svg x="0" y="0" width="${width}" height="${height}" overflow="hidden">${body}</svg>`
      : body;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${(width - side) / 2} ${(height - side) / 2} ${side} ${side}">${clipped}</svg>`;
}

/** The flag's file name without its ending, or undefined for what is no flag of a region. */
function flagName(emoji) {
  const letters = Array.from(emoji, (character) => character.codePointAt(0));
  if (letters.every((code) => code >= 0x1f1e6 && code <= 0x1f1ff) && letters.length === 2) {
    const region = letters.map((code) => String.fromCharCode(code - 0x1f1e6 + 97)).join("");
    return flagFiles[region] ?? region;
  }
  if (letters[0] !== 0x1f3f4 || letters.at(-1) !== 0xe007f) return undefined;
  const tag = letters
    .slice(1, -1)
    .map((code) => String.fromCharCode(code - 0xe0000))
    .join("");
  return `${tag.slice(0, 2)}-${tag.slice(2)}`;
}

/** A flag of 4 × 3 in a hair line, so that white ones do not end in the white around them. */
function flag(modules, name) {
  const body = readFileSync(join(modules, "flag-icons", "flags", "4x3", `${name}.svg`), "utf8");
  const frame =
    '<rect x="0.5" y="0.5" width="127" height="95" fill="none" stroke="#000" stroke-opacity="0.18"/>';
  return square(body.replace("<svg", '<svg width="128" height="96"') + frame, 128, 96);
}

/**
 * @returns {(emoji: string) => { svg: string, view: number, source: "noto" | "flag-icons" | "own" }}
 *   view: how many times wider than the picture the drawing is shown; the picture is its middle
 */
export function openArt(modules) {
  const icons = readJson(modules, "@iconify-json/noto", "icons.json");
  const characters = readJson(modules, "@iconify-json/noto", "chars.json");
  const names = new Map();
  for (const [codes, name] of Object.entries(characters)) {
    const emoji = withoutSelector(
      codes
        .split("-")
        .map((code) => String.fromCodePoint(parseInt(code, 16)))
        .join(""),
    );
    if (!names.has(emoji)) names.set(emoji, name);
  }
  return (emoji) => {
    const name = names.get(emoji);
    const icon = icons.icons[name] ?? icons.icons[icons.aliases?.[name]?.parent];
    if (icon) {
      const view = drawnOutside.has(name) ? wideView : 1;
      return {
        svg: square(icon.body, icon.width ?? icons.width, icon.height ?? icons.height, view),
        view,
        source: "noto",
      };
    }
    const own = ownDrawings[codePointKey(emoji)];
    if (own) return { svg: square(own, 128, 128), view: 1, source: "own" };
    const region = flagName(emoji);
    if (region) return { svg: flag(modules, region), view: 1, source: "flag-icons" };
    throw new Error(`nobody has a drawing of ${emoji} (${codePointKey(emoji)})`);
  };
}
