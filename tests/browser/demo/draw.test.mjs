// Drawing what to look for, with the stand-in for the package: a drawing is always a red heart to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, standInDemo, topPictures, waitUntilReady } from "./pages.mjs";

const demo = standInDemo();

async function stroke(page, ...places) {
  const { x, y, width, height } = await page.locator("#draw-canvas").boundingBox();
  const at = ([across, down]) => [x + across * width, y + down * height];
  await page.mouse.move(...at(places[0]));
  await page.mouse.down();
  for (const place of places.slice(1)) await page.mouse.move(...at(place), { steps: 4 });
  await page.mouse.up();
}

test("results follow the pen; undo and clear take strokes away", () =>
  openPage(demo.browser, demo.url, {}, async (page) => {
    await waitUntilReady(page);
    const toggle = page.locator("#draw-toggle");
    await toggle.click();
    assert.equal(await toggle.getAttribute("aria-expanded"), "true");
    await page.getByLabel("Colour: red").check();
    await stroke(page, [0.3, 0.3], [0.6, 0.7]);
    await page.locator("#search-likeness", { hasText: "your drawing" }).waitFor();
    await page.locator("#grid-top .tile").first().waitFor();
    assert.equal((await topPictures(page))[0], "❤");
    assert.match(
      await page.locator("#search-status").textContent(),
      /^Drawing read in .* · 1,922 pictures searched in /,
    );
    const colour = () =>
      page.locator("#draw-canvas").evaluate((canvas) => {
        const context = canvas.getContext("2d");
        return [
          Array.from(
            context.getImageData(
              Math.round(canvas.width * 0.45),
              Math.round(canvas.height * 0.5),
              1,
              1,
            ).data,
          ),
          Array.from(context.getImageData(2, 2, 1, 1).data),
        ];
      });
    assert.deepEqual(
      await colour(),
      [
        [229, 57, 53, 255],
        [255, 255, 255, 255],
      ],
      "red on opaque white",
    );
    await stroke(page, [0.2, 0.8]);
    await page.locator("#draw-undo").click();
    assert.equal(await page.locator("#search-likeness").isVisible(), true, "one stroke is left");
    await page.keyboard.press("Control+z");
    await page.locator("#search-likeness").waitFor({ state: "hidden" });
    await page.locator("#grid-top").waitFor({ state: "hidden" });
    assert.equal(await page.locator("#draw-undo").isDisabled(), true);
    await stroke(page, [0.4, 0.4], [0.5, 0.5]);
    await page.locator("#draw-clear").click();
    await page.locator("#search-likeness").waitFor({ state: "hidden" });
  }));

test("typing replaces the drawing; Escape closes the canvas", () =>
  openPage(demo.browser, demo.url, {}, async (page) => {
    await waitUntilReady(page);
    await page.locator("#draw-toggle").click();
    await stroke(page, [0.4, 0.4], [0.5, 0.5]);
    await page.locator("#search-likeness").waitFor();
    await page.locator("#draw-canvas").focus();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#draw").isHidden(), true);
    assert.equal(await page.evaluate(() => document.activeElement.id), "draw-toggle");
    await page.locator("#query").fill("cat");
    await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
    assert.equal(await page.locator("#search-likeness").isHidden(), true);
  }));

test("the canvas fits on a phone", () =>
  openPage(demo.browser, demo.url, { width: 360, height: 780 }, async (page) => {
    await waitUntilReady(page);
    await page.locator("#draw-toggle").click();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  }));
