// The four modules are what their names say: instructions, sizes, what they ask of the outside.
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

for (const [variant, { relaxedSimd, threads }] of Object.entries(variants)) {
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
