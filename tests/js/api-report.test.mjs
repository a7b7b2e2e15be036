// docs/clipglot.api.md has every public name, with a comment each. `npm run api` writes it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { makeReport, reportFile } from "../../tools/api/report.mjs";

const { text, undocumented } = makeReport();

test("every public name has a comment", () => {
  assert.deepEqual(undocumented, []);
});

test("the public names are those of docs/clipglot.api.md", () => {
  assert.ok(text.split("\n").length > 100, "the report is nearly empty");
  assert.equal(text, readFileSync(reportFile, "utf8"));
});
