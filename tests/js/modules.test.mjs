// The modules are what their names say: instructions, sizes, what they ask of the outside.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { variants } from "../../dist/js/shared/variants.js";
import {
  atomicInstructions,
  countInstructions,
  relaxedInstructions,
  simdInstructions,
} from "./support/wasm-code.mjs";

// The converter's are of the deterministic variants.
const modules = {
  ...variants,
  convert: variants.simd,
  "convert-threads": variants["simd-threads"],
};
for (const [variant, { relaxedSimd, threads }] of Object.entries(modules)) {
  const file = (ending) =>
    readFileSync(new URL(`../../dist/wasm/clipglot-${variant}.${ending}`, import.meta.url));

  test(`${variant}: SIMD, ${relaxedSimd ? "" : "no "}relaxed SIMD, ${threads ? "" : "no "}shared memory`, () => {
    const code = countInstructions(file("wasm"));
    assert.ok(code.functions > 100);
    assert.ok(simdInstructions(code) > 1000, `${simdInstructions(code)} SIMD instructions`);
    if (relaxedSimd)
      assert.ok(
        relaxedInstructions(code) > 10,
        `${relaxedInstructions(code)} relaxed instructions`,
      );
    else assert.equal(relaxedInstructions(code), 0);
    if (threads) assert.ok(atomicInstructions(code) > 10);
    else assert.equal(atomicInstructions(code), 0);
  });

  test(`${variant}: the glue evaluates no text as code`, () => {
    assert.doesNotMatch(file("mjs").toString(), /\beval\(|new Function\(/);
  });
}

// Embind registers what it binds by name, as text in the module.
test("the engine's modules hold nothing of the converter, and the converter's nothing of the engine", () => {
  const names = (module) =>
    ["PackWriter", "Engine", "Index"].filter((name) =>
      readFileSync(new URL(`../../dist/wasm/clipglot-${module}.wasm`, import.meta.url)).includes(
        `\0${name}\0`,
      ),
    );
  for (const variant of Object.keys(variants))
    assert.deepEqual(names(variant), ["Engine", "Index"]);
  for (const module of ["convert", "convert-threads"])
    assert.deepEqual(names(module), ["PackWriter"]);
});
