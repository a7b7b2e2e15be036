// The sizes that README.md names are those of the modules that were built.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { brotliCompressSync, constants } from "node:zlib";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url));
const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };

test("README: the engine's smallest and largest module, raw and as brotli, to three parts in a hundred", () => {
  const found =
    /A module is ([\d.]+) – ([\d.]+) MB of WebAssembly, (\d+) – (\d+) kB as brotli/.exec(
      read("README.md").toString(),
    );
  assert.ok(found, "the sentence is gone");
  const modules = ["simd", "relaxed-simd", "simd-threads", "relaxed-simd-threads"].map((variant) =>
    read(`dist/wasm/clipglot-${variant}.wasm`),
  );
  const raw = modules.map(({ length }) => length / 1e6);
  const brotli = modules.map((bytes) => brotliCompressSync(bytes, { params }).length / 1e3);
  const actual = [Math.min(...raw), Math.max(...raw), Math.min(...brotli), Math.max(...brotli)];
  for (const [i, size] of actual.entries())
    assert.ok(
      Math.abs(Number(found[i + 1]) / size - 1) <= 0.03,
      `${found[0]}; measured: ${actual.map((value) => value.toFixed(2)).join(", ")}`,
    );
});
