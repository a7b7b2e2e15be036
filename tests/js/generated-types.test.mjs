// The types that the package believes the module has, against those that Emscripten wrote from the bindings.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

test("js/src/generated/engine-module.d.ts fits the module", () => {
  const folder = join(root, "build/type-check");
  mkdirSync(folder, { recursive: true });
  // Embind takes strings in other forms too, and writes the same type for those it returns, which are plain.
  const written = readFileSync(join(root, "build/wasm-simd/wasm/clipglot-simd.d.ts"), "utf8");
  const plain = written.replace(/^type EmbindString = .*$/m, "type EmbindString = string;");
  assert.notEqual(plain, written);
  writeFileSync(join(folder, "module.d.ts"), plain);
  writeFileSync(
    join(folder, "check.ts"),
    `import type { MainModule } from "./module.js";
import type { EngineModule } from "../../js/src/generated/engine-module.js";
declare const written: MainModule;
export const believed: EngineModule = written;
`,
  );
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/typescript/bin/tsc"),
      "--noEmit",
      "--strict",
      "--target",
      "ES2022",
      "--module",
      "NodeNext",
      "--skipLibCheck",
      join(folder, "check.ts"),
    ],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stdout);
});
