// The demo page with the package and the embedded model, as people meet it: isolated and not, in four engine builds.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser, openDemo, screenshot, serveDemo, topPictures, waitUntilReady } from "./pages.mjs";

const cats = ["🐈", "😺"]; // the cats among the model's 240 emoji
const words = ["cat", "고양이", "chat", "猫"];
const broken = { name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]) };

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser?.close());

async function searchFor(page, word) {
  await page.locator("#query").fill(word);
  await page.waitForFunction((text) => document.querySelector("#grid").dataset.answered === text, word);
  return topPictures(page, 2);
}

async function factsOf(page) {
  return Object.fromEntries(await page.locator("#facts > div").evaluateAll((facts) => facts.map((fact) => [fact.children[0].textContent, fact.children[1].textContent])));
}

async function catsComeFirst(page) {
  for (const word of words) {
    const top = await searchFor(page, word);
    assert.ok(top.some((id) => cats.includes(id)), `${word}: a cat is first or second, not ${top.join(" ")}`);
  }
}

/** One page load; problems that the page reports fail the test. */
async function onPage(url, options, body) {
  const { page, problems, close } = await openDemo(browser, url, options);
  try {
    await waitUntilReady(page);
    await body(page);
    assert.deepEqual(problems, []);
  } finally {
    await close();
  }
}

describe("on an isolated page", () => {
  let server;
  before(async () => (server = await serveDemo()));
  after(() => server?.close());

  test("cats are found in four languages, with threads", () => onPage(server.url, {}, async (page) => {
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    await catsComeFirst(page);
    const facts = await factsOf(page);
    assert.match(facts["Engine"], /-threads$/);
    assert.ok(Number(facts["Threads"]) >= 2);
    assert.match(facts["Size"], /^\d+\.\d MB$/);
    assert.ok(facts["Licence of the model"].length > 0);
    await screenshot(page, "demo-light-cat");
  }));

  for (const variant of ["simd", "relaxed-simd", "simd-threads", "relaxed-simd-threads"]) {
    test(`cats are found by the ${variant} build`, () => onPage(server.url, { query: `?variant=${variant}` }, async (page) => {
      assert.equal((await factsOf(page))["Engine"], variant);
      await catsComeFirst(page);
    }));
  }

  test("a broken picture is told, and the page goes on", () => onPage(server.url, { colorScheme: "dark" }, async (page) => {
    const cat = { name: "my-cat.png", mimeType: "image/png", buffer: await (await fetch(`${server.url}gallery/1f408.png`)).arrayBuffer().then(Buffer.from) };
    await page.locator("#own-input").setInputFiles([broken, cat]);
    await page.locator(".tray-ready").waitFor();
    assert.match(await page.locator(".tray-failed").textContent(), /broken\.jpg.*not a picture/);
    assert.match(await page.locator(".tray-failed").getAttribute("title"), /^invalid-image: ./);
    assert.deepEqual((await searchFor(page, "고양이")).toSorted(), ["own-2", "🐈"].toSorted(), "the same picture again has the same score");
    await screenshot(page, "demo-dark-own");
  }));

  test("a photograph of 40 megapixels joins the gallery", () => onPage(server.url, {}, async (page) => {
    await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(8000, 5000);
      const context = canvas.getContext("2d");
      context.fillStyle = "white";
      context.fillRect(0, 0, 8000, 5000);
      const cat = await createImageBitmap(await (await fetch("gallery/1f408.png")).blob());
      context.drawImage(cat, 1500, 0, 5000, 5000);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob({ type: "image/jpeg" })], "large.jpg", { type: "image/jpeg" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    });
    await page.locator(".tray-ready", { hasText: "large.jpg" }).waitFor({ timeout: 120_000 });
    assert.ok((await searchFor(page, "cat")).includes("own-1"));
  }));

  test("shorter vectors still find the cat", () => onPage(server.url, {}, async (page) => {
    await searchFor(page, "cat");
    await page.locator("#dimensions").fill("0");
    await page.locator("#dimensions-effect", { hasText: /\d+ of the full-length top 10/ }).waitFor();
    assert.match(await page.locator("#dimensions-value").textContent(), /^64 of 192/);
    assert.ok((await topPictures(page, 3)).some((id) => cats.includes(id)));
    await screenshot(page, "demo-light-64-dimensions");
  }));

  test("typing letter by letter ends at the last text", () => onPage(server.url, {}, async (page) => {
    await page.locator("#query").focus();
    await page.keyboard.type("crocodile");
    await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "crocodile");
    assert.equal((await topPictures(page))[0], "🐊");
  }));

  test("texts of other languages answer a word", () => onPage(server.url, {}, async (page) => {
    await page.locator("#tab-texts").click();
    await page.locator("#query").fill("cat");
    await page.locator("#search-status", { hasText: "720 texts searched" }).waitFor();
    const glosses = await page.locator("#text-list .text-gloss").evaluateAll((all) => all.slice(0, 6).map((gloss) => gloss.textContent));
    const found = glosses.filter((gloss) => /cat$/.test(gloss));
    assert.ok(found.length >= 3, `of the first six: ${glosses.join("; ")}`);
    await screenshot(page, "demo-light-texts");
  }));

  test("on a phone", () => onPage(server.url, { width: 360, height: 780 }, async (page) => {
    await searchFor(page, "고양이");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    await screenshot(page, "demo-phone-light");
    await page.locator("#theme").click();
    await page.locator("#tab-texts").click();
    await screenshot(page, "demo-phone-dark-texts");
  }));
});

test("without isolation everything works on one thread, and the page says so", async () => {
  const server = await serveDemo({ isolation: false });
  try {
    await onPage(server.url, {}, async (page) => {
      assert.equal(await page.evaluate(() => crossOriginIsolated), false);
      await catsComeFirst(page);
      const facts = await factsOf(page);
      assert.equal(facts["Threads"], "1");
      assert.doesNotMatch(facts["Engine"], /threads/);
      assert.match(await page.locator("#isolation-note").textContent(), /not cross-origin isolated.*single thread/);
      await screenshot(page, "demo-without-isolation");
    });
  } finally {
    await server.close();
  }
});
