// The page of curves, from a made-up report of the shape that tools/emoji/report.mjs writes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDemo, repository, screenshot, standInDemo } from "./pages.mjs";

const report = JSON.parse(
  readFileSync(join(repository, "tests", "browser", "demo", "report-fixture.json"), "utf8"),
);

const demo = standInDemo();

async function onCurves(
  options,
  body,
  answer = { contentType: "application/json", body: JSON.stringify(report) },
) {
  const { page, problems, close } = await openDemo(demo.browser, demo.url, {
    path: "curve.html",
    routes: { "**/models/emoji/report.json": answer },
    ...options,
  });
  try {
    await page.locator("#curve[aria-busy=false]").waitFor();
    await body(page);
    assert.deepEqual(
      problems.filter(
        (problem) => !(answer.status >= 400 && /Failed to load resource/.test(problem)),
      ),
      [],
    );
  } finally {
    await close();
  }
}

test("a plot for each style, described in words, and as a table", () =>
  onCurves({}, async (page) => {
    const plots = page.locator("#matryoshka-plots svg.plot");
    await plots.nth(2).waitFor();
    const { en } = report.dtypes.q8.twemoji["192"];
    assert.ok(
      (await plots.first().getAttribute("aria-label")).includes(
        `at 192 dimensions R@10 English ${en[2].toFixed(1)} %`,
      ),
    );
    assert.equal(
      await plots.first().locator(".plot-mark").count(),
      16,
      "four lines of four lengths",
    );
    await page.getByRole("button", { name: "Twemoji: show the values as a table" }).click();
    const rows = await page
      .locator("#matryoshka-plots table")
      .first()
      .locator("tbody tr")
      .allInnerTexts();
    assert.deepEqual(
      rows.map((row) => row.split("\t")[0]),
      ["32", "64", "128", "192"],
    );
    assert.ok(rows[3].includes(`${en[2].toFixed(1)} %`));
    assert.equal(await plots.first().isVisible(), false);
    await screenshot(page, "curve-light");
  }));

test("the curves of other weights", () =>
  onCurves({}, async (page) => {
    assert.equal(
      await page.getByRole("radio", { name: "8-bit (q8)" }).isChecked(),
      true,
      "first those that are shipped",
    );
    await page.getByRole("radio", { name: "4-bit (q4)" }).check();
    const { en } = report.dtypes.q4.twemoji["192"];
    await page
      .locator("#matryoshka-plots svg", {
        has: page.locator("title", {
          hasText: `R@10 English, 192 dimensions: ${en[2].toFixed(1)} %`,
        }),
      })
      .first()
      .waitFor();
  }));

test("what smaller weights cost", () =>
  onCurves({}, async (page) => {
    const change = report.dtypes.q4.twemoji["192"].en[2] - report.dtypes.f32.twemoji["192"].en[2];
    await page.getByRole("button", { name: /^Percentage points against f32/ }).click();
    const row = page.locator("#quantisation-plots tbody tr", { hasText: "Twemoji, R@10 English" });
    assert.match(
      await row.innerText(),
      new RegExp(`${change < 0 ? "−" : "\\+"}${Math.abs(change).toFixed(2)}$`),
    );
    assert.equal(await page.locator("#nearest-table tbody tr").count(), 3);
  }));

test("a report of one dtype has curves and no loss", () =>
  onCurves(
    {},
    async (page) => {
      await page.locator("#matryoshka-plots svg.plot").first().waitFor();
      assert.equal(await page.locator("#quantisation").isHidden(), true);
    },
    { contentType: "application/json", body: JSON.stringify({ dtypes: { q8: report.dtypes.q8 } }) },
  ));

for (const [name, answer, expected] of [
  ["no report", { status: 404 }, /report\.json: 404/],
  ["a broken report", { contentType: "application/json", body: "{" }, /cannot be shown/],
  [
    "a report without results",
    { contentType: "application/json", body: "{}" },
    /dtypes is missing/,
  ],
  [
    "a report with holes",
    {
      contentType: "application/json",
      body: JSON.stringify({
        dtypes: { q8: { twemoji: { 192: { en: [1, 2], listed: [1, 2, 3] } } } },
      }),
    },
    /q8\.twemoji\.192 has no three recalls/,
  ],
]) {
  test(`${name} is told`, () =>
    onCurves(
      {},
      async (page) => {
        await page.getByRole("alert").filter({ hasText: expected }).waitFor();
        assert.equal(await page.locator("#matryoshka").isHidden(), true);
      },
      answer,
    ));
}

test("on a phone, in the dark", () =>
  onCurves({ width: 360, height: 780, colorScheme: "dark" }, async (page) => {
    await page.locator("#quantisation-plots svg.plot").waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    await screenshot(page, "curve-phone-dark");
  }));
