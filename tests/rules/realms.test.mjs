// What callers give and what platforms throw may be of another realm, where `instanceof` says no to the right thing. So the
// package asks it of its own classes only, and of what a platform's constructor throws in the same thread.
import assert from "node:assert/strict";
import { test } from "node:test";
import { read, repositoryFiles } from "./files.mjs";

const sources = repositoryFiles().filter((path) => /^js\/src\/.*\.ts$/.test(path));
const own = new Set(
  sources.flatMap((path) => [...read(path).matchAll(/\bclass (\w+)/g)].map(([, name]) => name)),
);
// File → classes of the platform that it may ask for, since the value was made in the very same thread.
const sameRealm = {
  "js/src/worker/memory.ts": ["RangeError"],
  "js/src/worker/module.ts": ["RangeError"],
  "js/src/shared/image-size.ts": ["RangeError"],
  "js/src/shared/webp-orientation.ts": ["RangeError"],
  // Of another realm is the same as of another kind here: it is copied, or read on this side.
  "js/src/client/image-file.ts": ["Blob"],
};
const code = (path) => read(path).replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, "");

test("instanceof asks for classes of the package only", () => {
  const wrong = sources.flatMap((path) =>
    [...code(path).matchAll(/\binstanceof\s+([\w.]+)/g)]
      .filter(([, name]) => !own.has(name) && !sameRealm[path]?.includes(name))
      .map(([, name]) => `${path}: instanceof ${name}`),
  );
  assert.deepEqual(wrong, []);
});

test("what was thrown is told by reasonOf()", () => {
  const pattern =
    /String\(\s*(error|cause|reason|thrown|event\.reason)\s*\)|\$\{\s*(error|cause|reason|thrown)\s*\}/g;
  const wrong = sources
    .filter((path) => path !== "js/src/shared/reason.ts") // its home
    .flatMap((path) => [...code(path).matchAll(pattern)].map(([found]) => `${path}: ${found}`));
  assert.deepEqual(wrong, []);
});
