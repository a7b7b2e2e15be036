// The short form of `npm run fuzz`: a thousand random calls of the public API, always the same ones.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("random calls end in a result, an EmbedError or the signal's reason", () => {
  const done = spawnSync(
    process.execPath,
    [
      fileURLToPath(new URL("../fuzz/api-fuzz.mjs", import.meta.url)),
      "--steps",
      "1000",
      "--seed",
      "7",
    ],
    { encoding: "utf8" },
  );
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /\d{4,} steps in \d+ runs, nothing found/);
});
