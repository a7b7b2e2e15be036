// The demo page by itself, with a stand-in for the package: order of answers, keyboard, progress, failures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, pictureFile, standInDemo, topPictures, waitUntilReady } from "./pages.mjs";

const broken = {
  name: "broken.jpg",
  mimeType: "image/jpeg",
  buffer: Buffer.from("this is no picture"),
};

const demo = standInDemo();

const onPage = (options, body) => openPage(demo.browser, demo.url, options, body);

test("results come while typing, without a button", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    assert.equal(
      await page.evaluate(() => document.activeElement.id),
      "query",
      "the search field has the focus from the start",
    );
    assert.equal(await page.locator("#grid-top").isHidden(), true);
    await page.keyboard.type("cat");
    await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
    assert.equal((await topPictures(page))[0], "🐈");
    assert.match(
      await page.locator("#search-status").textContent(),
      /5 tokens read in .* · 1,922 pictures searched in /,
    );
  }));

test("a text of characters that the model does not know says so", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    const statusOf = async (text) => {
      await page.locator("#query").fill(text);
      await page.waitForFunction(
        (wanted) => document.querySelector("#grid").dataset.answered === wanted,
        text,
      );
      return page.locator("#search-status").textContent();
    };
    assert.match(
      await statusOf("\u{13000}\u{13001}"),
      /^The model does not know these characters: what is found is chance · /,
    );
    assert.match(
      await statusOf("cat food \u{13000}"),
      /^The model does not know a part of this text · /,
    );
    assert.doesNotMatch(await statusOf("cat"), /does not know/);
  }));

test("the last text typed is the one answered, however slow the engine is", () =>
  onPage({ query: "?textMs=1500" }, async (page) => {
    await waitUntilReady(page);
    const statuses = await page.evaluate(() => {
      const seen = [];
      new MutationObserver(() =>
        seen.push(document.querySelector("#grid-top .tile")?.dataset.id),
      ).observe(document.getElementById("grid-top"), { childList: true });
      globalThis.seen = seen;
      return seen;
    });
    assert.deepEqual(statuses, []);
    await page.keyboard.type("koala", { delay: 40 });
    await page.waitForFunction(
      () => document.querySelector("#grid-top .tile")?.dataset.id === "🐨",
    );
    await page.waitForTimeout(2000);
    const seen = await page.evaluate(() => globalThis.seen);
    assert.deepEqual(
      [...new Set(seen)],
      ["🐨"],
      "answers to texts that were typed over are dropped",
    );
  }));

test("a search works over what is read already and says so", () =>
  onPage({ query: "?imageMs=2" }, async (page) => {
    await page.keyboard.type("grinning face");
    await page
      .locator("#notice-pictures", {
        hasText: /stored vectors cannot be used: there are none.*\d+ of 1,922/,
      })
      .waitFor();
    await page.locator("#grid-top .tile").first().waitFor();
    assert.equal((await topPictures(page))[0], "😀");
    await waitUntilReady(page);
    assert.match(await page.locator("#search-status").textContent(), /1,922 pictures searched/);
    assert.equal(await page.locator("#notice-pictures").isHidden(), true);
  }));

test("an empty field shows the gallery again, in its own order", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    await page.locator(".chip", { hasText: "고양이" }).click();
    await page.locator("#grid-top .tile").first().waitFor();
    await page.locator("#search-clear").click();
    await page.locator("#grid-top").waitFor({ state: "hidden" });
    assert.equal(await page.locator("#count-pictures").textContent(), "1,922");
    assert.equal(await page.locator("#grid-rest .tile").first().getAttribute("data-id"), "😀");
    assert.equal(
      await page.locator("#grid-rest .grid-heading").first().textContent(),
      "Smileys & Emotion171",
    );
    assert.equal(await page.evaluate(() => document.activeElement.id), "query");
  }));

test("the keyboard reaches everything", () =>
  onPage({ reducedMotion: "reduce" }, async (page) => {
    await waitUntilReady(page);
    const focused = () =>
      page.evaluate(
        () => document.activeElement.closest(".tile")?.dataset.id ?? document.activeElement.id,
      );
    await page.keyboard.type("cat");
    await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
    const order = await topPictures(page);
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), order[0], "down from the field: the first picture");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), order[2], "right: the next by rank");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), order[6], "down: the one below");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(), order[2], "up: back again");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(), "query", "up from the top row: the field");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    assert.equal(
      await page.evaluate(() => document.activeElement.closest(".tile").ariaPosInSet),
      "1912",
      "End: the last of all, though it was not in the document",
    );
    await page.keyboard.press("ArrowLeft");
    assert.equal(
      await page.evaluate(() => document.activeElement.closest(".tile").ariaPosInSet),
      "1911",
    );
    await page.keyboard.press("Home");
    assert.equal(await focused(), order[0], "Home: the first");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.locator("#search-likeness").waitFor();
    assert.equal(await focused(), order[1], "the chosen picture keeps the focus");
    assert.equal((await topPictures(page))[0], order[1], "and is the most like itself");
    await page.keyboard.press("/");
    assert.equal(await focused(), "query", "/ goes to the field");
    await page.keyboard.press("Escape");
    await page.locator("#grid-top").waitFor({ state: "hidden" });
    await page.locator("#tab-pictures").focus();
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), "tab-texts");
    assert.equal(await page.locator("#panel-texts").isVisible(), true);
    assert.equal(await page.locator("#panel-pictures").isVisible(), false);
    assert.equal(await page.locator("#tab-texts").getAttribute("aria-selected"), "true");
    assert.equal(await page.locator("#tab-pictures").getAttribute("tabindex"), "-1");
  }));

test("only tiles in sight are in the document, wherever the page is scrolled to", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    const inSight = async () => {
      await page.waitForTimeout(200);
      assert.ok((await page.locator(".tile").count()) < 400);
      assert.ok(
        await page.locator("#grid-rest .tile").evaluateAll((tiles) =>
          tiles.some((tile) => {
            const { top, bottom } = tile.getBoundingClientRect();
            return top < innerHeight / 2 + 60 && bottom > innerHeight / 2 - 60; // there may be a heading
          }),
        ),
        "a tile stands in the middle of the window",
      );
    };
    await inSight();
    for (const share of [0.3, 0.7, 0.97]) {
      await page.evaluate(
        (part) => scrollTo(0, part * (document.documentElement.scrollHeight - innerHeight)),
        share,
      );
      await inSight();
    }
    await page.locator("#grid-rest .tile:last-child button").last().click();
    await page.locator("#search-likeness").waitFor();
    await page.locator("#grid-top .tile").first().waitFor();
  }));

test("every step of the Tab key is visible and named", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    await page.locator(".skip-link").focus();
    const seen = new Set();
    for (let i = 0; i < 50; i++) {
      const step = await page.evaluate(() => {
        const element = document.activeElement;
        const shown = /^(own-input|query-picture)$/.test(element.id)
          ? element.nextElementSibling
          : element.id === "query"
            ? element.closest(".search-field")
            : element;
        const style = getComputedStyle(shown);
        return {
          name: element.id || element.className,
          labelled:
            (
              element.getAttribute("aria-label") ??
              element.labels?.[0]?.textContent ??
              element.textContent
            ).trim() !== "",
          outlined: style.outlineStyle !== "none" || element.type === "range", // the slider's thumb is outlined, which scripts cannot see
        };
      });
      if (step.name === "" && seen.has("tile-button")) break; // a link of the foot: the last stop
      assert.ok(step.labelled, `${step.name} has a name`);
      assert.ok(step.outlined, `${step.name} shows its focus`);
      seen.add(step.name);
      await page.keyboard.press("Tab");
    }
    for (const part of [
      "model-open",
      "theme",
      "query",
      "draw-toggle",
      "query-picture",
      "chip",
      "tab-pictures",
      "dimensions",
      "own-input",
      "tile-button",
    ])
      assert.ok(seen.has(part), `Tab reaches ${part}`);
  }));

test("shorter vectors: the slider tells how many of the top ten stay and marks what moved", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    const slider = page.locator("#dimensions");
    assert.match(await page.locator("#dimensions-value").textContent(), /^192 of 192/);
    assert.equal(
      await slider.getAttribute("max"),
      "2",
      "64, 128 and 192; 32 is too short to offer",
    );
    await page.keyboard.type("cat");
    await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
    assert.equal(await page.locator(".move:visible").count(), 0, "nothing moves at full length");
    await slider.focus();
    await page.keyboard.press("Home");
    await page
      .locator("#dimensions-effect", { hasText: /\d+ of the full-length top 10 stays?/ })
      .waitFor();
    assert.match(await page.locator("#dimensions-value").textContent(), /^64 of 192 · 256 B each/);
    assert.ok((await page.locator(".move:visible").count()) > 0);
    const kept = Number(/\d+/.exec(await page.locator("#dimensions-effect").textContent())[0]);
    assert.equal(await page.locator(".kept-dots .kept").count(), kept);
  }));

test("own pictures join the gallery; a broken one is told and stops nothing", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    await page
      .locator("#own-input")
      .setInputFiles([broken, pictureFile("🐶", "dog.png"), pictureFile("🐈", "cat.png")]);
    await page.locator(".tray-ready").nth(1).waitFor();
    assert.equal(await page.locator(".tray-entry").count(), 3);
    assert.match(await page.locator(".tray-failed").textContent(), /broken\.jpg.*not a picture/);
    assert.match(await page.locator(".tray-failed").getAttribute("title"), /^invalid-image: /);
    assert.equal(await page.locator("#count-pictures").textContent(), "1,924");
    await page.locator("#query").fill("cat");
    await page.locator("#grid-top .tile-is-own").first().waitFor();
    assert.deepEqual(
      (await topPictures(page, 2)).toSorted(),
      ["own-3", "🐈"].toSorted(),
      "the own cat stands beside the gallery's",
    );
    assert.equal(await page.locator("#grid-top .tile-own").first().textContent(), "yours");
    await page.locator(".tray-entry", { hasText: "cat.png" }).locator(".tray-remove").click();
    await page.locator("[data-id='own-3']").waitFor({ state: "detached" });
    assert.equal(await page.locator("#count-pictures").textContent(), "1,923");
  }));

test("a picture can be dropped anywhere, and is what to look for", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    const transfer = await page.evaluateHandle(
      (bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
        return data;
      },
      Array.from(pictureFile("🐶").buffer),
    );
    await page.dispatchEvent("body", "dragover", { dataTransfer: transfer });
    assert.equal(await page.locator("#drop-veil").isVisible(), true);
    await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
    assert.equal(await page.locator("#drop-veil").isVisible(), false);
    await page.locator(".tray-ready", { hasText: "dropped.png" }).waitFor();
    await page.locator("#search-likeness", { hasText: "like dropped.png" }).waitFor();
    await page.locator("#grid-top .tile").first().waitFor();
    assert.deepEqual((await topPictures(page, 2)).toSorted(), ["own-1", "🐶"].toSorted());
  }));

test("the texts tab searches texts, and a text found is the next search", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    await page.locator("#tab-texts").click();
    assert.equal(await page.locator("#text-list li").count(), 24);
    await page.locator("#query").fill("leopard");
    await page.waitForFunction(() =>
      document.querySelector("#text-list .text-gloss")?.textContent.endsWith("· leopard"),
    );
    assert.match(await page.locator("#search-status").textContent(), /873 texts searched/);
    await page.locator("#text-more").click();
    assert.equal(await page.locator("#text-list li").count(), 48);
    const text = await page.locator("#text-list .text-text").first().textContent();
    await page.locator("#text-list button").first().click();
    assert.equal(await page.locator("#query").inputValue(), text);
  }));

test("a failed load says why and can be tried again", () =>
  onPage({ query: "?failLoads=1" }, async (page) => {
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match(
      await alert.textContent(),
      /The model could not be loaded.*network: .*manifest\.json: 404/s,
    );
    assert.ok(
      (await page.locator("#grid-rest .tile").count()) > 20,
      "the pictures are there all the same",
    );
    await page.keyboard.press("Enter"); // the button has the focus
    await page.locator("#load-error").waitFor({ state: "hidden" });
    await waitUntilReady(page);
    assert.equal(await page.locator("#load").isHidden(), true);
  }));

test("loading shows how far it is; a text typed meanwhile is answered afterwards", () =>
  onPage({ query: "?loadMs=5000" }, async (page) => {
    await page.keyboard.type("cat");
    await page.locator("#load-amount", { hasText: /MB of 7\.9 MB/ }).waitFor();
    const value = await page.locator("#load-bar").evaluate((bar) => bar.value);
    assert.ok(value > 0 && value <= 100);
    await waitUntilReady(page);
    assert.equal((await topPictures(page))[0], "🐈");
  }));

test("the best match is announced once the typing pauses", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    await page.keyboard.type("cat");
    await page
      .locator("#live", { hasText: "Best match: cat, score " })
      .waitFor({ state: "attached" });
  }));

test("names follow the reader's language", () =>
  onPage({ locale: "ko-KR" }, async (page) => {
    await waitUntilReady(page);
    await page.locator("#query").fill("고양이");
    const button = page.locator("#grid-top [data-id='🐈'] button");
    await button.waitFor();
    assert.match(await button.getAttribute("aria-label"), /^고양이, rank 1, /);
    assert.equal(await button.getAttribute("lang"), "ko");
  }));

test("the theme follows the system until it is chosen", () =>
  onPage({ colorScheme: "dark" }, async (page) => {
    const background = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await background();
    assert.equal(await page.locator("#theme").getAttribute("aria-pressed"), "true");
    await page.locator("#theme").click();
    assert.notEqual(await background(), dark);
    await page.reload();
    assert.notEqual(await background(), dark, "the choice stays");
  }));

test("nothing is wider than a phone", () =>
  onPage({ width: 360, height: 780 }, async (page) => {
    await waitUntilReady(page);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(await overflow(), 0);
    await page.locator("#own-input").setInputFiles([broken]);
    await page.locator(".tray-failed").waitFor();
    await page.locator("#query").fill("고양이");
    await page.locator("#grid-top .tile").first().waitFor();
    assert.equal(await overflow(), 0);
    await page.locator("#tab-texts").click();
    assert.equal(await overflow(), 0);
  }));
