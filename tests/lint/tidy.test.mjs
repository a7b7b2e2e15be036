// clang-tidy finds nothing in src/ and wasm/ (.clang-tidy says what it looks for).
import assert from "node:assert/strict";
import { test } from "node:test";
import { runClangTidy } from "../../tools/lint/tidy.mjs";

test("C++ files pass clang-tidy", async () => {
  const { files, findings } = await runClangTidy();
  assert.ok(files > 60, `only ${files} files were found`);
  assert.equal(findings.length, 0, findings.join("\n"));
});
