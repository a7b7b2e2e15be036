// Where loads are tried: in this process, with a folder as the cache, or in Chromium, with its private file system.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeEngineFiles } from "../../dist/js/platform/node/engine-files.js";
import { nodeStore } from "../../dist/js/platform/node/store.js";
import { startLoader } from "./loader.mjs";

export async function nodeClient() {
  const root = mkdtempSync(join(tmpdir(), "clipglot-faults-"));
  const load = await startLoader(nodeEngineFiles());
  const clear = async () => rmSync(root, { recursive: true, force: true });
  return {
    load: ({ keep, ...options }) => load({ ...options, store: keep ? nodeStore(root) : undefined }),
    clear,
    close: clear,
  };
}

export async function browserClient() {
  const { chromium } = await import("playwright-core");
  const { serveRepository } = await import("../browser/package/server.mjs");
  const site = await serveRepository({ isolated: false });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  const page = await browser.newPage();
  await page.goto(`${site.url}tests/faults/page.html`);
  await page.waitForFunction(() => window.ready);
  return {
    load: (options) => page.evaluate((given) => window.ask({ what: "load", ...given }), options),
    clear: () => page.evaluate(() => window.ask({ what: "clear" })),
    async close() {
      await browser.close();
      await site.close();
    },
  };
}
