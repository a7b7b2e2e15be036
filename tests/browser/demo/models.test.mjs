// Choosing a model on the demo page, and what becomes of the gallery with it; with the stand-in for the package.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readGalleryPictures } from "../../../tools/gallery/pictures.mjs";
import { vectorFile } from "../../../tools/emoji/gallery.mjs";
import {
  openPage,
  pictureFile,
  repository,
  screenshot,
  standInDemo,
  topPictures,
  waitUntilReady,
} from "./pages.mjs";

const manifest = {
  formatVersion: 1,
  modelId: "jina-clip-v2",
  revision: "abc",
  license: "CC-BY-NC-4.0",
  dtype: "q8",
  config: { projection_dim: 1024 },
  tokenizer: { path: "tokenizer.json", bytes: 17_000_000 },
  shards: [
    { tower: "text", path: "a", bytes: 60_000_000 },
    { tower: "text", path: "b", bytes: 40_000_000 },
    { tower: "vision", path: "c", bytes: 63_000_000 },
  ],
};
const json = (value) => ({
  contentType: "application/json",
  body: typeof value === "string" ? value : JSON.stringify(value),
});
const pack = { "**/packs/jina/manifest.json": json(manifest) };

const demo = standInDemo();

const onPage = (options, body) => openPage(demo.browser, demo.url, options, body);

async function check(page, address) {
  if (!(await page.locator("#model-dialog").isVisible())) await page.locator("#model-open").click();
  await page.locator("#model-address").fill(address);
  await page.keyboard.press("Enter");
}

async function usePack(page, ...without) {
  await check(page, "packs/jina/");
  await page.locator("#model-details").waitFor();
  for (const tower of without) await page.locator(`#model-tower-${tower}`).uncheck();
  await page.locator("#model-load").click();
  await page.locator("#model-name", { hasText: "jina-clip-v2" }).waitFor();
}

describe("a pack at an address", () => {
  test("licence and size are shown before anything but the manifest is fetched", () =>
    onPage({ routes: pack }, async (page) => {
      await waitUntilReady(page);
      const fetched = [];
      page.on(
        "request",
        (request) =>
          request.url().includes("/packs/") && fetched.push(new URL(request.url()).pathname),
      );
      await check(page, `${demo.url}packs/jina/manifest.json?x#y`);
      await page.locator("#model-details").waitFor();
      const details = await page.locator("#model-details").innerText();
      await screenshot(page, "demo-model-choice");
      assert.match(details, /jina-clip-v2/);
      assert.match(details, /q8, 1024 a vector/);
      assert.match(details, /Not for commercial use/);
      assert.equal(
        await page.locator("#model-details a", { hasText: "CC-BY-NC-4.0" }).getAttribute("href"),
        "https://creativecommons.org/licenses/by-nc/4.0/",
      );
      assert.match(details, /Texts\s*117\.0 MB/);
      assert.match(details, /Pictures\s*63\.0 MB/);
      assert.equal(await page.locator("#model-load").textContent(), "Download and load 180.0 MB");
      await page.locator("#model-tower-text").uncheck();
      assert.equal(await page.locator("#model-load").textContent(), "Download and load 63.0 MB");
      await page.locator("#model-tower-vision").uncheck();
      assert.equal(await page.locator("#model-load").isDisabled(), true, "one tower at least");
      assert.deepEqual(fetched, ["/packs/jina/manifest.json"]);
    }));

  const problems = [
    ["nothing typed", "", {}, /Type or paste/],
    ["no web address", "ftp://x.example/", {}, /must begin with https/],
    [
      "nothing there",
      "packs/none/",
      { "**/packs/none/manifest.json": { status: 404 } },
      /no manifest\.json at this address/,
    ],
    [
      "a server in trouble",
      "packs/busy/",
      { "**/packs/busy/manifest.json": { status: 503 } },
      /answers 503/,
    ],
    [
      "a page instead of a manifest",
      "packs/html/",
      { "**/packs/html/manifest.json": json("<html>") },
      /no JSON/,
    ],
    [
      "some other manifest",
      "packs/other/",
      { "**/packs/other/manifest.json": json({ name: "app" }) },
      /not that of a model pack/,
    ],
    [
      "a manifest of nothing",
      "packs/empty/",
      { "**/packs/empty/manifest.json": json({ ...manifest, shards: [] }) },
      /names no files/,
    ],
  ];
  for (const [name, address, routes, expected] of problems) {
    test(`${name} is told`, () =>
      onPage({ routes: { ...pack, ...routes, "**/none": { status: 404 } } }, async (page) => {
        await page.locator("#model-open").click();
        await check(page, address);
        await page.locator("#model-problem", { hasText: expected }).waitFor();
        assert.equal(await page.locator("#model-load").isDisabled(), true);
        await check(page, "packs/jina/");
        await page.locator("#model-details", { hasText: "jina-clip-v2" }).waitFor();
        assert.equal(
          await page.locator("#model-problem").isHidden(),
          true,
          "the next address begins anew",
        );
      }));
  }

  test("the user's own pictures and texts are searched with it; the gallery only when asked for", () =>
    onPage({ routes: pack, query: "?imageMs=1" }, async (page) => {
      await page
        .locator("#own-input")
        .setInputFiles([pictureFile("🐶", "dog.png"), pictureFile("🐈", "cat.png")]);
      await waitUntilReady(page);
      await usePack(page);
      await page
        .locator("#notice-pictures", { hasText: "has not read the 1,922 emoji pictures yet" })
        .waitFor();
      await page.locator("#query").fill("cat");
      await page.locator("#search-status", { hasText: "2 pictures searched" }).waitFor();
      assert.deepEqual(await topPictures(page), ["own-2", "own-1"]);
      await page.locator("#notice-pictures button", { hasText: "Read the emoji pictures" }).click();
      await page.locator("#notice-pictures", { hasText: /\d+ of 1,922/ }).waitFor();
      await page.locator("#notice-pictures button", { hasText: "Stop" }).click();
      await page.locator("#notice-pictures button", { hasText: "Read the emoji pictures" }).click();
      await page
        .locator("#search-status", { hasText: "1,924 pictures searched" })
        .waitFor({ timeout: 60_000 });
      await page.locator("#tab-texts").click();
      await page.locator("#own-texts-toggle").click();
      await page.locator("#own-texts-field").fill("cat\n\n고양이\ncat\nsomething else");
      await page.locator("#own-texts button[type=submit]").click();
      await page.locator("#search-status", { hasText: "3 texts searched" }).waitFor();
      assert.equal(await page.locator("#text-list .text-text").first().textContent(), "cat");
      assert.equal(await page.locator("#count-texts").textContent(), "876");
    }));

  test("with the text tower alone there is nothing of pictures", () =>
    onPage({ routes: pack }, async (page) => {
      await waitUntilReady(page);
      await usePack(page, "vision");
      assert.equal(await page.locator("#panel-texts").isVisible(), true);
      assert.equal(await page.locator("#draw-toggle").isHidden(), true);
      await page.locator("#tab-pictures").click();
      await page.locator("#notice-pictures", { hasText: "without its picture half" }).waitFor();
      assert.equal(await page.locator("#own").isHidden(), true);
    }));

  test("with the vision tower alone there is nothing of texts", () =>
    onPage({ routes: pack }, async (page) => {
      await waitUntilReady(page);
      await usePack(page, "text");
      assert.equal(
        await page.locator("#query").getAttribute("placeholder"),
        "This model reads no texts: choose or draw a picture",
      );
      await page.locator("#own-input").setInputFiles([pictureFile("🐶", "dog.png")]);
      await page.locator("#search-status", { hasText: "1 picture searched" }).waitFor();
    }));

  test("a load can be cancelled; the model that ran runs on", () =>
    onPage({ routes: pack, query: "?loadMs=1500" }, async (page) => {
      await waitUntilReady(page);
      await check(page, "packs/jina/");
      await page.locator("#model-load", { hasText: "180.0 MB" }).click();
      await page.locator("#load-label", { hasText: "Loading jina-clip-v2" }).waitFor();
      await page.locator("#load-cancel").click();
      await page.locator("#load").waitFor({ state: "hidden" });
      assert.equal(await page.locator("#model-name").textContent(), "clipglot-emoji");
      await page.locator("#query").fill("cat");
      await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
    }));

  test("a failed load offers to try again, and the model of the page", () =>
    onPage({ routes: pack, query: "?failLoad=2" }, async (page) => {
      await waitUntilReady(page);
      await check(page, "packs/jina/");
      await page.locator("#model-load", { hasText: "180.0 MB" }).click();
      await page.locator("#load-error").waitFor();
      assert.match(await page.locator("#load-error").innerText(), /network: .*packs\/jina/);
      await page.locator("#load-embedded").click();
      await page.locator("#load").waitFor({ state: "hidden" });
      await page.locator("#query").fill("cat");
      await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
    }));
});

describe("a pack folder", () => {
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "clipglot-demo-"));
    writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "notes.txt"), "x");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("is chosen and loaded", () =>
    onPage({}, async (page) => {
      await waitUntilReady(page);
      await page.locator("#model-open").click();
      await page.locator("#model-folder").setInputFiles(folder);
      await page.locator("#model-details", { hasText: "CC-BY-NC-4.0" }).waitFor();
      assert.equal(await page.locator("#model-load").textContent(), "Load 180.0 MB");
      await page.locator("#model-load").click();
      await page.locator("#model-name", { hasText: "jina-clip-v2" }).waitFor();
    }));

  const drop = (page, files) =>
    page.evaluate((contents) => {
      const entry = (name, text) => ({
        isFile: true,
        isDirectory: false,
        name,
        fullPath: `/pack/${name}`,
        file: (done) => done(new File([text], name)),
      });
      const parts = [Object.entries(contents).map(([name, text]) => entry(name, text)), []];
      const directory = {
        isFile: false,
        isDirectory: true,
        name: "pack",
        fullPath: "/pack",
        createReader: () => ({ readEntries: (done) => done(parts.shift()) }),
      };
      DataTransferItem.prototype.webkitGetAsEntry = () => directory;
      const data = new DataTransfer();
      data.items.add(new File([], "pack"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    }, files);

  test("can be dropped on the page", () =>
    onPage({}, async (page) => {
      await waitUntilReady(page);
      await drop(page, { "manifest.json": JSON.stringify(manifest) });
      await page.locator("#model-details", { hasText: "jina-clip-v2" }).waitFor();
      assert.equal(await page.locator("#model-folder-name").textContent(), "pack");
    }));

  test("an original checkpoint is told what it needs", () =>
    onPage({}, async (page) => {
      await waitUntilReady(page);
      await drop(page, { "model.safetensors": "", "config.json": "{}" });
      await page.locator("#model-problem", { hasText: "npx clipglot convert" }).waitFor();
    }));
});

test("the dialog fits on a phone, in the dark", () =>
  onPage({ routes: pack, width: 360, height: 780, colorScheme: "dark" }, async (page) => {
    await waitUntilReady(page);
    await check(page, "packs/jina/");
    await page.locator("#model-details").waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    assert.ok(
      await page
        .locator("#model-dialog")
        .evaluate((dialog) => dialog.scrollWidth <= dialog.clientWidth),
    );
    await screenshot(page, "demo-phone-dark-model-choice");
  }));

test("models kept by the browser can be deleted", () =>
  onPage({}, async (page) => {
    await waitUntilReady(page);
    await page.locator("#model-open").click();
    await page
      .locator("#model-cached li", { hasText: "kept-modelq8: 1.0 MB of 2.0 MB · MIT" })
      .waitFor();
    await page.getByLabel("Delete kept-model from this browser").click();
    await page.locator("#model-cached").waitFor({ state: "hidden" });
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#model-dialog").isVisible(), false);
  }));

describe("stored vectors of the gallery", () => {
  const { sha256 } = JSON.parse(
    readFileSync(join(repository, "models", "emoji", "manifest.json"), "utf8"),
  );
  const emoji = readGalleryPictures().map((picture) => picture.emoji);
  const vectors = (metadata = {}, columns = 192, value = (i) => Math.sin(i * i) / 14) =>
    vectorFile(
      "pictures",
      Float32Array.from({ length: emoji.length * columns }, (_, i) => value(i)),
      columns,
      { packSha256: sha256, emoji: JSON.stringify(emoji), ...metadata },
    );
  const answer = (body) => ({
    "**/vectors.safetensors": { body, contentType: "application/octet-stream" },
  });

  test("are taken when they are of this model", () =>
    onPage({ routes: answer(vectors()) }, async (page) => {
      await page.locator("#query").fill("cat");
      await page.locator("#search-status", { hasText: "1,922 pictures searched" }).waitFor();
      await waitUntilReady(page);
      assert.equal(await page.locator("#fact-per-picture").count(), 0, "no picture was read");
      assert.equal(await page.locator("#notice-pictures").isHidden(), true);
    }));

  test("of another pack are refused, with the reason, and the pictures are read", () =>
    onPage({ routes: answer(vectors({ packSha256: "0".repeat(64) })) }, async (page) => {
      await page
        .locator("#notice-pictures", {
          hasText: "they were made with another version of the model. The pictures are read now",
        })
        .waitFor();
      await waitUntilReady(page);
      assert.equal(await page.locator("#notice-pictures").isHidden(), true);
      await page.locator("#query").fill("cat");
      await page.waitForFunction(() => document.querySelector("#grid").dataset.answered === "cat");
      assert.equal((await topPictures(page))[0], "🐈");
    }));

  test("that miss a picture: that one is read", () =>
    onPage(
      { routes: answer(vectors({ emoji: JSON.stringify(emoji.with(3, "?")) })) },
      async (page) => {
        await waitUntilReady(page);
        assert.equal(await page.locator("#fact-per-picture").count(), 1);
        await page.locator("#query").fill("cat");
        await page.locator("#search-status", { hasText: "1,922 pictures searched" }).waitFor();
      },
    ));

  test("every damage is noticed", () =>
    onPage({}, async (page) => {
      const good = vectors();
      const damaged = {
        "the matrix has another shape": [
          vectors({}, 64),
          vectors({ emoji: JSON.stringify(emoji.slice(1)) }),
        ],
        "no matrix, or no list of emoji": [
          vectors({ emoji: "{}" }),
          vectors({ emoji: JSON.stringify(emoji.with(3, 4)) }),
        ],
        "its length": [good.subarray(0, 1_000_000), Buffer.concat([good, Buffer.alloc(4)])],
        "not a number": [
          vectors({}, 192, (i) => (i === 7 ? NaN : 0.1)),
          vectors({}, 192, (i) => (i === 9 ? Infinity : 0.1)),
        ],
        "the header is no JSON": [
          Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("nothing")]),
          vectors({ emoji: "" }),
        ],
        "the header's length": [
          Buffer.from("nothing of the kind"),
          Buffer.from([200, 0, 0, 0, 0, 0, 0, 0]),
        ],
        "no header": [Buffer.alloc(0), Buffer.alloc(7)],
      };
      for (const [reason, files] of Object.entries(damaged)) {
        for (const file of files) {
          const message = await page.evaluate(
            async ([bytes, sha]) => {
              const { readPictureVectors } = await import("/src/data/picture-vectors.ts");
              const data = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
              try {
                return `taken: ${readPictureVectors(data.buffer, sha, 192).length}`;
              } catch (error) {
                return error.message;
              }
            },
            [file.toString("base64"), sha256],
          );
          assert.equal(message, `the file is damaged (${reason})`);
        }
      }
    }));
});
