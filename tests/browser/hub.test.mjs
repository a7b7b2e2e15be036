// Models by their name on a hub, in headless Chromium: what Node cannot show is that the chain of redirects passes CORS without a
// preflight, that the private file system keeps what is made, and that tabs wait for each other. The rest is in tests/js/hub.test.mjs.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { load } from "clipglot";
import { tryHubSeeds } from "../faults/hub-seeds.mjs";
import { tryKills } from "../faults/hub-kills.mjs";
import { browserClient } from "../faults/clients.mjs";
import { golden } from "../js/support/checkpoint.mjs";
import { startHubServer } from "../js/support/hub-server.mjs";
import { serveRepository } from "./package/server.mjs";

const names = ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"];
const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(golden, name))]));
const size = files["model.safetensors"].length;
let [site, hub, profile, context] = [];
const wanted = {};
before(async () => {
  site = await serveRepository({ isolated: true });
  hub = await startHubServer({ files });
  profile = mkdtempSync(join(tmpdir(), "clipglot-profile-"));
  context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu"],
  });
  for (const dtype of ["q8", "q4", "f32"]) {
    const embedder = await load({ model: golden, dtype, variant: "simd", maxTokens: 64 });
    wanted[dtype] = [...(await embedder.embedText("two cats")).vector];
    await embedder.dispose();
  }
});
after(async () => {
  await context?.close();
  await site?.close();
  await hub?.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

async function newPage() {
  const page = await context.newPage();
  await page.goto(`${site.url}tests/browser/package/page.html`);
  await page.waitForFunction(() => window.ready);
  return page;
}
const model = (more = {}) => ({ hub: { repo: hub.repo, endpoint: hub.endpoint, ...more } });
const clear = (page) =>
  page.evaluate(async () => {
    for (const each of await window.clipglot.listCached())
      await window.clipglot.deleteCached(each.model);
    return window.clipglot.listCached();
  });
/** Loads, embeds, ends. Gives {vector, info, warnings, last} or {error}. */
const run = (page, options = {}) =>
  page.evaluate(
    async (given) => {
      const [warnings, events] = [[], []];
      try {
        const embedder = await window.clipglot.load({
          variant: "simd",
          dtype: "q8",
          maxTokens: 64,
          ...given,
          onWarning: (warning) => warnings.push(warning),
          onProgress: (event) => event.status === "progress_total" && events.push(event),
        });
        const { vector } = await embedder.embedText("two cats");
        const { info } = embedder;
        await embedder.dispose();
        return { vector: [...vector], info, warnings, events };
      } catch (error) {
        return { error: { name: error.name, code: error.code, detail: error.detail } };
      }
    },
    { model: model(), ...options },
  );

for (const dtype of ["q8", "q4"])
  test(`${dtype}: the first load converts, the second needs no hub; no request costs a preflight`, async () => {
    const page = await newPage();
    assert.deepEqual(await clear(page), []);
    hub.set({ down: false, rate: 0 });
    const first = await run(page, { dtype });
    assert.deepEqual(first.vector, wanted[dtype], JSON.stringify(first.error));
    assert.deepEqual(first.warnings, []);
    assert.equal(first.info.revision, hub.commit);
    assert.ok(first.events.every(({ license }) => license === "cc-by-nc-4.0"));
    assert.deepEqual(hub.preflights, []);
    assert.equal(hub.bytesAsked("model.safetensors"), size);
    hub.set({ down: true });
    assert.ok(site.requests.some((line) => line.includes("clipglot-convert.wasm")));
    site.requests.length = 0;
    const again = await run(page, { dtype });
    assert.deepEqual(again.vector, wanted[dtype], JSON.stringify(again.error));
    assert.ok(!site.requests.some((line) => line.includes("convert.wasm")), "converts nothing");
    const kept = await page.evaluate(() => window.clipglot.listCached());
    assert.deepEqual(
      kept.map(({ model, dtype, towers }) => ({ model, dtype, towers })),
      [{ model: `hf:${hub.repo} at ${hub.endpoint}`, dtype, towers: ["text", "vision"] }],
    );
    assert.equal(kept[0].bytes, kept[0].totalBytes);
    await page.close();
  });

test("on a page with threads", async () => {
  const page = await newPage();
  await clear(page);
  hub.set({ down: false });
  const { vector, info, error } = await run(page, { variant: "simd-threads", threads: 2 });
  assert.deepEqual(vector, wanted.q8, JSON.stringify(error));
  assert.equal(info.threads, 2);
  await page.close();
});

test("with a token: one preflight for each address of the hub, none at the other origin, and nothing that names it", async () => {
  const page = await newPage();
  await clear(page);
  const token = "hf_secretSecretSecret";
  hub.set({ gated: true, token });
  const refused = await run(page);
  assert.equal(refused.error.code, "network");
  assert.match(refused.error.detail, /accept them at/);
  const { vector, error } = await run(page, { model: model({ token }) });
  assert.deepEqual(vector, wanted.q8, JSON.stringify(error));
  assert.ok(
    hub.preflights.length > 0 &&
      hub.preflights.every((line) => line.startsWith("hub ") && line.endsWith(" authorization")),
  );
  for (const { at, headers } of hub.requests.filter(({ at }) => at === "cdn"))
    assert.equal(headers.authorization, undefined, at);
  const names = await page.evaluate(async () => {
    const found = [];
    const walk = async (folder, path) => {
      for await (const [name, handle] of folder.entries()) {
        found.push(`${path}/${name}`);
        if (handle.kind === "directory") await walk(handle, `${path}/${name}`);
        else
          found.push(
            new TextDecoder("latin1").decode(await (await handle.getFile()).arrayBuffer()),
          );
      }
    };
    await walk(await navigator.storage.getDirectory(), "");
    return found.join("\n");
  });
  assert.ok(names.length > 1000 && !names.includes(token));
  hub.set({ gated: false, token: undefined });
  await page.close();
});

test("two tabs at once: one converts, the other waits and then loads", async () => {
  const pages = [await newPage(), await newPage()];
  await clear(pages[0]);
  hub.set({ throttle: 3_000_000 });
  const results = await Promise.all(pages.map((page) => run(page)));
  for (const { vector, error } of results)
    assert.deepEqual(vector, wanted.q8, JSON.stringify(error));
  assert.equal(hub.bytesAsked("model.safetensors"), size);
  hub.set({ throttle: 0 });
  for (const page of pages) await page.close();
});

test("a tab that is closed in the middle: another one goes on", async () => {
  const page = await newPage();
  await clear(page);
  hub.set({ throttle: 1_000_000 });
  await page.evaluate(
    (options) =>
      new Promise((resolve) => {
        window.clipglot
          .load({
            ...options,
            dtype: "q8",
            variant: "simd",
            onProgress: ({ status, loaded }) =>
              status === "progress_total" && loaded > 600_000 && resolve(),
          })
          .catch(() => {});
      }),
    { model: model() },
  );
  await page.close();
  hub.set({ throttle: 0 });
  const next = await newPage();
  const [left] = await next.evaluate(() => window.clipglot.listCached());
  assert.deepEqual(left.towers, []);
  const { vector, error } = await run(next);
  assert.deepEqual(vector, wanted.q8, JSON.stringify(error));
  assert.ok(hub.bytesAsked("model.safetensors") < size, "some of it was there");
  await next.close();
});

test("where nothing can be kept, it is verified and loaded all the same", async () => {
  const page = await newPage();
  await clear(page);
  hub.set({ rate: 0 });
  const { vector, warnings, error } = await run(page, { cache: false });
  assert.deepEqual(vector, wanted.q8, JSON.stringify(error));
  assert.deepEqual(warnings, []);
  assert.deepEqual(await page.evaluate(() => window.clipglot.listCached()), []);
  await page.close();
});

test("a hub whose answers go wrong by chance: right vectors or a typed error, never a wrong byte kept", async () => {
  const client = await browserClient();
  try {
    await tryHubSeeds(client, 1000, 4);
  } finally {
    await client.close();
  }
});

test("the browser killed in the middle: the next load goes on", async () => {
  await tryKills({ kills: 2, inBrowser: true });
});
