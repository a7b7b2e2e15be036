// The package in headless Chromium: the shared suites with each build, and what only a browser has.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { names } from "../shared/suites.mjs";
import { launchBrowser } from "./demo/pages.mjs";
import { serveRepository } from "./package/server.mjs";

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

/** A page of its own server; errors on the page fail the test. */
function withPage(serverOptions, define) {
  const place = {};
  before(async () => {
    place.server = await serveRepository(serverOptions);
    place.context = await browser.newContext();
    place.page = await place.context.newPage();
    place.problems = [];
    place.page.on("pageerror", (error) => place.problems.push(error.message));
    await place.page.goto(`${place.server.url}tests/browser/package/page.html`);
    await place.page.waitForFunction(() => window.ready);
  });
  after(async () => {
    await place.context?.close();
    await place.server?.close();
  });
  define(place);
  test("no error reached the page", () => assert.deepEqual(place.problems, []));
}

function suites(place, variant, threads) {
  for (const name of names()) {
    test(`${variant}: ${name}`, async () => {
      const error = await place.page.evaluate(
        ([...args]) => window.clipglot.run(...args),
        [name, variant, threads],
      );
      if (error) throw new Error(error);
    });
  }
}

describe("isolated page", () => {
  withPage({ isolated: true }, (place) => {
    test("the automatic choice is relaxed SIMD with threads", async () => {
      const [isolated, info] = await place.page.evaluate(async () => {
        const embedder = await window.clipglot.load();
        await embedder.embedText("cat");
        await embedder.dispose();
        return [crossOriginIsolated, embedder.info];
      });
      assert.equal(isolated, true);
      const processors = await place.page.evaluate(() => navigator.hardwareConcurrency);
      assert.equal(info.variant, processors > 1 ? "relaxed-simd-threads" : "relaxed-simd");
      assert.equal(
        info.threads,
        Math.max(1, Math.min(4, Math.max(Math.floor(processors / 2), Math.min(2, processors)))),
      );
    });
    suites(place, "simd-threads", 2);
    suites(place, "relaxed-simd-threads", 2);
  });
});

describe("page without isolation", () => {
  withPage({ isolated: false }, (place) => {
    test("the automatic choice has one thread, whatever is asked for", async () => {
      const infos = await place.page.evaluate(async () => {
        const found = [];
        for (const options of [{}, { threads: 4 }]) {
          const embedder = await window.clipglot.load(options);
          found.push([crossOriginIsolated, embedder.info.variant, embedder.info.threads]);
          await embedder.dispose();
        }
        return found;
      });
      assert.deepEqual(infos, [
        [false, "relaxed-simd", 1],
        [false, "relaxed-simd", 1],
      ]);
    });

    test("a build with threads asked for by name is refused, with the headers that would help", async () => {
      const error = await place.page.evaluate(() =>
        window.clipglot
          .load({ variant: "simd-threads" })
          .catch(({ code, detail }) => ({ code, detail })),
      );
      assert.equal(error.code, "invalid-argument");
      assert.match(error.detail, /Cross-Origin-Opener-Policy: same-origin/);
    });

    test("only the files of the build that runs are fetched", async () => {
      place.server.requests.length = 0;
      await place.page.evaluate(async () =>
        (await window.clipglot.load({ variant: "simd" })).dispose(),
      );
      const fetched = place.server.requests.filter((request) => request.includes("/dist/wasm/"));
      assert.deepEqual([...new Set(fetched)].sort(), [
        "GET /dist/wasm/clipglot-simd.mjs",
        "GET /dist/wasm/clipglot-simd.wasm",
      ]);
    });

    suites(place, "simd", 1);
    suites(place, "relaxed-simd", 1);

    test("formats that the core does not know go through the browser; ImageBitmap and ImageData are taken", async () => {
      const result = await place.page.evaluate(async () => {
        const canvas = new OffscreenCanvas(40, 30);
        const context = canvas.getContext("2d");
        context.fillStyle = "rgb(200 80 20)";
        context.fillRect(0, 0, 40, 30);
        context.fillStyle = "rgb(10 20 200)";
        context.fillRect(5, 5, 20, 10);
        const [png, webp] = await Promise.all([
          canvas.convertToBlob({ type: "image/png" }),
          canvas.convertToBlob({ type: "image/webp", quality: 1 }),
        ]);
        const embedder = await window.clipglot.load({ variant: "simd", towers: ["vision"] });
        const bitmap = await createImageBitmap(canvas);
        const inputs = {
          png,
          webp,
          bitmap,
          pixels: context.getImageData(0, 0, 40, 30),
          file: new File([png], "x.png"),
        };
        const found = {};
        for (const [name, input] of Object.entries(inputs)) {
          const { vector, decoder } = await embedder.embedImage(input);
          found[name] = { vector: [...vector], decoder };
        }
        const failed = await embedder
          .embedImage(new Blob(["RIFF....WEBPnonsense"]))
          .catch(({ code }) => code);
        const width = bitmap.width; // 0 when it was detached
        await embedder.dispose();
        return { types: [png.type, webp.type], found, failed, width };
      });
      const { png, webp, bitmap, pixels, file } = result.found;
      assert.deepEqual(result.types, ["image/png", "image/webp"]);
      assert.deepEqual(
        [png.decoder, file.decoder, webp.decoder, bitmap.decoder, pixels.decoder],
        ["core", "core", "browser", "browser", undefined],
      );
      assert.deepEqual(file.vector, png.vector);
      assert.deepEqual(pixels.vector, png.vector);
      assert.deepEqual(bitmap.vector, png.vector);
      const cosine = webp.vector.reduce((sum, value, i) => sum + value * png.vector[i], 0);
      assert.ok(cosine > 0.99, `WebP: cosine ${cosine}`);
      assert.equal(result.failed, "invalid-image");
      assert.equal(result.width, 40);
    });

    test("picked files", async () => {
      const id = await place.page.evaluate(async () => {
        const names = [
          "config.json",
          "preprocessor_config.json",
          "tokenizer.json",
          "model.safetensors",
        ];
        const files = await Promise.all(
          names.map(async (name) => new File([await window.clipglot.read(name)], name)),
        );
        const embedder = await window.clipglot.load({ model: files, variant: "simd" });
        const { modelId } = await embedder.embedText("cat");
        await embedder.dispose();
        return modelId;
      });
      assert.equal(typeof id, "string");
    });

    test("an address without a model, an engine that is not there", async () => {
      const errors = await place.page.evaluate(() =>
        Promise.all([
          window.clipglot.load({ model: "/nowhere" }).catch(({ code, detail }) => [code, detail]),
          window.clipglot
            .load({ assetBase: "/nowhere" })
            .catch(({ code, detail }) => [code, detail]),
        ]),
      );
      assert.equal(errors[0][0], "network");
      assert.match(errors[0][1], /\/nowhere\/: manifest\.json: 404/);
      assert.equal(errors[1][0], "start-failed");
      assert.match(errors[1][1], /\/nowhere\/clipglot-/);
    });

    test("dispose and an aborted load end the worker", async () => {
      const workers = async (count) => {
        for (let i = 0; i < 100 && place.page.workers().length !== count; i++)
          await place.page.waitForTimeout(50);
        assert.equal(place.page.workers().length, count);
      };
      await workers(0);
      await place.page.evaluate(async () => {
        window.kept = await window.clipglot.load({ variant: "simd" });
      });
      await workers(1);
      const name = await place.page.evaluate(() => {
        const abort = new AbortController();
        return window.clipglot
          .load({ variant: "simd", signal: abort.signal, onProgress: () => abort.abort() })
          .catch((error) => error.name);
      });
      assert.equal(name, "AbortError");
      await workers(1);
      await place.page.evaluate(() => window.kept.dispose());
      await workers(0);
    });
  });
});

describe("page under a strict content security policy", () => {
  const contentSecurityPolicy =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'; img-src data:";
  withPage({ isolated: true, contentSecurityPolicy }, (place) => {
    test("every build starts", async () => {
      const variants = ["simd", "relaxed-simd", "simd-threads", "relaxed-simd-threads"];
      const found = await place.page.evaluate(async (list) => {
        const started = [];
        for (const variant of list) {
          const embedder = await window.clipglot.load({ variant });
          await embedder.embedText("cat");
          started.push(embedder.info.variant);
          await embedder.dispose();
        }
        return started;
      }, variants);
      assert.deepEqual(found, variants);
    });
  });
});
