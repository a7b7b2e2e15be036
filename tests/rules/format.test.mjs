// One format and one linter for each language. `npm run format` applies the format, `npm run lint` runs the linters; that of
// C++ needs a build, so it is a layer of tests of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runBiome, unformattedCpp } from "../../tools/lint/format.mjs";

test("C++ files have the form of .clang-format", () => {
  assert.deepEqual(
    unformattedCpp().map(({ path }) => path),
    [],
  );
});

test("TypeScript and JavaScript files have the form of biome.jsonc", () => {
  const { status, output } = runBiome(["format", "."]);
  assert.equal(status, 0, output);
});

test("TypeScript and JavaScript files pass biome's linter", () => {
  const { status, output } = runBiome(["lint", "--error-on-warnings", "."]);
  assert.equal(status, 0, output);
});
