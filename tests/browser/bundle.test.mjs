// The package through a bundler that renames every file: worker, engine, thread workers and a model's files are still found.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { build } from "vite";
import { launchBrowser } from "./demo/pages.mjs";
import { repository, serveRepository } from "./package/server.mjs";

let browser, server, page;
const problems = [];
before(async () => {
  await build({
    configFile: false,
    logLevel: "error",
    root: join(repository, "tests/browser/bundle"),
    base: "./",
    resolve: {
      alias: {
        clipglot: join(repository, "dist/js/index.js"),
        "clipglot-emoji/q4": join(repository, "models/emoji/q4/index.js"),
      },
    },
    build: { outDir: join(repository, "build/bundle-test"), emptyOutDir: true },
  });
  server = await serveRepository({ isolated: true });
  browser = await launchBrowser();
  page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(`${server.url}build/bundle-test/index.html`);
  await page.waitForFunction(() => window.start);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

for (const [variant, threads] of [
  ["simd", 1],
  ["relaxed-simd-threads", 2],
]) {
  test(variant, async () => {
    const model = `${server.url}tests/data/golden-a/`;
    assert.deepEqual(
      await page.evaluate((options) => window.start(options), { model, variant, threads }),
      { dtype: "q8", variant, threads, length: 64 },
    );
    assert.deepEqual(problems, []);
  });
}

test("the emoji model in four bits, whose tokenizer lies in the folder above", async () => {
  const { dtype, length } = await page.evaluate((options) => window.start(options), {
    variant: "simd",
    threads: 1,
  });
  assert.deepEqual({ dtype, length }, { dtype: "q4", length: 192 });
  assert.deepEqual(problems, []);
});
