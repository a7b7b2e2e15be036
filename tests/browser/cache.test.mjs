// The cache of packs in headless Chromium: the private file system, locks between pages, the end of a page or of the whole
// browser in the middle of a download, quotas, devices that refuse large memories. What is the same in Node is tested in
// tests/js/cache.test.mjs.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { serveRepository } from "./package/server.mjs";
import { emojiPack } from "../js/support/model-pack.mjs";
import { serveModel } from "../js/support/model-server.mjs";

const chunk = 4 << 20;
const shard = "text.safetensors";
const emoji = emojiPack();
let [site, profile, context] = [];
before(async () => {
  site = await serveRepository({ isolated: true });
  profile = mkdtempSync(join(tmpdir(), "clipglot-profile-"));
  context = await launch();
});
after(async () => {
  await context?.close();
  await site?.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

// A profile on disk: other contexts keep their files in memory, and lose them at the end.
const launch = () =>
  chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu"],
  });

async function newPage() {
  const page = await context.newPage();
  await page.goto(`${site.url}tests/browser/package/page.html`);
  await page.waitForFunction(() => window.ready);
  return page;
}

/** A new server of the emoji model, a page, and nothing kept: the content of another test's server would be the same. */
async function place(habits, use) {
  const server = await serveModel({ ...emoji }, habits);
  const page = await newPage();
  await page.evaluate(async () => {
    for (const { model } of await window.clipglot.listCached())
      await window.clipglot.deleteCached(model);
  });
  try {
    await use({ server, page, load: (options) => loadIn(page, server, options) });
  } finally {
    if (!page.isClosed()) await page.close();
    await server.close();
  }
}

/** Loads, embeds, ends. Gives {vector, events} or {error}, and the requests for shards that it took. */
async function loadIn(page, server, options = {}) {
  server.requests.length = 0;
  const result = await page.evaluate(
    async (given) => {
      const [events, warnings] = [[], []];
      try {
        const embedder = await window.clipglot.load({
          variant: "simd",
          towers: ["text"],
          dtype: undefined,
          ...given,
          onProgress: (event) => events.push(event),
          onWarning: (warning) => warnings.push(warning),
        });
        const { vector } = await embedder.embedText("two cats");
        const { variant, threads } = embedder.info;
        await embedder.dispose();
        return { vector: [...vector], events, warnings, variant, threads };
      } catch ({ code, detail, message }) {
        return { error: code ?? message, detail, events };
      }
    },
    { model: server.url, ...options },
  );
  return { ...result, requests: server.requests.filter((request) => request.includes(shard)) };
}
const fromCache = ({ events }) => events.every((event) => event.fromCache);
const cached = (page) => page.evaluate(() => window.clipglot.listCached());

/** Waits until the page's load has fetched so many bytes of the shard. */
async function downloading(page, server, bytes) {
  await page.evaluate((model) => {
    window.loaded = 0;
    window.loading = window.clipglot.load({
      model,
      variant: "simd",
      towers: ["text"],
      dtype: undefined,
      onProgress: ({ file, loaded }) => {
        if (file === "text.safetensors") window.loaded = loaded;
      },
    });
    window.loading.catch(() => {});
  }, server.url);
  await page.waitForFunction((least) => window.loaded >= least, bytes);
}

describe("the private file system", () => {
  test("kept by default; the next page loads from it, online and offline", () =>
    place({}, async ({ server, page, load }) => {
      const first = await load();
      assert.equal(first.error, undefined, first.detail);
      assert.deepEqual([first.requests, fromCache(first)], [[`GET ${shard}`], false]);
      await page.close();
      const next = await newPage();
      const again = await loadIn(next, server);
      assert.deepEqual([again.requests, again.vector, fromCache(again)], [[], first.vector, true]);
      await server.close();
      const offline = await loadIn(next, server);
      assert.deepEqual([offline.vector, fromCache(offline)], [first.vector, true]);
      await next.close();
    }));

  test("with cache: false nothing is kept; a folder is refused", () =>
    place({}, async ({ page, load }) => {
      const before = (await cached(page)).length;
      assert.equal((await load({ cache: false })).error, undefined);
      assert.equal((await cached(page)).length, before);
      assert.equal((await load({ cache: "/folder" })).error, "invalid-argument");
    }));

  test("listed and deleted", () =>
    place({}, async ({ server, page, load }) => {
      await load();
      const entry = (await cached(page)).find(({ model }) => model === server.url);
      assert.equal(
        entry.bytes,
        emoji["manifest.json"].length + emoji["tokenizer.json"].length + emoji[shard].length,
      );
      assert.equal(
        entry.totalBytes,
        Object.values(emoji).reduce((sum, bytes) => sum + bytes.length, 0),
      );
      assert.deepEqual(entry.towers, ["text"]);
      const remove = () =>
        page.evaluate((model) => window.clipglot.deleteCached(model), server.url);
      assert.deepEqual([await remove(), await remove()], [true, false]);
      assert.deepEqual((await load()).requests, [`GET ${shard}`]);
    }));

  test("what is being written is not deleted", () =>
    place({ stall: chunk, only: /text/ }, async ({ server, page }) => {
      await downloading(page, server, chunk - 200_000);
      const other = await newPage();
      const error = await other.evaluate(
        (model) =>
          window.clipglot.deleteCached(model).catch(({ code, detail }) => ({ code, detail })),
        server.url,
      );
      assert.equal(error.code, "invalid-argument");
      assert.match(error.detail, /cannot be deleted/);
      await page.close();
      assert.equal(
        await other.evaluate((model) => window.clipglot.deleteCached(model), server.url),
        true,
      );
      await other.close();
    }));

  for (const [what, end] of Object.entries({
    "the page is closed": async (page) => page.close(),
    "the page crashes": async (page) => {
      const crashed = page.waitForEvent("crash");
      const session = await page.context().newCDPSession(page);
      session.send("Page.crash").catch(() => {});
      await crashed;
      await page.close();
    },
    "the browser is killed": async () => {
      const ended = new Promise((resolve) => context.once("close", resolve));
      for (const pid of processesOf(profile)) process.kill(pid, "SIGKILL");
      await ended;
      context = await launch();
    },
  })) {
    test(`${what} in the middle of a download: the next load goes on at the last whole chunk`, () =>
      place({ stall: chunk + 300_000, only: /text/ }, async ({ server, page }) => {
        await downloading(page, server, chunk + 100_000);
        await end(page);
        const next = await newPage();
        const result = await loadIn(next, server);
        assert.equal(result.error, undefined, result.detail);
        assert.deepEqual(result.requests, [`GET ${shard} bytes=${chunk}-`]);
        assert.ok(
          result.events.some(({ file, fromCache }) => file === shard && fromCache),
          "the first chunk comes from the cache",
        );
        assert.deepEqual((await loadIn(next, server)).requests, []);
        await next.close();
      }));
  }

  test("a damaged shard in the cache is fetched again", () =>
    place({}, async ({ server, page, load }) => {
      const { vector } = await load();
      const flipped = await page.evaluate(async (bytes) => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(
          "clipglot-models",
        );
        for await (const handle of (await root.getDirectoryHandle("content")).values()) {
          const file = await handle.getFile();
          if (file.size !== bytes) continue;
          const content = new Uint8Array(await file.arrayBuffer());
          content[1000] ^= 4;
          const writable = await handle.createWritable();
          await writable.write(content);
          await writable.close();
          return true;
        }
        return false;
      }, emoji[shard].length);
      assert.equal(flipped, true);
      const repaired = await load();
      assert.deepEqual([repaired.requests, repaired.vector], [[`GET ${shard}`], vector]);
      assert.deepEqual((await load()).requests, []);
      assert.equal(
        (await cached(page)).find(({ model }) => model === server.url).towers[0],
        "text",
      );
    }));

  test("a byte that is flipped on its way: fetched again once, then an error that names the file", () =>
    place({ flip: { path: shard, at: chunk + 9, times: 1 } }, async ({ server, load }) => {
      const result = await load();
      assert.deepEqual([result.error, result.requests.length], [undefined, 2]);
      server.habits.flip.times = Infinity;
      const error = await load({ cache: false });
      assert.deepEqual([error.error, error.requests.length], ["corrupt-model", 2]);
      assert.match(error.detail, /text\.safetensors/);
    }));

  test("two pages that load one model at once share the download", () =>
    place({ slow: 150_000, only: /text/ }, async ({ server, load }) => {
      const other = await newPage();
      const [a, b] = await Promise.all([load(), loadIn(other, server)]);
      assert.deepEqual([a.error, b.error], [undefined, undefined]);
      assert.deepEqual(a.vector, b.vector);
      assert.equal(server.requests.filter((request) => request === `GET ${shard}`).length, 1);
      // Both read it at the same time now.
      const [c, d] = await Promise.all([load(), loadIn(other, server)]);
      assert.deepEqual([c.vector, d.vector, c.requests, d.requests], [a.vector, a.vector, [], []]);
      await other.close();
    }));

  // As a handle that only reads does, which a load has for a moment to see whether a file is complete.
  test("a file that another load looks at for a moment is filled all the same", () =>
    place({}, async ({ page, load }) => {
      await page.route("**/platform/worker/store.js", async (route) => {
        const response = await route.fetch();
        const body = `const { createSyncAccessHandle } = FileSystemFileHandle.prototype, refused = new Map();
          FileSystemFileHandle.prototype.createSyncAccessHandle = function (options) {
            const times = refused.get(this.name) ?? 0;
            refused.set(this.name, times + 1);
            if (options === undefined && times < 3) return Promise.reject(new DOMException("in use", "NoModificationAllowedError"));
            return createSyncAccessHandle.call(this, options);
          };
          ${await response.text()}`;
        await route.fulfill({ response, body });
      });
      await page.reload();
      await page.waitForFunction(() => window.ready);
      const first = await load();
      assert.deepEqual([first.error, first.requests], [undefined, [`GET ${shard}`]]);
      assert.deepEqual((await load()).requests, []);
    }));

  test("the other page ends in the middle: this one takes the download over", () =>
    place({ stall: chunk + 300_000, only: /text/ }, async ({ server, page, load }) => {
      const other = await newPage();
      await downloading(other, server, chunk + 100_000);
      const result = load();
      await page.waitForTimeout(100);
      await other.close();
      assert.equal((await result).error, undefined);
      assert.deepEqual((await result).requests, [`GET ${shard} bytes=${chunk}-`]);
    }));

  test("the other page gets nothing: this one does not wait for it", () =>
    place({ stall: chunk, only: /text/ }, async ({ server, load }) => {
      const other = await newPage();
      await downloading(other, server, chunk - 200_000);
      const result = await load();
      assert.deepEqual([result.error, result.requests], [undefined, [`GET ${shard}`]]);
      await other.close();
    }));

  test("no room: the model loads and is not kept; what is kept of it is used", () =>
    place({}, async ({ server, page, load }) => {
      const session = await context.newCDPSession(page);
      const { usage } = await session.send("Storage.getUsageAndQuota", {
        origin: new URL(site.url).origin,
      });
      const quota = (quotaSize) =>
        session.send("Storage.overrideQuotaForOrigin", {
          origin: new URL(site.url).origin,
          ...(quotaSize === undefined ? {} : { quotaSize }),
        });
      await quota(Math.round(usage) + chunk + 1_500_000);
      const first = await load();
      assert.deepEqual([first.error, first.requests], [undefined, [`GET ${shard}`]]);
      assert.deepEqual(
        first.warnings.map(({ code }) => code),
        ["not-kept"],
      );
      const kept = (await cached(page)).find(({ model }) => model === server.url);
      assert.deepEqual(kept?.towers ?? [], [], "there was room for all");
      await quota(Math.round(usage));
      const second = await load();
      assert.equal(second.error, undefined, second.detail);
      assert.deepEqual(second.vector, first.vector);
      await quota();
      assert.equal((await load()).error, undefined);
      assert.deepEqual((await load()).requests, []);
      assert.ok(
        (await cached(page)).some(
          ({ model, towers }) => model === server.url && towers.length === 1,
        ),
      );
    }));

  test("without a private file system, models load as ever", () =>
    place({}, async ({ server, load, page }) => {
      await page.route("**/platform/worker/store.js", async (route) => {
        const response = await route.fetch();
        await route.fulfill({
          response,
          body: `navigator.storage.getDirectory = () => Promise.reject(new DOMException("no", "SecurityError"));\n${await response.text()}`,
        });
      });
      await page.reload();
      await page.waitForFunction(() => window.ready);
      for (const _ of [1, 2]) {
        const { requests, warnings } = await load();
        assert.deepEqual(
          [requests, warnings.map(({ code }) => code)],
          [[`GET ${shard}`], ["not-kept"]],
        );
      }
      assert.deepEqual(await cached(page), []);
      assert.equal(
        await page.evaluate((model) => window.clipglot.deleteCached(model), server.url),
        false,
      );
    }));
});

describe("devices that refuse large memories", () => {
  // Makes WebAssembly.Memory refuse shared memory with a maximum above so many pages.
  const limited = async (page, pages) => {
    await page.route("**/worker/memory.js", async (route) => {
      const response = await route.fetch();
      const body = `const Real = WebAssembly.Memory;
        WebAssembly.Memory = class extends Real {
          constructor(limits) {
            if (limits.shared && limits.maximum > ${pages}) throw new RangeError("refused");
            super(limits);
          }
        };
        ${await response.text()}`;
      await route.fulfill({ response, body });
    });
    await page.reload();
    await page.waitForFunction(() => window.ready);
  };

  for (const gib of [3, 1]) {
    test(`${gib} GiB are enough for a build with threads`, () =>
      place({}, async ({ page, load }) => {
        await limited(page, gib * 16384);
        const { error, detail, variant, threads } = await load({
          variant: "simd-threads",
          threads: 2,
        });
        assert.deepEqual([error, variant, threads], [undefined, "simd-threads", 2], detail);
      }));
  }

  test("no shared memory at all: one thread, or the reason", () =>
    place({}, async ({ page, load }) => {
      await limited(page, 0);
      const { error, detail, variant, threads } = await load({ variant: "auto", threads: 2 });
      assert.deepEqual([error, variant, threads], [undefined, "relaxed-simd", 1], detail);
      const refused = await load({ variant: "simd-threads", threads: 2 });
      assert.equal(refused.error, "out-of-memory");
      assert.match(refused.detail, /no memory that threads can share/);
    }));
});

// The browser's processes, by the profile that stands in their command lines.
function processesOf(folder) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          pid !== process.pid &&
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`--user-data-dir=${folder}`)
        );
      } catch {
        return false; // it has ended
      }
    });
}
