// Serves the demo and opens it in headless Chromium, for the tests beside this file.

import { join, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { mkdirSync } from "node:fs";
import { after, before } from "node:test";
import { chromium } from "playwright-core";
import { createServer } from "vite";
import { readGalleryPictures } from "../../../tools/gallery/pictures.mjs";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const screenshots = join(repository, "build", "screenshots");
const fakePackage = join(dirname(fileURLToPath(import.meta.url)), "fake-clipglot.ts");

/** Starts Vite with the demo's own configuration. `fake` puts the stand-in in the place of the package. */
export async function serveDemo({ fake = false, isolation = true } = {}) {
  if (isolation) delete process.env.CLIPGLOT_ISOLATION;
  else process.env.CLIPGLOT_ISOLATION = "off";
  const server = await createServer({
    configFile: join(repository, "web-demo", "vite.config.ts"),
    cacheDir: join(repository, "build", fake ? "vite-fake" : "vite-test"),
    logLevel: "error",
    clearScreen: false,
    resolve: fake ? { alias: { clipglot: fakePackage } } : {},
    server: { port: 0, hmr: false, watch: null },
  });
  await server.listen();
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
}

/** A picture of the gallery as a file of the user's. */
export function pictureFile(emoji, name = "picture.png") {
  const { png } = readGalleryPictures().find((picture) => picture.emoji === emoji);
  return { name, mimeType: "image/png", buffer: Buffer.from(png) };
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A server with the stand-in and a browser for the tests of one file: {url, browser}, there while they run. */
export function standInDemo() {
  const demo = { url: "", browser: undefined };
  let server;
  before(async () => {
    server = await serveDemo({ fake: true });
    demo.browser = await launchBrowser();
    demo.url = server.url;
  });
  after(async () => {
    await demo.browser?.close();
    await server?.close();
  });
  return demo;
}

/** A page whose errors end the test, and which may reach nothing but its own server. `routes`: pattern → answer in its place. */
export async function openDemo(
  browser,
  url,
  {
    width = 1280,
    height = 900,
    colorScheme = "light",
    query = "",
    locale = "en-GB",
    reducedMotion = "no-preference",
    path = "",
    routes = {},
  } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme,
    locale,
    reducedMotion,
  });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await context.route(
    (address) =>
      !["localhost", "127.0.0.1"].includes(address.hostname) &&
      !["blob:", "data:"].includes(address.protocol),
    (route) => {
      problems.push(`reached out to ${route.request().url()}`);
      return route.abort();
    },
  );
  for (const [pattern, answer] of Object.entries(routes))
    await context.route(pattern, (route) => route.fulfill(answer));
  await page.goto(url + path + query);
  return { page, problems, close: () => context.close() };
}

/**
 * Runs `body` on a fresh page of the stand-in; anything the page reports as an error fails the test. The stand-in has no
 * stored vectors unless `routes` has some, so the page reads the pictures.
 */
export async function openPage(browser, url, { routes = {}, ...options }, body) {
  const { page, problems, close } = await openDemo(browser, url, {
    ...options,
    routes: { "**/vectors.safetensors": { status: 404 }, ...routes },
  });
  try {
    await body(page);
    const answered =
      Object.values(routes).some(({ status }) => status >= 400) ||
      !("**/vectors.safetensors" in routes);
    const unexpected = problems.filter(
      (problem) => !(answered && /Failed to load resource/.test(problem)),
    );
    if (unexpected.length > 0) throw new Error(`the page reports: ${unexpected.join("; ")}`);
  } finally {
    await close();
  }
}

/** Waits until every picture and text is embedded; a failure that the page shows fails at once. */
export async function waitUntilReady(page) {
  const outcome = page.locator("#fact-per-text, #load-error:visible, .status-error").first();
  await outcome.waitFor({ timeout: 120_000 });
  if ((await outcome.getAttribute("id")) !== "fact-per-text")
    throw new Error(`the page says: ${await outcome.innerText()}`);
}

/** The names of the first results of the pictures tab, in order. */
export function topPictures(page, count = 10) {
  return page
    .locator("#grid-top .tile")
    .evaluateAll((tiles, n) => tiles.slice(0, n).map((tile) => tile.dataset.id), count);
}

export async function screenshot(page, name) {
  mkdirSync(screenshots, { recursive: true });
  await page.waitForTimeout(350); // tiles glide to their places first
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}
