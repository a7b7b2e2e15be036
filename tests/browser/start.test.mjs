// Starting the engine where something is in the way: a host without a header, a file that does not come, a policy, another origin.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "./demo/pages.mjs";
import { isolation, serveFaults, shared } from "./start/server.mjs";

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

/** Serves by `answer`, opens the page, and loads with `options`. `at`: the server of the package, if it is another one. */
async function attempt(answer, options = {}, { at, during, entry = "page.html" } = {}) {
  const server = await serveFaults(answer);
  const other = at && (await serveFaults(at));
  const context = await browser.newContext();
  const problems = [];
  try {
    const page = await context.newPage();
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`${server.url}tests/browser/start/${entry}`);
    await page.waitForFunction(() => window.ready);
    const home = (other ?? server).url;
    const given = {
      ...options,
      ...(options.assetBase ? { assetBase: options.assetBase.replace("{other}", other?.url) } : {}),
    };
    const loading = page.evaluate(
      ([url, how]) => window.tryLoad(url, how),
      [options.assetBase ? server.url : home, given],
    );
    await during?.(server, page);
    const result = await loading;
    // Whatever happened: nothing stays alive.
    for (let i = 0; i < 100 && page.workers().length > 0; i++) await page.waitForTimeout(20);
    assert.equal(page.workers().length, 0, "workers are left");
    assert.deepEqual(problems, []);
    assert.doesNotMatch(JSON.stringify(result), /\[object|ASSERTIONS/);
    return { ...result, requests: server.requests, home };
  } finally {
    await context.close();
    await server.close();
    await other?.close();
  }
}

const isHtml = (path) => path.endsWith(".html");
const everywhere = (headers) => () => ({ headers });
const fails = (result, code, detail) => {
  assert.equal(result.name, "EmbedError", JSON.stringify(result));
  assert.equal(result.code, code, result.detail);
  for (const pattern of [detail].flat()) assert.match(result.detail, pattern);
};
const runs = (result, variant, reasons = []) => {
  assert.equal(result.variant, variant, result.detail ?? JSON.stringify(result));
  assert.equal(result.works, true);
  assert.equal(result.fallbacks.length, reasons.length, JSON.stringify(result.fallbacks));
  for (const [i, pattern] of reasons.entries()) assert.match(result.fallbacks[i].reason, pattern);
  assert.equal(result.warnings.length, reasons.length);
};
// Long enough for what does come on a slow machine, and each wait for what never comes is as long.
const startTimeout = 4000;

describe("one thread", () => {
  test("nothing in the way: the first choice, and no second request", async () => {
    const result = await attempt(() => ({}));
    runs(result, "relaxed-simd");
    const files = result.requests.filter((path) => path.startsWith("/dist/wasm/"));
    assert.deepEqual(files.sort(), [
      "/dist/wasm/clipglot-relaxed-simd.mjs",
      "/dist/wasm/clipglot-relaxed-simd.wasm",
    ]);
  });

  test("a relaxed module that cannot be compiled: plain SIMD, and why", async () => {
    // The first relaxed instruction that is found gets a number that no browser knows.
    const wasm = Buffer.from(
      readFileSync(new URL("../../dist/wasm/clipglot-relaxed-simd.wasm", import.meta.url)),
    );
    const place = wasm.lastIndexOf(Buffer.from([0xfd, 0x93, 0x02]));
    assert.ok(place > 0);
    wasm[place + 2] = 0x04;
    const answer = (path) =>
      path.endsWith("relaxed-simd.wasm") ? { body: wasm, type: "application/wasm" } : {};
    const result = await attempt(answer);
    runs(result, "simd", [/clipglot-relaxed-simd\.wasm: cannot be compiled here/]);
    assert.match(
      result.warnings[0],
      /^other-build: "relaxed-simd" did not start, so "simd" is tried/,
    );
    fails(
      await attempt(answer, { variant: "relaxed-simd" }),
      "start-failed",
      /clipglot-relaxed-simd\.wasm: cannot be compiled here/,
    );
  });

  for (const [what, wrong, pattern] of [
    [
      "404",
      { status: 404 },
      /the server answers 404 Not Found; the file is not where the package expects it/,
    ],
    [
      "a page in its place",
      { body: "<!doctype html><p>home", type: "text/html" },
      /an HTML page in the place of the file/,
    ],
    ["no answer", { stall: true }, /no answer for 1 s|no end of it for 1 s/],
  ]) {
    for (const file of ["wasm", "mjs"]) {
      test(`${what} for the .${file}: the error names the file and what is wrong; "auto" takes another build`, async () => {
        const answer = (path) => (path.endsWith(`clipglot-relaxed-simd.${file}`) ? wrong : {});
        fails(
          await attempt(answer, { variant: "relaxed-simd", startTimeout: 1000 }),
          "start-failed",
          [new RegExp(`clipglot-relaxed-simd\\.${file}`), pattern],
        );
        const other = await attempt(answer, {
          startTimeout: what === "no answer" ? startTimeout : 10_000,
        });
        runs(other, "simd", [new RegExp(`clipglot-relaxed-simd\\.${file}`)]);
      });
    }
  }

  test("a .wasm of another type, and one whose transfer stops", async () => {
    runs(
      await attempt((path) => (path.endsWith(".wasm") ? { type: "application/octet-stream" } : {})),
      "relaxed-simd",
    );
    const stopped = await attempt(
      (path) => (path.endsWith("/clipglot-simd.wasm") ? { stop: 100_000 } : {}),
      { variant: "simd", startTimeout: 1000 },
    );
    fails(stopped, "start-failed", /clipglot-simd\.wasm: its transfer stopped for 1 s/);
  });

  test("a moment without an answer is passed over", async () => {
    for (const wrong of [{ status: 503 }, { reset: true }])
      for (const file of [".wasm", ".mjs"])
        runs(
          await attempt((path, time) =>
            path.startsWith("/dist/wasm/") && path.endsWith(file) && time === 1 ? wrong : {},
          ),
          "relaxed-simd",
        );
  });

  test("a module of another type", async () => {
    fails(
      await attempt((path) =>
        path.endsWith(".mjs") && path.startsWith("/dist")
          ? { type: "application/octet-stream" }
          : {},
      ),
      "start-failed",
      /clipglot-relaxed-simd\.mjs: its Content-Type is "application\/octet-stream"; scripts of modules need text\/javascript \(nor did others start: simd\)/,
    );
  });

  test("the worker's script: not there, a page, of another type, silent", async () => {
    const worker = (wrong) => (path) => (path.endsWith("worker/main.js") ? wrong : {});
    fails(await attempt(worker({ status: 404 })), "start-failed", [
      /worker\/main\.js: the server answers 404/,
      /bundler/,
    ]);
    fails(
      await attempt(worker({ body: "<!doctype html>", type: "text/html" })),
      "start-failed",
      /main\.js: the server gives an HTML page/,
    );
    fails(
      await attempt(worker({ type: "text/plain" })),
      "start-failed",
      /main\.js: its Content-Type is "text\/plain"/,
    );
    fails(
      await attempt(worker({ stall: true }), { startTimeout: 1000 }),
      "start-failed",
      /main\.js: no answer for 1 s/,
    );
    fails(
      await attempt((path) => (path.endsWith("worker/host.js") ? { status: 404 } : {})),
      "start-failed",
      /main\.js: the file itself comes; .*a file that it imports/,
    );
    fails(
      await attempt((path) => (path.endsWith("worker/host.js") ? { stall: true } : {}), {
        startTimeout: 1000,
      }),
      "start-failed",
      /main\.js: no word of it for 2 s/,
    );
  });

  test("a load that is aborted while its worker says nothing", async () => {
    const server = await serveFaults((path) =>
      path.endsWith("worker/main.js") ? { stall: true } : {},
    );
    const page = await browser.newPage();
    await page.goto(`${server.url}tests/browser/start/page.html`);
    await page.waitForFunction(() => window.ready);
    await page.evaluate(async (at) => {
      const { load } = await import(`${at}dist/js/index.js`);
      window.stop = new AbortController();
      window.loading = load({ model: "/x/", signal: window.stop.signal }).catch((reason) => reason);
    }, server.url);
    await server.stalled();
    assert.equal(
      await page.evaluate(() => {
        window.stop.abort("enough");
        return window.loading;
      }),
      "enough",
    );
    await page.close();
    await server.close();
  });
});

// The module of a build with threads is fetched once to be imported and then once for the worker of each thread.
describe("threads", () => {
  const threads = 2;
  const second = (wrong) => (path, time) => ({
    headers: isolation,
    ...(path.endsWith("-threads.mjs") && time > 1 ? wrong : {}),
  });

  test("nothing in the way", async () => {
    const result = await attempt(everywhere(isolation), { threads });
    runs(result, "relaxed-simd-threads");
    assert.equal(result.threads, 2);
  });

  test("the worker's script never comes: one thread, and why; an error for a build asked for by name", async () => {
    const result = await attempt(second({ stall: true }), { threads, startTimeout });
    runs(result, "relaxed-simd", [
      /worker of a thread \(.*clipglot-relaxed-simd-threads\.mjs\) did not start: 1 of 1 workers said nothing for 4 s/,
    ]);
    fails(
      await attempt(second({ stall: true }), {
        threads,
        startTimeout: 1000,
        variant: "simd-threads",
      }),
      "start-failed",
      /worker of a thread \(.*clipglot-simd-threads\.mjs\) did not start/,
    );
  });

  for (const [what, wrong, pattern] of [
    [
      "503",
      { status: 503 },
      /its script could not be loaded: .*: the server answers 503 Service Unavailable/,
    ],
    ["a cut connection", { reset: true }, /its script could not be loaded: .*: cannot be fetched/],
    ["a page in its place", { body: "<!doctype html>" }, /an HTML page/],
  ]) {
    test(`${what} for the worker's script: one thread, and why`, async () => {
      runs(await attempt(second(wrong), { threads }), "relaxed-simd", [pattern]);
      fails(
        await attempt(second(wrong), { threads, variant: "simd-threads" }),
        "start-failed",
        pattern,
      );
    });
  }

  test("one moment without an answer: the threads start in another way", async () => {
    const once = (path, time) => ({
      headers: isolation,
      ...(path.endsWith("-threads.mjs") && time === 2 ? { status: 503 } : {}),
    });
    const result = await attempt(once, { threads });
    runs(result, "relaxed-simd-threads");
    assert.equal(result.threads, 2);
  });

  test("the .mjs without the header that isolated pages ask for: threads start from blobs", async () => {
    const result = await attempt(
      (path) => ({ headers: path.endsWith(".mjs") && path.startsWith("/dist") ? {} : isolation }),
      { threads },
    );
    runs(result, "relaxed-simd-threads");
  });

  test("the same where blobs may not be workers: one thread, and the header is named", async () => {
    const policy = { "Content-Security-Policy": "worker-src 'self'" };
    const answer = (path) => ({
      headers:
        path.endsWith(".mjs") && path.startsWith("/dist") ? policy : { ...isolation, ...policy },
    });
    runs(await attempt(answer, { threads }), "relaxed-simd", [
      /relaxed-simd-threads\.mjs: the page is cross-origin isolated, so this file must carry the header Cross-Origin-Embedder-Policy/,
    ]);
    fails(
      await attempt(answer, { threads, variant: "simd-threads" }),
      "start-failed",
      /must carry the header Cross-Origin-Embedder-Policy/,
    );
  });

  test("the headers on the HTML alone: everything starts from blobs", async () => {
    const result = await attempt((path) => (isHtml(path) ? { headers: isolation } : {}), {
      threads,
    });
    runs(result, "relaxed-simd-threads");
    assert.equal(result.threads, 2);
  });

  test("the same where blobs may not be workers: the error names the file and the header", async () => {
    const result = await attempt(
      (path) =>
        isHtml(path)
          ? { headers: { ...isolation, "Content-Security-Policy": "worker-src 'self'" } }
          : {},
      { threads },
    );
    fails(
      result,
      "start-failed",
      /main\.js: the page is cross-origin isolated, so this file must carry the header Cross-Origin-Embedder-Policy/,
    );
  });

  test("the package, or only the engine's files, on another origin", async () => {
    const both = { ...isolation, ...shared };
    const result = await attempt(everywhere(isolation), { threads }, { at: everywhere(both) });
    runs(result, "relaxed-simd-threads");
    runs(
      await attempt(
        everywhere(isolation),
        { threads, assetBase: "{other}dist/wasm" },
        { at: everywhere(shared) },
      ),
      "relaxed-simd-threads",
    );
    const strict = { ...isolation, "Content-Security-Policy": "worker-src 'self'" };
    runs(
      await attempt(
        everywhere(strict),
        { threads, assetBase: "{other}dist/wasm" },
        { at: everywhere(shared) },
      ),
      "relaxed-simd",
      [/worker of a thread/],
    );
  });

  test("Trusted Types", async () => {
    const policy = (names) => ({
      ...isolation,
      "Content-Security-Policy": `require-trusted-types-for 'script'; trusted-types ${names}`,
    });
    runs(await attempt(everywhere(policy("clipglot")), { threads }), "relaxed-simd-threads");
    // The page's own policy makes the worker; the worker has no policy for its threads.
    const own = await attempt(everywhere(policy("mine")), { threads, createWorker: "policy" });
    runs(own, "relaxed-simd", [
      /worker of a thread cannot start: .*TrustedScriptURL.*trusted-types clipglot/,
    ]);
  });

  test("a relaxed module that cannot be compiled: plain SIMD with the same threads", async () => {
    const body = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0x7f]);
    const result = await attempt(
      (path) => ({
        headers: isolation,
        ...(path.endsWith("relaxed-simd-threads.wasm") ? { body, type: "application/wasm" } : {}),
      }),
      { threads },
    );
    runs(result, "simd-threads", [/cannot be compiled here/]);
    assert.equal(result.threads, 2);
  });

  test("an isolated page whose browser has no SharedArrayBuffer is told so", async () => {
    const server = await serveFaults(everywhere(isolation));
    const page = await browser.newPage();
    await page.goto(`${server.url}tests/browser/start/page.html`);
    await page.waitForFunction(() => window.ready);
    await page.evaluate(() => delete globalThis.SharedArrayBuffer);
    fails(
      await page.evaluate((at) => window.tryLoad(at, { variant: "simd-threads" }), server.url),
      "invalid-argument",
      /isolated, but this browser has no SharedArrayBuffer/,
    );
    runs(await page.evaluate((at) => window.tryLoad(at), server.url), "relaxed-simd");
    await page.close();
    await server.close();
  });
});

describe("policies", () => {
  const policy = (more, script = "'self' 'wasm-unsafe-eval'", worker = "'self'") => ({
    "Content-Security-Policy": `default-src 'none'; script-src ${script}; connect-src 'self'; worker-src ${worker}; img-src data:; ${more}`,
  });

  test("no WebAssembly: the error names the policy and what to add", async () => {
    fails(
      await attempt(everywhere(policy("", "'self'"))),
      "start-failed",
      /Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src/,
    );
  });

  test("no workers", async () => {
    fails(
      await attempt(everywhere(policy("", undefined, "'none'"))),
      "start-failed",
      /main\.js.*Content-Security-Policy \(worker-src/,
    );
  });

  test("Trusted Types: the policy clipglot, or an own one with createWorker; neither", async () => {
    const demand = (names) =>
      everywhere(policy(`require-trusted-types-for 'script'; trusted-types ${names}`));
    runs(await attempt(demand("clipglot")), "relaxed-simd");
    const own = await attempt(demand("mine"), { createWorker: "policy" });
    runs(own, "relaxed-simd");
    assert.deepEqual(own.made, ["/dist/js/worker/main.js"]);
    fails(await attempt(demand("'none'")), "start-failed", [
      /main\.js/,
      /trusted-types clipglot/,
      /createWorker/,
    ]);
  });

  test("createWorker: a worker of the page's own making; one that throws; something else", async () => {
    const own = await attempt(() => ({}), { createWorker: "own" });
    runs(own, "relaxed-simd");
    assert.deepEqual(own.made, ["/dist/js/worker/main.js"]);
    fails(
      await attempt(() => ({}), { createWorker: "throws" }),
      "invalid-argument",
      /createWorker.*not today|not today/,
    );
    fails(
      await attempt(() => ({}), { createWorker: "odd" }),
      "invalid-argument",
      /createWorker must give a Worker/,
    );
    fails(
      await attempt(() => ({}), { createWorker: 7 }),
      "invalid-argument",
      /createWorker must be a function/,
    );
  });
});

describe("places", () => {
  test("a service worker and a shared worker: a clear error", async () => {
    const server = await serveFaults(() => ({ headers: { "Service-Worker-Allowed": "/" } }));
    const page = await browser.newPage();
    await page.goto(`${server.url}tests/browser/start/page.html`);
    await page.waitForFunction(() => window.ready);
    for (const kind of ["shared", "service"]) {
      const result = await page.evaluate(
        (name) =>
          new Promise((resolve) => {
            const [script, type] = [`./place.mjs?${name}`, "module"];
            const channel = new BroadcastChannel(name);
            channel.onmessage = ({ data }) => resolve(data);
            if (name === "shared") new SharedWorker(script, { type });
            else navigator.serviceWorker.register(script, { type });
          }),
        kind,
      );
      fails(result, "start-failed", [/this place has no Worker/, /offscreen document/]);
    }
    await page.close();
    await server.close();
  });
});

describe("another origin", () => {
  test("the package: the worker starts by a blob", async () => {
    runs(await attempt(() => ({}), {}, { at: everywhere(shared) }), "relaxed-simd");
  });
  test("the engine's files", async () => {
    runs(
      await attempt(() => ({}), { assetBase: "{other}dist/wasm" }, { at: everywhere(shared) }),
      "relaxed-simd",
    );
    fails(
      await attempt(() => ({}), { assetBase: "{other}dist/wasm" }, { at: () => ({}) }),
      "start-failed",
      /clipglot-relaxed-simd\.(mjs|wasm): .*Access-Control-Allow-Origin/,
    );
  });
});
