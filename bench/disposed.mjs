// What disposed embedders keep while somebody still holds them: they shall hold less than 1 MB each.
//   node --expose-gc bench/disposed.mjs [--count 100] [--variant simd-threads] [--threads 2] [--model FOLDER] [--browser]
// Loads, embeds, disposes and keeps; prints the resident memory of the process after every tenth, and what each one costs. The first
// ten are not counted: the first loads fill caches of the runtime. --browser: in Chromium, the memory of all its processes.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { load } from "../dist/js/node/index.js";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "100" },
    variant: { type: "string", default: "simd-threads" },
    threads: { type: "string", default: "2" },
    model: { type: "string", default: fileURLToPath(new URL("../models/emoji", import.meta.url)) },
    browser: { type: "boolean", default: false },
  },
});
const count = Number(values.count);
const options = {
  variant: values.variant,
  ...(values.variant.endsWith("threads") ? { threads: Number(values.threads) } : {}),
};
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

const { keepOne, resident, close } = values.browser ? await inBrowser() : inNode();
const warm = Math.min(10, count >> 1);
let before = 0;
for (let i = 1; i <= count; i++) {
  await keepOne();
  if (i !== warm && i % 10 !== 0 && i !== count) continue;
  const bytes = await resident();
  if (i === warm) before = bytes;
  console.log(`${i} kept: ${megabytes(bytes)} MB`);
}
console.log(
  `each of the last ${count - warm}: ${megabytes(((await resident()) - before) / (count - warm))} MB`,
);
await close();

function inNode() {
  const kept = [];
  return {
    async keepOne() {
      const embedder = await load({ model: values.model, ...options });
      await embedder.embedText("cat");
      await embedder.dispose();
      kept.push(embedder);
    },
    async resident() {
      await new Promise((resolve) => setTimeout(resolve, 200)); // ended threads give their memory back
      globalThis.gc?.();
      return process.memoryUsage.rss();
    },
    close: async () => kept.length,
  };
}

async function inBrowser() {
  const { launchBrowser } = await import("../tests/browser/demo/pages.mjs");
  const { isolation, serveFaults } = await import("../tests/browser/start/server.mjs");
  const server = await serveFaults(() => ({ headers: isolation }));
  const browser = await launchBrowser();
  const page = await browser.newPage();
  await page.goto(`${server.url}tests/browser/start/page.html`);
  const session = await browser.newBrowserCDPSession();
  return {
    keepOne: () =>
      page.evaluate(
        async ([at, how]) => {
          const { load } = await import(`${at}dist/js/index.js`);
          const embedder = await load({ model: `${at}tests/data/golden-a/`, cache: false, ...how });
          await embedder.embedText("cat");
          await embedder.dispose();
          window.kept ??= [];
          window.kept.push(embedder);
        },
        [server.url, options],
      ),
    async resident() {
      await page.requestGC();
      await page.waitForTimeout(1000);
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      return processInfo.reduce((sum, { id }) => sum + privateBytes(id), 0);
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** Of a process on Linux: its memory, with its part of what it shares. */
function privateBytes(pid) {
  if (!readdirSync("/proc").includes(String(pid))) return 0;
  return (
    Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) *
    1024
  );
}
