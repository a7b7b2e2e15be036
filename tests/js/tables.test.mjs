// What exists on both sides of the border says the same on both.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { engineCodes } from "../../dist/js/errors.js";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("error codes: src/base/status.h and js/src/errors.ts", () => {
  const header = read("src/base/status.h");
  const numbers = [...header.matchAll(/^ {2}k(\w+) = (\d+),/gm)].map(([, name, number]) => [
    Number(number),
    kebab(name),
  ]);
  assert.ok(numbers.length >= 12);
  assert.deepEqual(
    numbers,
    engineCodes.map((code, i) => [i, code]),
  );
});

test("names of error codes: src/base/status.cc", () => {
  const names = [
    ...read("src/base/status.cc").matchAll(/case Code::k(\w+):\s+return "([a-z-]+)"/g),
  ].map(([, , name]) => name);
  assert.deepEqual(names, [...engineCodes]);
});

test("bound names: wasm/*_bindings.cc, bindings.cc and what TypeScript declares of the two kinds of module", () => {
  assert.deepEqual(
    {
      ...bound(read("wasm/common_bindings.cc"), "BaseModule"),
      ...bound(read("wasm/bindings.cc"), "EngineModule"),
      ...bound(read("wasm/convert_bindings.cc"), "ConvertModule"),
    },
    declared(
      read("js/src/worker/engine-module.d.ts"),
      read("js/src/worker/convert/convert-module.d.ts"),
      read("js/src/shared/protocol.ts"),
    ),
  );
});

function kebab(name) {
  return name.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

// Name of each bound class and value object → its members, and `module` → the free functions.
function bound(source, module) {
  const table = {};
  for (const [, answer, name, body] of source.matchAll(
    /(Answer\()?(?:value_object|class_)<\w+>\("(\w+)"\)([^;]*);/g,
  ))
    table[name] = [
      ...(answer ? ["code", "detail"] : []),
      ...[...body.matchAll(/\.(?:field|function)\("(\w+)"/g)].map(([, member]) => member),
    ].sort();
  table[module] = [...source.matchAll(/^ {2}function\("(\w+)"/gm)].map(([, name]) => name).sort();
  return table;
}

// `protocol` declares what messages carry into the module unchanged: the settings of texts and images.
function declared(engine, convert, protocol) {
  const modules = membersOf(`${engine}\n${convert}`);
  const { TextSettings, ImageSettings } = membersOf(protocol);
  const table = { ...modules, TextOptions: TextSettings, ImageOptions: ImageSettings };
  for (const name of ["Handle", "ModuleSettings"]) delete table[name];
  return table;
}

// Name of each interface → its members and those of its bases, without classes, memory, and what all handles and modules have.
function membersOf(source) {
  const own = {};
  const bases = {};
  for (const [, name, base, body] of source.matchAll(
    /export interface (\w+)(?: extends (\w+))? \{([^}]*(?:\{[^}]*\}[^}]*)*)\n\}/g,
  )) {
    bases[name] = base;
    own[name] = [...body.matchAll(/^ {2}(?:readonly (?!\w+: (?:new|\{)))?(\w+)[(:]/gm)].map(
      ([, member]) => member,
    );
  }
  const members = (name) => [
    ...own[name],
    ...(["Handle", "BaseModule", undefined].includes(bases[name]) ? [] : members(bases[name])),
  ];
  return Object.fromEntries(Object.keys(own).map((name) => [name, members(name).sort()]));
}
