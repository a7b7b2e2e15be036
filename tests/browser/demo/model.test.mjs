// The demo page with the package and the embedded model, as people meet it: isolated and not, in four engine builds.

import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  launchBrowser,
  openDemo,
  pictureFile,
  repository,
  screenshot,
  serveDemo,
  topPictures,
  waitUntilReady,
} from "./pages.mjs";

const cats = ["🐈", "🐈‍⬛", "🐱", "😺", "😸", "😹", "😻", "😼", "😽", "🙀", "😿", "😾"];
const words = ["cat", "고양이", "chat", "猫"];
const packFolder = realpathSync(join(repository, process.env.CLIPGLOT_MODELS ?? "models", "emoji"));
const broken = {
  name: "broken.jpg",
  mimeType: "image/jpeg",
  buffer: Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]),
};

let browser;
before(async () => (browser = await launchBrowser()));
after(() => browser?.close());

async function searchFor(page, word) {
  await page.locator("#query").fill(word);
  await page.waitForFunction(
    (text) => document.querySelector("#grid").dataset.answered === text,
    word,
  );
  return topPictures(page, 3);
}

async function factsOf(page) {
  return Object.fromEntries(
    await page
      .locator("#facts > div")
      .evaluateAll((facts) =>
        facts.map((fact) => [fact.children[0].textContent, fact.children[1].textContent]),
      ),
  );
}

async function catsComeFirst(page) {
  for (const word of words) {
    const top = await searchFor(page, word);
    assert.ok(
      top.some((id) => cats.includes(id)),
      `${word}: a cat is among the first three, not ${top.join(" ")}`,
    );
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

  test("cats are found in four languages, with threads, by the stored vectors", () =>
    onPage(server.url, {}, async (page) => {
      assert.equal(await page.evaluate(() => crossOriginIsolated), true);
      await catsComeFirst(page);
      const facts = await factsOf(page);
      assert.match(facts["Engine"], /-threads$/);
      assert.ok(Number(facts["Threads"]) >= 2);
      assert.match(facts["Size"], /^\d+\.\d MB$/);
      assert.ok(facts["Licence of the model"].length > 0);
      assert.equal(facts["Per picture"], undefined, "no picture was read");
      assert.equal(await page.locator("#notice-pictures").isHidden(), true);
      await screenshot(page, "demo-light-cat");
    }));

  for (const variant of ["simd", "relaxed-simd", "simd-threads", "relaxed-simd-threads"]) {
    test(`cats are found by the ${variant} build`, () =>
      onPage(server.url, { query: `?variant=${variant}` }, async (page) => {
        assert.equal((await factsOf(page))["Engine"], variant);
        await catsComeFirst(page);
      }));
  }

  test("a broken picture is told, and the page goes on", () =>
    onPage(server.url, { colorScheme: "dark" }, async (page) => {
      await page.locator("#own-input").setInputFiles([broken, pictureFile("🐈", "my-cat.png")]);
      await page.locator(".tray-ready").waitFor();
      assert.match(await page.locator(".tray-failed").textContent(), /broken\.jpg.*not a picture/);
      assert.match(await page.locator(".tray-failed").getAttribute("title"), /^invalid-image: ./);
      await page.locator(".tray-entry", { hasText: "my-cat.png" }).locator(".tray-choose").click();
      await page.locator("#grid-top .tile").first().waitFor();
      assert.deepEqual(
        (await topPictures(page, 2)).toSorted(),
        ["own-2", "🐈"].toSorted(),
        "the same picture again has the same score",
      );
      await screenshot(page, "demo-dark-own");
    }));

  test("a photograph of 40 megapixels joins the gallery", () =>
    onPage(server.url, {}, async (page) => {
      await page.evaluate(
        async (bytes) => {
          const canvas = new OffscreenCanvas(8000, 5000);
          const context = canvas.getContext("2d");
          context.fillStyle = "white";
          context.fillRect(0, 0, 8000, 5000);
          const cat = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
          context.drawImage(cat, 1500, 0, 5000, 5000);
          const data = new DataTransfer();
          data.items.add(
            new File([await canvas.convertToBlob({ type: "image/jpeg" })], "large.jpg", {
              type: "image/jpeg",
            }),
          );
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        },
        Array.from(pictureFile("🐈").buffer),
      );
      await page.locator(".tray-ready", { hasText: "large.jpg" }).waitFor({ timeout: 120_000 });
      await page.locator("#search-likeness", { hasText: "like large.jpg" }).waitFor();
      await page.locator("#grid-top .tile").first().waitFor();
      assert.ok((await topPictures(page, 3)).includes("🐈"), "what is most like it");
    }));

  test("shorter vectors still find the cat", () =>
    onPage(server.url, {}, async (page) => {
      await searchFor(page, "cat");
      await page.locator("#dimensions").fill("0");
      await page
        .locator("#dimensions-effect", { hasText: /\d+ of the full-length top 10/ })
        .waitFor();
      assert.match(await page.locator("#dimensions-value").textContent(), /^64 of 192/);
      assert.ok((await topPictures(page, 3)).some((id) => cats.includes(id)));
      await screenshot(page, "demo-light-64-dimensions");
    }));

  test("typing letter by letter ends at the last text", () =>
    onPage(server.url, {}, async (page) => {
      await page.locator("#query").focus();
      await page.keyboard.type("crocodile");
      await page.waitForFunction(
        () => document.querySelector("#grid").dataset.answered === "crocodile",
      );
      assert.ok((await topPictures(page, 5)).includes("🐊"));
    }));

  test("texts of other languages answer a word", () =>
    onPage(server.url, {}, async (page) => {
      await page.locator("#tab-texts").click();
      await page.locator("#query").fill("cat");
      await page.locator("#search-status", { hasText: "873 texts searched" }).waitFor();
      const glosses = await page
        .locator("#text-list .text-gloss")
        .evaluateAll((all) => all.slice(0, 6).map((gloss) => gloss.textContent));
      const found = glosses.filter((gloss) => /cat$/.test(gloss));
      assert.ok(found.length >= 3, `of the first six: ${glosses.join("; ")}`);
      await screenshot(page, "demo-light-texts");
    }));

  test("a red heart that is drawn is found", () =>
    onPage(server.url, {}, async (page) => {
      await page.locator("#draw-toggle").click();
      await page.getByLabel("Colour: red").check();
      await page.getByLabel("Pen: thick").check();
      const { x, y, width } = await page.locator("#draw-canvas").boundingBox();
      for (const size of [1, 0.65, 0.3]) {
        for (let i = 0; i <= 18; i++) {
          const turn = (i / 9) * Math.PI;
          const across = 16 * Math.sin(turn) ** 3;
          const down = -(
            13 * Math.cos(turn) -
            5 * Math.cos(2 * turn) -
            2 * Math.cos(3 * turn) -
            Math.cos(4 * turn)
          );
          await page.mouse.move(
            x + width * (0.5 + (size * across) / 55),
            y + width * (0.47 + (size * down) / 55),
          );
          if (i === 0) await page.mouse.down();
        }
        await page.mouse.up();
      }
      await page.locator("#grid-top [data-id='❤']").waitFor();
      await screenshot(page, "demo-light-drawing");
    }));

  test("the same pack from a folder of the user's: the gallery is read when asked for", () =>
    onPage(server.url, { query: "?variant=simd" }, async (page) => {
      await page.locator("#model-open").click();
      await page.locator("#model-folder").setInputFiles(packFolder);
      await page.locator("#model-folder-name:not(:empty)").waitFor();
      await page.locator("#model-load:enabled").click();
      await page.locator("#notice-pictures button", { hasText: "Read the emoji pictures" }).click();
      await page.locator("#notice-pictures", { hasText: /[1-9]\d* of 1,922/ }).waitFor();
      await page.locator("#query").fill("grinning face");
      await page.waitForFunction(
        () => document.querySelector("#grid").dataset.answered === "grinning face",
      );
      await page.locator("#notice-pictures button", { hasText: "Stop" }).click();
    }));

  test("on a phone", () =>
    onPage(server.url, { width: 360, height: 780 }, async (page) => {
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
      assert.match(
        await page.locator("#isolation-note").textContent(),
        /not cross-origin isolated.*single thread/,
      );
      await screenshot(page, "demo-without-isolation");
    });
  } finally {
    await server.close();
  }
});
