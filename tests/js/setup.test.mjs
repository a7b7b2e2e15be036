import assert from "node:assert/strict";
import test from "node:test";
import { missing } from "../../tools/setup/host-packages.mjs";

test("a package is missing when its program is not found, whatever the search answers then", () => {
  const table = {
    one: [
      ["node", "nodejs"],
      ["no-such-program-here", "nothing"],
    ],
    other: [
      [() => false, "false"],
      [() => undefined, "undefined"],
      [() => true, "true"],
      [() => "/usr/bin/found", "path"],
    ],
  };
  assert.deepEqual(missing(["one", "other"], table), ["nothing", "false", "undefined"]);
  assert.deepEqual(missing(["one"], table), ["nothing"]);
});
