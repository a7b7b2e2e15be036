// `headers` and `fetch` of load(): js/src/client/user-fetch.ts and js/src/loading/remote-fetch.ts, with the stand-in engine and,
// for the cache, a real model.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { load } from "clipglot";
import { RemoteFetch } from "../../dist/js/loading/remote-fetch.js";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { UserFetch } from "../../dist/js/client/user-fetch.js";
import { fails } from "../shared/check.mjs";
import { loadFake, rejection } from "./support/fake.mjs";
import { emojiPack } from "./support/model-pack.mjs";
import { serveModel } from "./support/model-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-private-"));
after(() => rmSync(scratch, { recursive: true }));
const files = {
  "config.json": Buffer.from('{"a":1}'),
  "tokenizer.json": Buffer.from("{}"),
  "model.safetensors": new Uint8Array(50_000).fill(1),
};
const sum = Object.values(files)
  .flatMap((bytes) => [...bytes])
  .reduce((total, byte) => total + byte, 0);

/** A host that gives its files only to those who know the word. */
async function serve(given, use) {
  const asked = [];
  const answer = (_, request, response) => {
    asked.push(request);
    if (request.headers.authorization === "Bearer word") return false;
    response.writeHead(401).end();
    return true;
  };
  const server = await serveModel(given, { answer });
  try {
    return await use(server, asked);
  } finally {
    await server.close();
  }
}
const loaded = async (options) => {
  const embedder = await loadFake(options);
  await embedder.dispose();
  return embedder.info.residentBytes;
};

describe("headers", () => {
  for (const [what, headers] of Object.entries({
    "an object": { Authorization: "Bearer word" },
    "a Headers": new Headers({ Authorization: "Bearer word" }),
    "a list": [["authorization", "Bearer word"]],
    "a Map": new Map([["authorization", "Bearer word"]]),
  })) {
    test(`as ${what}, go with every request`, () =>
      serve(files, async ({ url }) => assert.equal(await loaded({ model: url, headers }), sum)));
  }

  test("without them the error says what to do", () =>
    serve(files, async ({ url }) => {
      await fails(loaded({ model: url }), "network", /401.*headers/);
    }));

  test("what HTTP does not allow is refused, without the value", async () => {
    for (const headers of [{ "a b": "secret" }, { a: "secret\nb" }, 7, "secret", [["a"]], [7]]) {
      const error = await fails(
        loaded({ model: "http://127.0.0.1:9/", headers }),
        "invalid-argument",
        /headers/,
      );
      assert.doesNotMatch(error.message, /secret/);
    }
  });

  test("they stand in no error", () =>
    serve({}, async ({ url }) => {
      const error = await fails(
        loaded({ model: url, headers: { Authorization: "Bearer word", "X-Other": "secret" } }),
        "network",
        /404/,
      );
      assert.doesNotMatch(
        JSON.stringify([error.message, error.detail, String(error.cause?.stack)]),
        /secret|Bearer/,
      );
    }));
});

describe("fetch", () => {
  test("fetches every byte, with headers and ranges filled in", () =>
    serve(files, async ({ url }) => {
      const calls = [];
      const own = (address, init) => {
        calls.push([init.method, address.replace(url, ""), init.headers.Authorization]);
        return fetch(address, init);
      };
      assert.equal(
        await loaded({ model: url, fetch: own, headers: { Authorization: "Bearer word" } }),
        sum,
      );
      assert.ok(calls.length >= 4 && calls.every(([, , word]) => word === "Bearer word"));
      assert.ok(calls.some(([method, path]) => method === "HEAD" && path === "model.safetensors"));
    }));

  test("the platform's own is one", () =>
    serve(files, async ({ url }) =>
      assert.equal(
        await loaded({ model: url, fetch, headers: { Authorization: "Bearer word" } }),
        sum,
      ),
    ));

  test("models are kept like any other, and nothing secret with them", () =>
    serve(emojiPack(), async ({ url, requests }) => {
      const cache = join(scratch, "cache");
      const own = (address, init) =>
        fetch(address, { ...init, headers: { ...init.headers, Authorization: "Bearer word" } });
      const options = { model: url, variant: "simd", towers: ["text"], cache, fetch: own };
      await load(options).then((embedder) => embedder.dispose());
      requests.length = 0;
      await load(options).then((embedder) => embedder.dispose());
      assert.deepEqual(requests, ["GET manifest.json"]);
      // Signed out, too.
      await load({ ...options, fetch: undefined }).then((embedder) => embedder.dispose());
      for (const name of readdirSync(join(cache, "models")))
        assert.doesNotMatch(readFileSync(join(cache, "models", name), "utf8"), /Bearer/);
    }));

  const odd = {
    "no Response": [async () => 7, /must give a Response/],
    nothing: [async () => undefined, /must give a Response/],
    "a promise of nothing, at once": [() => null, /must give a Response/],
    "a Response that was read": [
      async () => {
        const response = new Response("{}");
        await response.text();
        return response;
      },
      /read already|ReadableStream/,
    ],
    "a Response that somebody reads": [
      async () => {
        const response = new Response("{}");
        response.body.getReader();
        return response;
      },
      /read already/,
    ],
    "a body that is a text": [
      async () => ({ status: 200, headers: new Headers(), body: "{}" }),
      /ReadableStream/,
    ],
    "a body of texts": [async () => new Response(ReadableStream.from(["{}"])), /Uint8Array/],
  };
  for (const [what, [own, pattern]] of Object.entries(odd)) {
    test(`that gives ${what}`, async () => {
      await fails(
        loaded({ model: "http://127.0.0.1:9/m/", fetch: own }),
        "invalid-argument",
        pattern,
      );
    });
  }

  test("not a function", async () => {
    await fails(
      loaded({ model: "http://127.0.0.1:9/", fetch: 7 }),
      "invalid-argument",
      /fetch must be a function/,
    );
  });

  test("an abort reaches it", async () => {
    const abort = new AbortController();
    let heard;
    const own = (_, { signal }) =>
      new Promise(() => {
        heard = new Promise((resolve) => signal.addEventListener("abort", resolve));
        abort.abort("enough");
      });
    assert.equal(
      await rejection(loaded({ model: "http://127.0.0.1:9/", fetch: own, signal: abort.signal })),
      "enough",
    );
    await heard;
  });
});

// Both sides in one thread, with a retry policy of the test's.
describe("fetch, with the retries of every transfer", () => {
  const retry = { backoffMs: [2, 2], idleTimeoutMs: 150 };
  const joined = (own) => {
    const page = new UserFetch(own, (answer) => worker.receive(structuredClone(answer)));
    const worker = new RemoteFetch((question) => void page.receive(structuredClone(question)));
    return worker.fetch;
  };
  const text = (bytes, init = {}) =>
    new Response(bytes, { headers: { "Content-Type": "application/json" }, ...init });

  for (const [what, own] of Object.entries({
    throws: async () => {
      throw new Error("no tunnel");
    },
    "throws at once": () => {
      throw new Error("no tunnel");
    },
    "throws no error": async () => {
      throw "no tunnel";
    },
    "never settles": () => new Promise(() => {}),
    "gives a body that never comes": async () => text(new ReadableStream({})),
    "gives a body that breaks": async () =>
      text(new ReadableStream({ start: (c) => c.error(new Error("no tunnel")) })),
    "gives 503": async () => text("", { status: 503 }),
    "gives no body": async () => text(null),
  })) {
    test(`one that ${what} ends in a typed error after all attempts`, async () => {
      let calls = 0;
      const counted = (...given) => {
        calls++;
        return own(...given);
      };
      await fails(
        openUrlSource("http://host/m/", { retry, fetch: joined(counted) }),
        "network",
        /manifest\.json/,
      );
      assert.equal(calls, 1 + retry.backoffMs.length);
    });
  }

  test("a body in one piece of many megabytes, a view of a larger buffer, empty pieces", async () => {
    const large = Uint8Array.from({ length: 5 << 20 }, (_, i) => (i * 7) & 255);
    const view = large.subarray(1000, 4 << 20);
    const body = () =>
      new ReadableStream({
        start(controller) {
          for (const piece of [new Uint8Array(0), view, new Uint8Array(0), large.subarray(0, 10)])
            controller.enqueue(piece);
          controller.close();
        },
      });
    const own = async (address, { method }) =>
      /manifest|preproc|sentence/.test(address)
        ? text("", { status: 404 })
        : /json$/.test(address)
          ? text("{}")
          : text(method === "HEAD" ? null : body(), {
              headers: { "Content-Length": `${view.length + 10}` },
            });
    const source = await openUrlSource("http://host/m/", {
      retry: { ...retry, idleTimeoutMs: 20_000 },
      fetch: joined(own),
    });
    const file = source.files.find(({ path }) => path === "model.safetensors");
    const pieces = [];
    await source.read(file, 0, file.byteLength, (piece) => pieces.push(Buffer.from(piece)));
    await source.close();
    assert.ok(Buffer.concat(pieces).equals(Buffer.concat([view, large.subarray(0, 10)])));
  });

  test("what is not wanted any more is cancelled", async () => {
    let [cancelled, sent] = [false, 0];
    const endless = () =>
      new ReadableStream({
        pull(c) {
          sent++;
          c.enqueue(new Uint8Array(1 << 20));
        },
        cancel() {
          cancelled = true;
        },
      });
    const own = async (address) =>
      /manifest/.test(address) ? text(endless()) : text("", { status: 404 });
    await fails(
      openUrlSource("http://host/m/", {
        retry: { ...retry, idleTimeoutMs: 20_000 },
        fetch: joined(own),
      }),
      "corrupt-model",
      /more than/,
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(cancelled, true);
    assert.ok(sent < 10, `${sent} pieces were asked for`);
  });
});
