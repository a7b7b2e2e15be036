// The types that the package believes the module has, against those that Emscripten wrote from the bindings.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

const modules = [
  { name: "simd", type: "EngineModule", file: "worker/engine-module" },
  { name: "convert", type: "ConvertModule", file: "worker/convert/convert-module" },
];
for (const { name, type, file } of modules)
  test(`js/src/${file}.d.ts fits the module clipglot-${name}`, () => {
    const folder = join(root, `build/type-check/${name}`);
    mkdirSync(folder, { recursive: true });
    // Embind takes strings in other forms too, and writes the same type for those it returns, which are plain.
    const written = readFileSync(join(root, `build/wasm-simd/wasm/clipglot-${name}.d.ts`), "utf8");
    const plain = written.replace(/^type EmbindString = .*$/m, "type EmbindString = string;");
    assert.notEqual(plain, written);
    writeFileSync(join(folder, "module.d.ts"), plain);
    writeFileSync(
      join(folder, "check.ts"),
      `import type { MainModule } from "./module.js";
import type { ${type} } from "../../../js/src/${file}.js";
declare const written: MainModule;
export const believed: ${type} = written;
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
