// Models by their names on a hub, on the demo page with the package: licence and sizes before any request, the download with its
// progress, going on after a cancel or a closed tab, and a later visit without a network. The hub is the test server, the model golden-a.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { startHubServer } from "../../js/support/hub-server.mjs";
import { launchBrowser, openDemo, repository, screenshot, serveDemo } from "./pages.mjs";

const golden = join(repository, "tests", "data", "golden-a");
const files = Object.fromEntries(
  ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"].map((name) => [
    name,
    readFileSync(join(golden, name)),
  ]),
);

let browser;
let server;
let hub;
before(async () => {
  hub = await startHubServer({ repo: "jinaai/jina-clip-v2", files });
  server = await serveDemo();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.close();
  await hub?.close();
});
beforeEach(() => hub.set({ down: false, throttle: 0 }));

async function onPage(options, body) {
  const { page, problems, close } = await openDemo(browser, server.url, {
    query: `?variant=simd&hub=${hub.endpoint}`,
    ...options,
  });
  try {
    await emojiModel(page);
    await body(page);
    assert.deepEqual(
      problems.filter((problem) => !(options.isDown && /Failed to load resource/.test(problem))),
      [],
    );
  } finally {
    await close();
  }
}

const emojiModel = (page) =>
  page.locator("#model-name", { hasText: "clipglot-emoji" }).waitFor({ timeout: 60_000 });
const isLoaded = (page) =>
  page.locator("#model-name", { hasText: "jinaai/jina-clip-v2" }).waitFor({ timeout: 60_000 });

/** Chooses the entry by keyboard alone. */
async function chooseEntry(page) {
  await page.locator("#model-open").focus();
  await page.keyboard.press("Enter");
  await page.locator("#model-kind-embedded").focus();
  await page.keyboard.press("ArrowDown");
  await page.locator("#model-dtype-q8").waitFor();
}

async function searchTexts(page) {
  await page.locator("#tab-texts").click();
  await page.locator("#own-texts-toggle").click();
  await page.locator("#own-texts-field").fill("two cats\na red car");
  await page.locator("#own-texts button[type=submit]").click();
  await page.locator("#query").fill("two cats");
  await page.locator("#search-status", { hasText: "2 texts searched" }).waitFor();
  assert.equal(await page.locator("#text-list .text-text").first().textContent(), "two cats");
}

test("licence and sizes come first, then the download, then visits without a network", () =>
  onPage({ isDown: true }, async (page) => {
    hub.set({});
    await chooseEntry(page);
    const details = page.locator("#model-details");
    assert.match(
      await details.innerText(),
      /CC-BY-NC-4\.0 Not for commercial use[\s\S]*1\.73 GB from 127\.0\.0\.1[\s\S]*about 887\.8 MB as q8[\s\S]*Texts\s*1\.12 GB[\s\S]*Pictures\s*608\.5 MB[\s\S]*goes on where it was/,
    );
    assert.equal(
      await details.locator("a", { hasText: "jinaai/jina-clip-v2" }).getAttribute("href"),
      "https://huggingface.co/jinaai/jina-clip-v2",
    );
    const load = page.locator("#model-load");
    assert.equal(await load.textContent(), "Download and load 1.73 GB");
    await page.locator("#model-dtype-q8").focus();
    await page.keyboard.press("ArrowDown");
    assert.match(await details.innerText(), /about 508\.7 MB as q4/);
    await page.locator("#model-tower-vision").uncheck();
    assert.match(await details.innerText(), /1\.12 GB from[\s\S]*about 328\.8 MB as q4/);
    assert.deepEqual(hub.requests, [], "nothing was asked for yet");

    await page.locator("#model-dtype-q8").check();
    await page.locator("#model-tower-vision").check();
    await load.focus();
    await page.keyboard.press("Enter");
    await isLoaded(page);
    assert.ok(hub.requests.length > 0);
    await searchTexts(page);

    hub.set({ down: true });
    await page.reload();
    await emojiModel(page);
    await chooseEntry(page);
    await page.locator(".model-kept", { hasText: "This browser has it" }).waitFor();
    assert.match(
      await page.locator("#model-cached-list").innerText(),
      /jinaai\/jina-clip-v2\s*q8: \d+.*cc-by-nc-4\.0/i,
    );
    await page.locator("#model-load", { hasText: "Load from this browser" }).click();
    await isLoaded(page);
    await searchTexts(page);
    assert.deepEqual(hub.requests, []);

    await page.locator("#model-open").click();
    await page.getByLabel("Delete jinaai/jina-clip-v2 from this browser").click();
    await page.locator("#model-load", { hasText: "Download and load 1.73 GB" }).waitFor();
  }));

test("a download that was cancelled, or ended with the page, goes on where it was", () =>
  onPage({}, async (page) => {
    const { length } = files["model.safetensors"];
    hub.set({ throttle: length / 10 });
    await chooseEntry(page);
    await page.locator("#model-load").click();
    await page.locator("#load-note", { hasText: "CC-BY-NC-4.0. Not for commercial use" }).waitFor();
    await page.locator("#load-amount", { hasText: /\d+ % · .* of .* · .* left/ }).waitFor();
    await screenshot(page, "demo-hub-loading");
    await page.setViewportSize({ width: 380, height: 820 });
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    await screenshot(page, "demo-hub-loading-phone");
    await page.locator("#load-cancel").click();
    const paused = page.locator("#load-paused");
    await paused
      .filter({ hasText: /jina-clip-v2 is not finished.*goes on where it was/ })
      .waitFor();
    await screenshot(page, "demo-hub-paused");
    assert.equal(await page.locator("#model-name").textContent(), "clipglot-emoji");

    await page.locator("#load-resume").click();
    await page.locator("#load-amount", { hasText: /\d+ % · / }).waitFor();
    await page.reload();
    await paused.waitFor();
    const before = hub.bytesAsked("model.safetensors");
    hub.set({ throttle: 0 });
    await page.locator("#load-resume").click();
    await isLoaded(page);
    const rest = hub.bytesAsked("model.safetensors");
    assert.ok(rest <= length, `${rest} of ${length} bytes after ${before}`);
    await paused.waitFor({ state: "hidden" });
    await page.reload();
    await emojiModel(page);
    assert.equal(await paused.isVisible(), false, "nothing is left to go on with");
  }));

test("any other name is read from the hub when it is checked", async () => {
  const other = await startHubServer({ repo: "someone/golden-a", files });
  try {
    await onPage({ isDown: true, query: `?variant=simd&hub=${other.endpoint}` }, async (page) => {
      await page.locator("#model-open").click();
      const check = async (name) => {
        await page.locator("#model-address").fill(name);
        await page.keyboard.press("Enter");
      };
      const problem = page.locator("#model-problem");
      await check("hf:nonsense");
      await problem.filter({ hasText: "hf:OWNER/NAME" }).waitFor();
      await check("hf:someone/else");
      await problem.filter({ hasText: "has no public model of this name" }).waitFor();
      await check("hf:someone/golden-a@v1");
      await page.locator("#model-details", { hasText: "CC-BY-NC-4.0" }).waitFor();
      assert.ok(!other.requests.some(({ path }) => /safetensors|resolve/.test(path)));
      await page.locator("#model-load", { hasText: "Download and load 1.6 MB" }).click();
      await page.locator("#model-name", { hasText: "someone/golden-a" }).waitFor();
    });
  } finally {
    await other.close();
  }
});

for (const colorScheme of ["light", "dark"])
  for (const width of [1280, 380])
    test(`the entry fits: ${colorScheme}, ${width} pixels`, () =>
      onPage({ colorScheme, width, height: 820 }, async (page) => {
        await chooseEntry(page);
        const dialog = page.locator("#model-dialog");
        assert.ok(await dialog.evaluate((box) => box.scrollWidth <= box.clientWidth));
        await screenshot(page, `demo-hub-${colorScheme}-${width}`);
        await dialog.evaluate((box) => box.scrollTo(0, box.scrollHeight));
        await screenshot(page, `demo-hub-${colorScheme}-${width}-end`);
      }));
