// One form for each language. `npm run format` gives it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runBiome, unformattedCpp } from "../../tools/lint/format.mjs";

test("C++ files have the form of .clang-format", () => {
  assert.deepEqual(
    unformattedCpp().map(({ path }) => path),
    [],
  );
});

test("TypeScript and JavaScript files have the form of biome.json", () => {
  const { status, output } = runBiome(["format", "."]);
  assert.equal(status, 0, output);
});
